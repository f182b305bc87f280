using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using SevenX42.Contracts.Chat;
using SevenX42.Contracts.Identity;
using SevenX42.Modules.Generation.Integration;
using SevenX42.Testing;

namespace SevenX42.Modules.Generation.Tests;

/// <summary>Nothing of a user outlives the account, in whatever order the news of both arrives, and nothing at all is kept for ever.</summary>
public sealed class DeletionTests(PostgresServer postgres) : IAsyncLifetime
{
    // Held by a test, waited for by the trigger that keeps a request's transaction open.
    private const long Gate = 4711;

    private GenerationHost _host = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _host = await GenerationHost.StartAsync(await postgres.CreateDatabaseAsync());

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task What_a_user_asked_for_before_is_forgotten_and_what_others_did_is_kept()
    {
        var mine = await _host.DeliverAsync(GenerationHost.Request());
        var theirs = await _host.DeliverAsync(GenerationHost.Request());
        await _host.FinishAsync(mine);
        await DeleteAsync(mine.UserId);
        Assert.Null(await _host.FindJobAsync(mine.GenerationId));
        Assert.NotNull(await _host.FindJobAsync(theirs.GenerationId));
    }

    [Fact]
    public async Task What_arrives_after_its_user_was_deleted_is_never_begun()
    {
        var late = GenerationHost.Request();
        await DeleteAsync(late.UserId);
        await _host.DeliverAsync(late);
        Assert.Equal(0, await CountAsync(late.UserId));

        // Whoever comes after it is answered, and it is not.
        await _host.FinishAsync(await _host.DeliverAsync(GenerationHost.Request()));
        Assert.DoesNotContain(_host.Finished, f => f.GenerationId == late.GenerationId);
    }

    [Fact]
    public async Task What_is_being_stored_while_its_user_is_deleted_does_not_outlast_it()
    {
        await ExecuteAsync($"""
            CREATE FUNCTION generation.wait() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN PERFORM pg_advisory_xact_lock_shared({Gate}); RETURN NULL; END $$;
            CREATE TRIGGER waits AFTER INSERT ON generation.jobs FOR EACH ROW EXECUTE FUNCTION generation.wait()
            """);
        await using var gate = new NpgsqlConnection(_host.ConnectionString);
        await gate.OpenAsync(Cancelled);
        await using var shut = new NpgsqlCommand($"SELECT pg_advisory_lock({Gate})", gate);
        await shut.ExecuteNonQueryAsync(Cancelled);

        var request = GenerationHost.Request();
        var delivery = _host.DeliverAsync(request);
        await Eventually.TrueAsync(async () =>
            (long)(await ScalarAsync("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = " + Gate))! == 1);
        await DeleteAsync(request.UserId);
        await using var open = new NpgsqlCommand($"SELECT pg_advisory_unlock({Gate})", gate);
        await open.ExecuteNonQueryAsync(Cancelled);
        await delivery;

        Assert.Equal(0, await CountAsync(request.UserId));
    }

    [Fact]
    public async Task A_finished_generation_is_forgotten_after_its_time_and_not_before()
    {
        var old = await _host.DeliverAsync(GenerationHost.Request());
        var recent = await _host.DeliverAsync(GenerationHost.Request());
        var unannounced = await _host.DeliverAsync(GenerationHost.Request());
        foreach (var request in (AnswerRequested[])[old, recent, unannounced])
            await _host.UntilJobAsync(request.GenerationId, j => j.Announced, "its end is announced");
        await _host.StopAsync();
        await ExecuteAsync("UPDATE generation.jobs SET finished_at = now() - interval '31 days' WHERE id = $1", old.GenerationId);
        await ExecuteAsync("UPDATE generation.jobs SET finished_at = now() - interval '29 days' WHERE id = $1", recent.GenerationId);

        await using var again = await GenerationHost.StartAsync(_host.ConnectionString);

        await Eventually.TrueAsync(async () => await again.FindJobAsync(old.GenerationId) is null);
        var kept = await again.UntilJobAsync(recent.GenerationId, j => j.Text is null, "its text is cleared");
        Assert.Equal("completed", kept.Status);
        Assert.NotNull(await again.FindJobAsync(unannounced.GenerationId));
    }

    private async Task DeleteAsync(Guid userId)
    {
        await using var scope = _host.Services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<UserDeletedHandler>().HandleAsync(new UserDeleted(GenerationHost.NewId(), userId), Cancelled);
    }

    private async Task<long> CountAsync(Guid userId) => (long)(await ScalarAsync("SELECT count(*) FROM generation.jobs WHERE user_id = $1", userId))!;

    private async Task ExecuteAsync(string sql, params object[] parameters) => await ScalarAsync(sql, parameters);

    private async Task<object?> ScalarAsync(string sql, params object[] parameters)
    {
        await using var source = NpgsqlDataSource.Create(_host.ConnectionString);
        await using var command = source.CreateCommand(sql);
        foreach (var parameter in parameters)
            command.Parameters.Add(new NpgsqlParameter { Value = parameter });
        return await command.ExecuteScalarAsync(Cancelled);
    }
}
