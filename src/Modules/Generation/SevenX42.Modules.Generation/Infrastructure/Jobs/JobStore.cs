using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using NpgsqlTypes;
using SevenX42.Contracts.Generation;
using SevenX42.Messaging;
using SevenX42.Modules.Generation.Domain.Images;
using SevenX42.Modules.Generation.Infrastructure.Work;
using SevenX42.Persistence;

namespace SevenX42.Modules.Generation.Infrastructure.Jobs;

/// <summary>
/// The workers' statements on the job table. Every one is conditional on what the caller believes to hold (status and
/// attempt), every time in it is the database's, and the frequent ones take a whole batch.
/// </summary>
internal sealed class JobStore(
    PostgresDataSources sources, IServiceScopeFactory scopes, WorkerIdentity identity, TimeProvider time)
{
    // Any number, as long as it is always the same: claims wait for each other, so that limits hold over all workers.
    private const long ClaimLock = 0x7842_6765_6e31;

    /// <summary>
    /// Queued jobs in the order of their turn, per provider: what had begun already, then answers before titles, then
    /// whoever has the fewest running, then whoever was not served for longest, then the oldest.
    /// </summary>
    private const string Queue = """
        busy AS (
            SELECT provider, user_id, count(*) AS running FROM generation.jobs WHERE status = 'running' GROUP BY provider, user_id),
        users AS (
            SELECT u.user_id, last.claimed_at AS served
            FROM (SELECT DISTINCT user_id FROM generation.jobs WHERE status = 'queued') u
            LEFT JOIN LATERAL (
                SELECT l.claimed_at FROM generation.jobs l WHERE l.user_id = u.user_id AND l.claimed_at IS NOT NULL
                ORDER BY l.claimed_at DESC LIMIT 1) last ON true),
        turns AS (
            SELECT j.id, u.served, j.provider, j.attempt = 0 AS fresh, j.purpose = 'title' AS minor, j.created_at, j.channel, j.subject,
                j.queue_position, coalesce(b.running, 0) + row_number() OVER (
                    PARTITION BY j.provider, j.user_id ORDER BY j.purpose = 'title', j.created_at, j.id) AS turn
            FROM generation.jobs j JOIN users u ON u.user_id = j.user_id
            LEFT JOIN busy b ON b.provider = j.provider AND b.user_id = j.user_id
            WHERE j.status = 'queued' AND coalesce(j.pictures_not_before, j.not_before) <= clock_timestamp()),
        queue AS (
            SELECT *, row_number() OVER (PARTITION BY provider ORDER BY fresh, minor, turn, served NULLS FIRST, created_at, id) AS place FROM turns)
        """;

    private readonly NpgsqlDataSource _database = sources.For(GenerationModule.Schema);

    /// <summary>
    /// Takes back what dead workers held, then claims the next jobs. One round trip; concurrent claims, by any process,
    /// wait for each other.
    /// </summary>
    /// <param name="workerId">Who claims.</param>
    /// <param name="max">At most this many.</param>
    /// <param name="lease">How long they are the claimant's without a heartbeat.</param>
    /// <param name="limits">Running jobs per provider, over all workers; a provider that is not named has no limit.</param>
    /// <param name="cancellationToken">Cancels the claim.</param>
    public async Task<List<ClaimedJob>> ClaimAsync(
        string workerId, int max, TimeSpan lease, IReadOnlyDictionary<string, int> limits, CancellationToken cancellationToken)
    {
        // Whether a job was cancelled is asked for each that is claimed; EXISTS would read all cancellations into a hash table.
        await using var batch = _database.CreateBatch();
        batch.BatchCommands.Add(new NpgsqlBatchCommand("SELECT pg_advisory_xact_lock($1)")
        {
            Parameters = { new() { Value = ClaimLock } },
        });
        batch.BatchCommands.Add(new NpgsqlBatchCommand("""
            UPDATE generation.jobs SET status = 'queued', crashes = crashes + 1, worker_id = NULL, lease_until = NULL
            WHERE status = 'running' AND lease_until < clock_timestamp()
            """));
        batch.BatchCommands.Add(new NpgsqlBatchCommand($"""
            WITH limits AS (SELECT * FROM unnest($3::text[], $4::int[]) AS l(provider, slots)),
            {Queue},
            taken AS (SELECT provider, sum(running) AS running FROM busy GROUP BY provider),
            chosen AS (
                SELECT q.id FROM queue q
                LEFT JOIN limits l ON l.provider = q.provider LEFT JOIN taken t ON t.provider = q.provider
                WHERE q.place <= coalesce(l.slots, 1000000) - coalesce(t.running, 0)
                ORDER BY q.fresh, q.minor, q.turn, q.served NULLS FIRST, q.created_at, q.id LIMIT $2),
            free AS (
                SELECT id FROM generation.jobs WHERE id IN (SELECT id FROM chosen) AND status = 'queued' FOR UPDATE SKIP LOCKED)
            UPDATE generation.jobs j SET status = 'running', attempt = attempt + 1, worker_id = $1, queue_position = 0,
                lease_until = clock_timestamp() + $5, claimed_at = coalesce(claimed_at, clock_timestamp())
            FROM free WHERE j.id = free.id
            RETURNING j.id, answer_id, conversation_id, user_id, purpose, channel, subject, provider, model, roles, contents, prefix,
                reasoning_prefix, attempt, crashes,
                cancel_requested OR coalesce((SELECT true FROM generation.cancelled_generations c WHERE c.id = j.id), false),
                coalesce(text, prefix), coalesce(reasoning, reasoning_prefix), clock_timestamp() - created_at, image::text, drawn::text, pictures::text
            """)
        {
            Parameters =
            {
                new() { Value = workerId },
                new() { Value = max },
                new() { Value = limits.Keys.ToArray() },
                new() { Value = limits.Values.ToArray() },
                new() { Value = lease },
            },
        });
        var claimed = new List<ClaimedJob>();
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            claimed.Add(new ClaimedJob(
                reader.GetGuid(0), reader.GetGuid(1), reader.GetGuid(2), reader.GetGuid(3), reader.GetString(4), reader.GetString(5),
                reader.GetString(6), reader.GetString(7), reader.GetString(8), reader.GetFieldValue<string[]>(9),
                reader.GetFieldValue<string[]>(10), reader.GetString(11), reader.GetString(12), reader.GetInt32(13), reader.GetInt32(14),
                reader.GetBoolean(15), reader.GetString(16), reader.GetString(17), reader.GetTimeSpan(18),
                reader.IsDBNull(19) ? null : JsonSerializer.Deserialize(reader.GetString(19), ImageJson.Default.ImageOptions),
                Drawn.Read(reader.IsDBNull(20) ? null : reader.GetString(20)),
                reader.IsDBNull(21) ? [] : JsonSerializer.Deserialize<Guid[][]>(reader.GetString(21))!));
        }

        return claimed;
    }

    /// <summary>
    /// Extends leases and stores new text, all at once. What is missing from the result is no longer this worker's.
    /// </summary>
    public async Task<List<Heartbeat>> BeatAsync(
        IReadOnlyList<Checkpoint> jobs, TimeSpan lease, CancellationToken cancellationToken)
    {
        await using var command = _database.CreateCommand("""
            UPDATE generation.jobs j SET lease_until = clock_timestamp() + $5,
                text = coalesce(b.text, j.text), reasoning = coalesce(b.reasoning, j.reasoning), drawn = coalesce(b.drawn::jsonb, j.drawn)
            FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $6::text[]) AS b(id, attempt, text, reasoning, drawn)
            WHERE j.id = b.id AND j.attempt = b.attempt AND j.status = 'running'
            RETURNING j.id, j.attempt, j.cancel_requested
            """);
        command.Parameters.Add(new() { Value = jobs.Select(j => j.Id).ToArray() });
        command.Parameters.Add(new() { Value = jobs.Select(j => j.Attempt).ToArray() });
        command.Parameters.Add(Texts(c => c.Text));
        command.Parameters.Add(Texts(c => c.Reasoning));
        command.Parameters.Add(new() { Value = lease });
        command.Parameters.Add(Texts(c => c.Drawn?.ToJson()));
        var beats = new List<Heartbeat>(jobs.Count);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            beats.Add(new Heartbeat(reader.GetGuid(0), reader.GetInt32(1), reader.GetBoolean(2)));
        return beats;

        NpgsqlParameter Texts(Func<JobContent, string?> find) => new()
        {
            Value = jobs.Select(j => j.Content is { } content ? find(content) : null).ToArray(),
            NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text,
        };
    }

    /// <summary>Whether a job is still that claimant's.</summary>
    public async Task<bool> IsRunningAsync(ClaimedJob job, CancellationToken cancellationToken)
    {
        await using var command = _database.CreateCommand(
            "SELECT EXISTS (SELECT FROM generation.jobs WHERE id = $1 AND attempt = $2 AND status = 'running')");
        command.Parameters.Add(new() { Value = job.Id });
        command.Parameters.Add(new() { Value = job.Attempt });
        return (bool)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    /// <summary>Which of a worker's running jobs are to be stopped.</summary>
    public async Task<List<Guid>> FindCancelledAsync(string workerId, CancellationToken cancellationToken)
    {
        await using var command = _database.CreateCommand(
            "SELECT id FROM generation.jobs WHERE status = 'running' AND worker_id = $1 AND cancel_requested");
        command.Parameters.Add(new() { Value = workerId });
        return await ReadIdsAsync(command, cancellationToken);
    }

    /// <summary>
    /// Ends a job, whose event goes out with the same commit. Safe to repeat when the outcome of a call is unknown.
    /// </summary>
    public async Task<FinishResult> FinishAsync(ClaimedJob job, Outcome outcome, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var context = scope.ServiceProvider.GetRequiredService<GenerationDbContext>();
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        var announced = JobChannels.Of(job.Id, job.Channel, job.IsImage).Count == 0;
        var (text, reasoning, drawn) = outcome.Content;
        var milliseconds = await context.Database.SqlQuery<long>($"""
            UPDATE generation.jobs SET status = {outcome.Status}, text = {text}, reasoning = {reasoning},
                drawn = {drawn?.ToJson()}::jsonb, error_code = {outcome.ErrorCode}, error_message = {outcome.ErrorMessage}, input_tokens = {outcome.InputTokens},
                output_tokens = {outcome.OutputTokens}, finished_at = clock_timestamp(), lease_until = NULL, worker_id = NULL,
                roles = ARRAY[]::text[], contents = ARRAY[]::text[], pictures = NULL, announced = {announced}
            WHERE id = {job.Id} AND attempt = {job.Attempt} AND status = 'running'
            RETURNING (extract(epoch FROM clock_timestamp() - coalesce(claimed_at, created_at)) * 1000)::bigint AS "Value"
            """).ToListAsync(cancellationToken);
        if (milliseconds is not [var duration])
            return await IsFinishedByAsync(context, job, cancellationToken) ? FinishResult.Finished : FinishResult.Lost;
        context.Raise(new GenerationFinished(
            Guid.CreateVersion7(time.GetUtcNow()), job.Id, job.AnswerId, job.ConversationId, job.Purpose, outcome.Status, text,
            reasoning, job.Model, outcome.ErrorCode, outcome.ErrorMessage, outcome.InputTokens, outcome.OutputTokens, duration,
            drawn is null ? null : [.. drawn.Pictures.Select(p => p.AssetId)], drawn is { Pictures: [var first, ..] } ? first.Seed : null));
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return FinishResult.Finished;
    }

    /// <summary>Ends a job that nobody works on, because somebody stopped it.</summary>
    /// <returns>What to announce; <see langword="null"/> when it is not queued.</returns>
    public async Task<Unannounced?> StopQueuedAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var context = scope.ServiceProvider.GetRequiredService<GenerationDbContext>();
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        // That its end names no pictures is remembered: its worker may have stored some and died before it could say so.
        var stopped = await context.Database.ExecuteSqlAsync($"""
            UPDATE generation.jobs SET status = 'stopped', text = coalesce(text, prefix), reasoning = coalesce(reasoning, reasoning_prefix),
                drawn = CASE WHEN image IS NULL THEN drawn ELSE coalesce(drawn, {Drawn.Nothing.ToJson()}::jsonb) END,
                finished_at = clock_timestamp(), roles = ARRAY[]::text[], contents = ARRAY[]::text[], pictures = NULL, announced = channel = '' AND image IS NULL
            WHERE id = {id} AND status = 'queued'
            """, cancellationToken);
        if (stopped == 0)
            return null;
        var job = await context.Jobs.AsNoTracking().SingleAsync(j => j.Id == id, cancellationToken);
        var pictures = job.Image is null ? null : Drawn.Read(job.Drawn).Pictures;
        context.Raise(new GenerationFinished(
            Guid.CreateVersion7(time.GetUtcNow()), job.Id, job.AnswerId, job.ConversationId, job.Purpose, job.Status, job.Text ?? "",
            job.Reasoning ?? "", job.Model, "", "", 0, 0, 0, pictures?.Select(p => p.AssetId).ToList(), pictures is [var first, ..] ? first.Seed : null));
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return new Unannounced(job.Id, job.Channel, job.Subject, job.Status, job.Text ?? "", job.Reasoning ?? "", "", "", job.Image is not null);
    }

    /// <summary>Gives a job back with what it has, so that the next claimant goes on at once.</summary>
    /// <param name="job">The job.</param>
    /// <param name="content">What it has come to.</param>
    /// <param name="crashed">Whether this counts as an attempt that died; the next claim then waits a moment.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    public async Task<bool> ReleaseAsync(ClaimedJob job, JobContent content, bool crashed, CancellationToken cancellationToken)
    {
        await using var command = _database.CreateCommand($"""
            WITH released AS (
                UPDATE generation.jobs SET status = 'queued', worker_id = NULL, lease_until = NULL, text = $3, reasoning = $4, drawn = $7::jsonb,
                    crashes = crashes + $5,
                    not_before = CASE WHEN pictures_not_before IS NULL THEN clock_timestamp() + $5 * crashes * interval '2 seconds' ELSE not_before END,
                    pictures_not_before = CASE WHEN pictures_not_before IS NOT NULL THEN clock_timestamp() + $5 * crashes * interval '2 seconds' END
                WHERE id = $1 AND attempt = $2 AND status = 'running' RETURNING id)
            SELECT pg_notify('{JobNotifications.Channel}', $6) FROM released
            """);
        command.Parameters.Add(new() { Value = job.Id });
        command.Parameters.Add(new() { Value = job.Attempt });
        command.Parameters.Add(new() { Value = content.Text });
        command.Parameters.Add(new() { Value = content.Reasoning });
        command.Parameters.Add(new() { Value = crashed ? 1 : 0 });
        command.Parameters.Add(new() { Value = JobNotifications.WorkPayload(identity) });
        command.Parameters.Add(new() { Value = (object?)content.Drawn?.ToJson() ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken);
    }

    /// <summary>Forgets everything of a user, whoever works on it. To repeat it is harmless.</summary>
    /// <returns>Those of it that run; other workers are told.</returns>
    public Task<List<Guid>> ForgetUserAsync(Guid userId, CancellationToken cancellationToken) =>
        ForgetAsync("user_id", userId, cancellationToken);

    /// <summary>The same with everything of a conversation.</summary>
    public Task<List<Guid>> ForgetConversationAsync(Guid conversationId, CancellationToken cancellationToken) =>
        ForgetAsync("conversation_id", conversationId, cancellationToken);

    /// <summary>Frees what an earlier life of this worker left running.</summary>
    public async Task<int> ReleaseEarlierLifeAsync(string workerId, CancellationToken cancellationToken)
    {
        await using var command = _database.CreateCommand("""
            UPDATE generation.jobs SET status = 'queued', crashes = crashes + 1, worker_id = NULL, lease_until = NULL
            WHERE status = 'running' AND worker_id = $1
            """);
        command.Parameters.Add(new() { Value = workerId });
        return await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Stores the places of queued jobs that have moved, and returns those; by one process, once each.</summary>
    public async Task<List<QueuePlace>> MoveQueueAsync(CancellationToken cancellationToken)
    {
        await using var command = _database.CreateCommand($"""
            WITH {Queue},
            moved AS (
                SELECT j.id, q.place - 1 AS place FROM queue q JOIN generation.jobs j ON j.id = q.id
                WHERE j.status = 'queued' AND j.queue_position <> q.place - 1 FOR UPDATE OF j SKIP LOCKED)
            UPDATE generation.jobs j SET queue_position = moved.place FROM moved WHERE j.id = moved.id
            RETURNING j.id, j.channel, j.subject, j.queue_position, j.image IS NOT NULL
            """);
        var places = new List<QueuePlace>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            places.Add(new QueuePlace(reader.GetGuid(0), reader.GetString(1), reader.GetString(2), reader.GetInt32(3), reader.GetBoolean(4)));
        return places;
    }

    /// <summary>The channel's log has the end.</summary>
    public async Task MarkAnnouncedAsync(IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken)
    {
        await using var command = _database.CreateCommand("UPDATE generation.jobs SET announced = true WHERE id = ANY($1)");
        command.Parameters.Add(new() { Value = ids.ToArray() });
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Jobs that finished a while ago and whose process died before the channel had the end.</summary>
    public async Task<List<Unannounced>> FindUnannouncedAsync(TimeSpan age, int max, CancellationToken cancellationToken)
    {
        await using var command = _database.CreateCommand("""
            SELECT id, channel, subject, status, coalesce(text, ''), coalesce(reasoning, ''), error_code, error_message, image IS NOT NULL
            FROM generation.jobs WHERE finished_at < now() - $1 AND NOT announced ORDER BY finished_at LIMIT $2
            """);
        command.Parameters.Add(new() { Value = age });
        command.Parameters.Add(new() { Value = max });
        var found = new List<Unannounced>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            found.Add(new Unannounced(
                reader.GetGuid(0), reader.GetString(1), reader.GetString(2), reader.GetString(3), reader.GetString(4),
                reader.GetString(5), reader.GetString(6), reader.GetString(7), reader.GetBoolean(8)));
        }

        return found;
    }

    /// <summary>Clears texts, but not which pictures were drawn, and forgets jobs, cancellations and deletions, that nobody needs any more: the oldest first.</summary>
    /// <param name="textRetention">How long the text of a finished job is kept.</param>
    /// <param name="jobRetention">How long the job is.</param>
    /// <param name="max">At most this many of each.</param>
    /// <param name="cancellationToken">Cancels the statements.</param>
    /// <returns>Rows touched; as many as <paramref name="max"/> or more when there may be more.</returns>
    // By now(), which an index can be searched by, and not by clock_timestamp(), which may be another one for each row; and by the
    // rows' places, because a batch of ids may be worth reading the whole table to the planner.
    public async Task<int> SweepAsync(TimeSpan textRetention, TimeSpan jobRetention, int max, CancellationToken cancellationToken)
    {
        await using var batch = _database.CreateBatch();
        batch.BatchCommands.Add(new NpgsqlBatchCommand("""
            UPDATE generation.jobs SET text = NULL, reasoning = NULL, prefix = '', reasoning_prefix = '',
                image = CASE WHEN image IS NULL THEN NULL ELSE '{}'::jsonb END
            WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM generation.jobs WHERE finished_at < now() - $1 AND text IS NOT NULL
                ORDER BY finished_at LIMIT $2 FOR UPDATE SKIP LOCKED))
            """)
        {
            Parameters = { new() { Value = textRetention }, new() { Value = max } },
        });
        batch.BatchCommands.Add(new NpgsqlBatchCommand("""
            DELETE FROM generation.jobs WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM generation.jobs WHERE finished_at < now() - $1 AND announced AND text IS NULL
                ORDER BY finished_at LIMIT $2 FOR UPDATE SKIP LOCKED))
            """)
        {
            Parameters = { new() { Value = jobRetention }, new() { Value = max } },
        });
        batch.BatchCommands.Add(new NpgsqlBatchCommand("""
            DELETE FROM generation.cancelled_generations WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM generation.cancelled_generations WHERE cancelled_at < now() - interval '1 day'
                ORDER BY cancelled_at LIMIT $1 FOR UPDATE SKIP LOCKED))
            """)
        {
            Parameters = { new() { Value = max } },
        });
        batch.BatchCommands.Add(new NpgsqlBatchCommand("""
            DELETE FROM generation.deleted_conversations WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM generation.deleted_conversations WHERE deleted_at < now() - interval '7 days'
                ORDER BY deleted_at LIMIT $1 FOR UPDATE SKIP LOCKED))
            """)
        {
            Parameters = { new() { Value = max } },
        });
        batch.BatchCommands.Add(new NpgsqlBatchCommand("""
            DELETE FROM generation.previews p USING generation.jobs j WHERE j.id = p.job_id AND j.finished_at < now() - interval '1 minute'
            """));
        return await batch.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>How many jobs are queued and running, over all workers.</summary>
    public async Task<(long Queued, long Running)> CountAsync(CancellationToken cancellationToken)
    {
        await using var command = _database.CreateCommand("""
            SELECT (SELECT count(*) FROM generation.jobs WHERE status = 'queued'), (SELECT count(*) FROM generation.jobs WHERE status = 'running')
            """);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return (reader.GetInt64(0), reader.GetInt64(1));
    }

    private async Task<List<Guid>> ForgetAsync(string column, Guid id, CancellationToken cancellationToken)
    {
        await using var command = _database.CreateCommand($"""
            WITH deleted AS (DELETE FROM generation.jobs WHERE {column} = $1 RETURNING id, status)
            SELECT id, pg_notify('{JobNotifications.Channel}', $2 || ' cancel ' || id) FROM deleted WHERE status = 'running'
            """);
        command.Parameters.Add(new() { Value = id });
        command.Parameters.Add(new() { Value = identity.Origin });
        return await ReadIdsAsync(command, cancellationToken);
    }

    // A commit whose answer was lost: the job is final, and nobody but this attempt can have made it so.
    private static Task<bool> IsFinishedByAsync(GenerationDbContext context, ClaimedJob job, CancellationToken cancellationToken) =>
        context.Jobs.AnyAsync(j => j.Id == job.Id && j.Attempt == job.Attempt && j.FinishedAt != null, cancellationToken);

    private static async Task<List<Guid>> ReadIdsAsync(NpgsqlCommand command, CancellationToken cancellationToken)
    {
        var ids = new List<Guid>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            ids.Add(reader.GetGuid(0));
        return ids;
    }
}
