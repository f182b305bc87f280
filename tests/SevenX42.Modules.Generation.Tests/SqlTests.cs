using Npgsql;
using SevenX42.Contracts.Generation;
using SevenX42.Testing;

namespace SevenX42.Modules.Generation.Tests;

/// <summary>What workers ask of the database day and night, on tables that have been in use for years: no table is read from end to end.</summary>
public sealed class SqlTests(PostgresServer postgres)
{
    private const int Rows = 60_000;

    private static readonly string[] Tables = ["jobs", "cancelled_generations", "deleted_users", "deleted_conversations", "inbox", "outbox"];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Nothing_that_a_worker_does_reads_a_table_from_end_to_end()
    {
        var database = await postgres.CreateDatabaseAsync();
        await using (await GenerationHost.StartAsync(database))
        {
        }

        await FillAsync(database);
        await using (var host = await GenerationHost.StartAsync(database))
        {
            // Claimed, streamed, checkpointed, finished, announced; another one cancelled in the queue; one asked about.
            var answered = await host.DeliverAsync(GenerationHost.Request("long"));
            var cancelled = GenerationHost.Request();
            await host.Api.CancelAsync(cancelled.GenerationId, Cancelled);
            await host.DeliverAsync(cancelled);
            Assert.Single(await host.Api.GetCheckpointsAsync([answered.GenerationId], Cancelled));
            Assert.Equal(GenerationStatus.Completed, (await host.FinishAsync(answered)).Status);
            Assert.Equal(GenerationStatus.Stopped, (await host.FinishAsync(cancelled)).Status);
            await host.UntilJobAsync(answered.GenerationId, j => j.Announced, "its end is announced");

            // The sweeper has been everywhere: at an end that nobody announced, a text and a job whose time is over, old marks.
            await UntilAsync(database, "SELECT count(*) FROM generation.jobs WHERE id IN (md5('j3000')::uuid, md5('j6000')::uuid) AND announced AND text IS NULL", 2);
            await UntilAsync(database, "SELECT count(*) FROM generation.jobs WHERE id IN (md5('j52000')::uuid, md5('j54000')::uuid, md5('j60000')::uuid)", 0);
            await UntilAsync(database, "SELECT count(*) FROM generation.cancelled_generations WHERE id IN (md5('g200')::uuid, md5('g60000')::uuid)", 0);
            await UntilAsync(database, "SELECT count(*) FROM generation.deleted_conversations WHERE id IN (md5('d200')::uuid, md5('d60000')::uuid)", 0);
            await UntilAsync(database, "SELECT count(*) FROM generation.inbox WHERE event_id IN (md5('e200')::uuid, md5('e60000')::uuid)", 0);
        }

        await AloneAsync(database);
        var read = await RowsAsync(database, "SELECT relname, seq_scan, idx_scan FROM pg_stat_user_tables WHERE schemaname = 'generation'");
        Assert.Superset(Tables.ToHashSet(), read.Select(r => (string)r[0]).ToHashSet());
        Assert.All(Tables, table => Assert.True((long)read.Single(r => (string)r[0] == table)[2] > 0, $"Nothing was read of {table}."));
        Assert.Equal("", string.Join(", ", read.Where(r => Tables.Contains((string)r[0]) && (long)r[1] > 0).Select(r => $"{r[0]}: {r[1]} times")));
    }

    /// <summary>Years of use: most of it is done with, a little of everything is still to be swept.</summary>
    private static async Task FillAsync(string database)
    {
        await ExecuteAsync(database, $"""
            INSERT INTO generation.jobs (id, answer_id, conversation_id, user_id, purpose, channel, subject, provider, model, roles, contents, prefix, status, attempt,
                crashes, cancel_requested, queue_position, text, error_code, error_message, input_tokens, output_tokens, created_at, claimed_at, finished_at, announced)
            SELECT md5('j' || n)::uuid, gen_random_uuid(), md5('c' || n % 5000)::uuid, md5('u' || n % 2000)::uuid, 'answer', 'conversation/' || n, '2', 'demo', 'demo/demo',
                ARRAY[]::text[], ARRAY[]::text[], '', 'completed', 1, 0, false, 0, CASE WHEN n % 3000 = 0 THEN 'A text' END, '', '', 0, 0, t.at, t.at, t.at, n % 6000 <> 0
            FROM generate_series(1, {Rows}) n, LATERAL (SELECT now() - interval '3 hours' - n * interval '50 seconds' AS at) t;
            INSERT INTO generation.cancelled_generations (id, cancelled_at)
            SELECT md5('g' || n)::uuid, now() - CASE WHEN n % 200 = 0 THEN interval '3 days' ELSE interval '1 hour' END FROM generate_series(1, {Rows}) n;
            INSERT INTO generation.deleted_users (id) SELECT gen_random_uuid() FROM generate_series(1, {Rows}) n;
            INSERT INTO generation.deleted_conversations (id, deleted_at)
            SELECT md5('d' || n)::uuid, now() - CASE WHEN n % 200 = 0 THEN interval '9 days' ELSE interval '1 day' END FROM generate_series(1, {Rows}) n;
            INSERT INTO generation.inbox (event_id, handler, handled_at)
            SELECT md5('e' || n)::uuid, 'AnswerRequestedHandler', now() - CASE WHEN n % 200 = 0 THEN interval '9 days' ELSE interval '1 day' END FROM generate_series(1, {Rows}) n;
            INSERT INTO generation.outbox (id, name, payload, attempts, next_attempt_at, dead_lettered_at)
            SELECT gen_random_uuid(), 'generation.finished.v1', '', 10, now(), now() FROM generate_series(1, {Rows}) n;
            ANALYZE generation.jobs, generation.cancelled_generations, generation.deleted_users, generation.deleted_conversations, generation.inbox,
                generation.outbox
            """);
        await AloneAsync(database);
        await ExecuteAsync(database, "SELECT pg_stat_reset()");
    }

    // A connection's statistics are complete once it is closed.
    private static async Task AloneAsync(string database)
    {
        NpgsqlConnection.ClearAllPools();
        await UntilAsync(database, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()", 0);
    }

    private static Task UntilAsync(string database, string count, long expected) => Eventually.TrueAsync(
        async () =>
        {
            var rows = await RowsAsync(database, count);
            return (long)rows.Single()[0] == expected;
        },
        TimeSpan.FromSeconds(60),
        count);

    private static async Task ExecuteAsync(string database, string sql) => await RowsAsync(database, sql);

    private static async Task<List<object[]>> RowsAsync(string database, string sql)
    {
        // Unpooled, so that nothing of the test's own is left over. It asks by primary key, which is no reading from end to end.
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(database) { Pooling = false, CommandTimeout = 120 }.ConnectionString);
        await connection.OpenAsync(Cancelled);
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync(Cancelled);
        var rows = new List<object[]>();
        while (await reader.ReadAsync(Cancelled))
        {
            var values = new object[reader.FieldCount];
            reader.GetValues(values);
            rows.Add(values);
        }

        return rows;
    }
}
