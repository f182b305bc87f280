using Npgsql;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Startup;

/// <summary>The schema as an orchestrator brings it about: by a command before the processes that need it, and newer ones beside older processes.</summary>
public sealed class MigrateCommandTests(PostgresServer postgres) : ProcessTest(postgres)
{
    [Fact]
    public async Task The_migrate_command_applies_everything_once_and_ends()
    {
        var connection = await Postgres.CreateEmptyDatabaseAsync();

        await using var first = HostProcess.Launch(On(connection), "migrate");
        Assert.Equal(0, await first.ExitAsync());
        await using var again = HostProcess.Launch(On(connection), "migrate");
        Assert.Equal(0, await again.ExitAsync());

        Assert.Equal(4, first.Output.Count(l => l.Contains(": applied ", StringComparison.Ordinal)));
        Assert.Equal(4, again.Output.Count(l => l.EndsWith(": up to date", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Two_migrate_commands_at_once_on_an_empty_database_take_turns()
    {
        var connection = await Postgres.CreateEmptyDatabaseAsync();

        await using var one = HostProcess.Launch(On(connection), "migrate");
        await using var two = HostProcess.Launch(On(connection), "migrate");

        Assert.Equal((0, 0), (await one.ExitAsync(), await two.ExitAsync()));
        var lines = one.Output.Concat(two.Output).ToList();
        // Each module's by one of them, whichever it was.
        Assert.Equal(4, lines.Count(l => l.Contains(": applied ", StringComparison.Ordinal)));
        Assert.Equal(4, lines.Count(l => l.EndsWith(": up to date", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_schema_of_a_newer_release_is_served_until_it_says_that_it_can_t_be()
    {
        var connection = await Postgres.CreateDatabaseAsync();
        (string, string)[] production = [("ASPNETCORE_ENVIRONMENT", "Production"), ("Identity:KeyEncryptionSecret", "of-this-test-and-of-nothing-else-4be1a6")];
        await AddMigrationAsync("29990101000000_AddSomething");
        await using (var host = await HostProcess.StartAsync(On(connection, production)))
        {
            Assert.Contains(host.Output, l => l.Contains("The schema chat was migrated by a newer release (29990101000000_AddSomething)", StringComparison.Ordinal));
        }

        await AddMigrationAsync("29990101000001_BreakingDropSomething");
        foreach (var arguments in (string[][])[[], ["migrate"]])
        {
            await using var refused = HostProcess.Launch(On(connection, production), arguments);

            Assert.Equal(1, await refused.ExitAsync());
            Assert.Equal(
                ["The schema chat was migrated by a newer release (29990101000001_BreakingDropSomething), and this one can't serve it any more. Start that release."],
                refused.Errors);
        }

        async Task AddMigrationAsync(string name)
        {
            await using var database = new NpgsqlConnection(connection);
            await database.OpenAsync(Cancel);
            await using var command = new NpgsqlCommand("INSERT INTO chat.__migrations VALUES ($1, '99.0.0')", database) { Parameters = { new() { Value = name } } };
            await command.ExecuteNonQueryAsync(Cancel);
        }
    }

    [Fact]
    public async Task In_production_it_is_not_ready_before_the_schema_is_there()
    {
        var connection = await Postgres.CreateEmptyDatabaseAsync();
        (string, string) production = ("ASPNETCORE_ENVIRONMENT", "Production");
        (string, string) secret = ("Identity:KeyEncryptionSecret", "of-this-test-and-of-nothing-else-4be1a6");
        await using var host = HostProcess.Launch(On(connection, production, secret));
        using var http = new HttpClient();
        await Eventually.TrueAsync(async () => await StatusAsync(http, host, "/health/live") == 200);
        Assert.Equal(503, await StatusAsync(http, host, "/health/ready"));
        Assert.Equal((1, "Unhealthy"), await AskAsync(host));

        await using var migrate = HostProcess.Launch(On(connection, production, secret), "migrate");
        Assert.Equal(0, await migrate.ExitAsync());

        await Eventually.TrueAsync(async () => await StatusAsync(http, host, "/health/ready") == 200);
        Assert.Equal((0, "Healthy"), await AskAsync(host));

        await host.KillAsync();

        var (exit, said) = await AskAsync(host);
        Assert.Equal(1, exit);
        Assert.StartsWith($"Nothing answers at {host.Management}health/ready", said, StringComparison.Ordinal);
    }

    private static async Task<int> StatusAsync(HttpClient http, HostProcess host, string path)
    {
        try
        {
            using var response = await http.GetAsync(new Uri(host.Management, path), Cancel);
            return (int)response.StatusCode;
        }
        catch (HttpRequestException)
        {
            return 0;
        }
    }
}
