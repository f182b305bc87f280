using Microsoft.EntityFrameworkCore;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Infrastructure;
using SevenX42.Modules.Generation.Infrastructure.Jobs;
using SevenX42.Modules.Generation.Infrastructure.Work;
using SevenX42.Realtime;

namespace SevenX42.Modules.Generation.Integration;

/// <summary>Queues jobs: what requests for text and for pictures have in common. One job per generation id, however often it is asked for.</summary>
internal sealed class JobIntake(
    GenerationDbContext context,
    JobStore jobs,
    IChannelLog log,
    Announcements announcements,
    QueueAnnouncer queue,
    RunningGenerations running,
    WorkSignal work,
    WorkerIdentity identity)
{
    private bool _inserted;
    private int _before;

    /// <summary>Stores the job, within the transaction that there is.</summary>
    public async Task StoreAsync(GenerationJob job, CancellationToken cancellationToken)
    {
        var hasPictures = job.Image is not null || job.Pictures is not null;
        var before = await context.Database.SqlQuery<int>($"""
            WITH inserted AS (
                INSERT INTO generation.jobs (id, answer_id, conversation_id, user_id, purpose, channel, subject, provider, model, roles,
                    contents, prefix, reasoning_prefix, image, pictures, not_before, pictures_not_before, status, attempt, crashes, cancel_requested,
                    queue_position, error_code, error_message, input_tokens, output_tokens, announced)
                SELECT {job.Id}, {job.AnswerId}, {job.ConversationId}, {job.UserId}, {job.Purpose}, {job.Channel}, {job.Subject}, {job.Provider},
                    {job.Model}, {job.Roles}, {job.Contents}, {job.Prefix}, {job.ReasoningPrefix}, {job.Image}::jsonb,
                    {job.Pictures}::jsonb, CASE WHEN {hasPictures} THEN 'infinity' ELSE now() END, CASE WHEN {hasPictures} THEN now() END,
                    'queued', 0, 0, false, 0, '', '', 0, 0, false
                WHERE NOT EXISTS (SELECT FROM generation.deleted_users WHERE id = {job.UserId})
                    AND NOT EXISTS (SELECT FROM generation.deleted_conversations WHERE id = {job.ConversationId})
                ON CONFLICT DO NOTHING RETURNING id)
            SELECT (SELECT count(*) FROM generation.jobs WHERE status = 'queued' AND provider = {job.Provider})::int AS "Value",
                pg_notify({JobNotifications.Channel}, {JobNotifications.WorkPayload(identity)})
            FROM inserted
            """).ToListAsync(cancellationToken);
        _inserted = before.Count == 1;
        _before = before.FirstOrDefault();
    }

    /// <summary>Wakes the workers and tells the channels, once the job is committed.</summary>
    public async Task AnnounceAsync(GenerationJob job, CancellationToken cancellationToken)
    {
        work.Set();
        queue.Moved();

        // Refused once an attempt has begun, which may be now.
        foreach (var channel in _inserted ? JobChannels.Of(job.Id, job.Channel, job.Image is not null) : [])
            await log.AppendAsync(channel, [Transcript.QueuedEvent(job.Subject, job.Id, _before)], new Fence(job.Id.ToString(), 0), cancellationToken);

        // Deleted while the job was being stored: see UserDeletedHandler and ConversationDeletedHandler.
        var forgotten = await context.DeletedUsers.AnyAsync(u => u.Id == job.UserId, cancellationToken)
            ? await jobs.ForgetUserAsync(job.UserId, cancellationToken)
            : await context.DeletedConversations.AnyAsync(c => c.Id == job.ConversationId, cancellationToken)
                ? await jobs.ForgetConversationAsync(job.ConversationId, cancellationToken)
                : null;
        if (forgotten is not null)
        {
            forgotten.ForEach(id => running.Stop(id, StopReason.LeaseLost));
            return;
        }

        // Cancelled before the job was there: see CancelGeneration.
        if (await context.Cancelled.AnyAsync(c => c.Id == job.Id, cancellationToken)
            && await jobs.StopQueuedAsync(job.Id, cancellationToken) is { } stopped)
        {
            await announcements.AnnounceAsync(stopped, cancellationToken);
        }
    }
}
