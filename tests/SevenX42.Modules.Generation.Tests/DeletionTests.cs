using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using SevenX42.Contracts.Chat;
using SevenX42.Contracts.Identity;
using SevenX42.Modules.Generation.Infrastructure.Jobs;
using SevenX42.Modules.Generation.Integration;
using SevenX42.Testing;

namespace SevenX42.Modules.Generation.Tests;

/// <summary>Nothing of a user or a conversation outlives it, in whatever order the news of both arrives, and nothing at all is kept for ever.</summary>
public sealed class DeletionTests(PostgresServer postgres) : IAsyncLifetime
{
    // Held by a test, waited for by the trigger that keeps a request's transaction open.
    private const long Gate = 4711;

    private GenerationHost _host = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _host = await GenerationHost.StartAsync(await postgres.CreateDatabaseAsync());

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_was_asked_for_before_is_forgotten_and_what_others_did_is_kept(bool user)
    {
        var mine = await _host.DeliverAsync(GenerationHost.Request());
        var theirs = await _host.DeliverAsync(GenerationHost.Request());
        await _host.FinishAsync(mine);
        await DeleteAsync(mine, user);
        Assert.Null(await _host.FindJobAsync(mine.GenerationId));
        Assert.NotNull(await _host.FindJobAsync(theirs.GenerationId));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_arrives_after_its_user_or_conversation_was_deleted_is_never_begun(bool user)
    {
        var late = GenerationHost.Request();
        await DeleteAsync(late, user);
        await _host.DeliverAsync(late);
        Assert.Null(await _host.FindJobAsync(late.GenerationId));

        // Whoever comes after it is answered, and it is not.
        await _host.FinishAsync(await _host.DeliverAsync(GenerationHost.Request()));
        Assert.DoesNotContain(_host.Finished, f => f.GenerationId == late.GenerationId);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_is_being_stored_while_its_user_or_conversation_is_deleted_does_not_outlast_it(bool user)
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
        await DeleteAsync(request, user);
        await using var open = new NpgsqlCommand($"SELECT pg_advisory_unlock({Gate})", gate);
        await open.ExecuteNonQueryAsync(Cancelled);
        await delivery;

        Assert.Null(await _host.FindJobAsync(request.GenerationId));
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

    [Fact]
    public async Task That_a_conversation_was_deleted_is_remembered_longer_than_its_last_request_may_be_on_its_way()
    {
        var (old, recent) = (GenerationHost.Request(), GenerationHost.Request());
        await DeleteAsync(old, user: false);
        await DeleteAsync(recent, user: false);
        await _host.StopAsync();
        await ExecuteAsync("UPDATE generation.deleted_conversations SET deleted_at = now() - interval '7 days 1 minute' WHERE id = $1", old.ConversationId);
        await ExecuteAsync("UPDATE generation.deleted_conversations SET deleted_at = now() - interval '6 days 23 hours' WHERE id = $1", recent.ConversationId);

        Assert.Equal(1, await _host.Services.GetRequiredService<JobStore>().SweepAsync(TimeSpan.FromHours(1), TimeSpan.FromDays(30), 100, Cancelled));

        Assert.Equal(recent.ConversationId, await ScalarAsync("SELECT id FROM generation.deleted_conversations"));
    }

    private async Task DeleteAsync(AnswerRequested request, bool user)
    {
        await using var scope = _host.Services.CreateAsyncScope();
        await (user
            ? scope.ServiceProvider.GetRequiredService<UserDeletedHandler>().HandleAsync(new UserDeleted(GenerationHost.NewId(), request.UserId), Cancelled)
            : scope.ServiceProvider.GetRequiredService<ConversationDeletedHandler>()
                .HandleAsync(new ConversationDeleted(GenerationHost.NewId(), request.ConversationId, request.UserId), Cancelled));
    }

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
