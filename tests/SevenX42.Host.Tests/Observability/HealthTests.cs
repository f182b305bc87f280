using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Npgsql;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Observability;

/// <summary>What orchestrators and proxies are told.</summary>
public sealed class HealthTests(PostgresServer postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_process_whose_database_is_away_is_alive_and_not_ready_and_is_ready_again_unaided()
    {
        var isAway = false;
        var database = new NpgsqlConnectionStringBuilder(await postgres.CreateDatabaseAsync());
        var address = AddressOf(database);
        await using var proxy = TcpProxy.Start(() => isAway ? null : address);
        (database.Host, database.Port, database.SslMode) = ("127.0.0.1", proxy.Port, SslMode.Disable);
        var management = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{HostProcess.FreePort()}"));
        await using var app = await AppHost.StartAsync(database.ConnectionString, [new("Management:Url", management.ToString())]);
        using var http = new HttpClient { BaseAddress = management };
        Assert.Equal((HttpStatusCode.OK, "Healthy"), await AskAsync("ready"));

        // Its connections are lost, and nobody answers new ones.
        isAway = true;
        proxy.Cut(() => true);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "Unhealthy"), await AskAsync("ready"));
        Assert.Equal((HttpStatusCode.OK, "Healthy"), await AskAsync("live"));

        isAway = false;
        await Eventually.TrueAsync(async () => await AskAsync("ready") == (HttpStatusCode.OK, "Healthy"));

        // Its connections are there, and nothing comes on them.
        proxy.Deaden(() => true);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "Unhealthy"), await AskAsync("ready"));
        Assert.Equal((HttpStatusCode.OK, "Healthy"), await AskAsync("live"));
        proxy.Cut(() => true);
        await Eventually.TrueAsync(async () => await AskAsync("ready") == (HttpStatusCode.OK, "Healthy"));

        async Task<(HttpStatusCode Status, string Text)> AskAsync(string what)
        {
            using var response = await http.GetAsync(new Uri($"/health/{what}", UriKind.Relative), Cancel);
            return (response.StatusCode, await response.Content.ReadAsStringAsync(Cancel));
        }
    }

    [Fact]
    public async Task Whether_the_schema_is_there_is_asked_until_it_is_and_not_at_every_probe()
    {
        var database = await postgres.CreateDatabaseAsync();
        await using var app = await AppHost.StartAsync(database);
        using var http = app.CreateClient();
        Assert.Equal("Healthy", await http.GetStringAsync(new Uri("/health/ready", UriKind.Relative), Cancel));

        // Nobody looks any more.
        await using var connection = new NpgsqlConnection(database);
        await connection.OpenAsync(Cancel);
        await using (var command = new NpgsqlCommand("DELETE FROM chat.__migrations", connection))
            Assert.NotEqual(0, await command.ExecuteNonQueryAsync(Cancel));

        Assert.Equal("Healthy", await http.GetStringAsync(new Uri("/health/ready", UriKind.Relative), Cancel));
    }

    private static EndPoint AddressOf(NpgsqlConnectionStringBuilder database) => Path.IsPathRooted(database.Host)
        ? new UnixDomainSocketEndPoint(Path.Combine(database.Host, string.Create(CultureInfo.InvariantCulture, $".s.PGSQL.{database.Port}")))
        : new DnsEndPoint(database.Host!, database.Port);
}
