using Microsoft.EntityFrameworkCore;
using SevenX42.Contracts.Chat;
using SevenX42.Messaging;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Infrastructure;
using SevenX42.Modules.Generation.Infrastructure.Jobs;
using SevenX42.Modules.Generation.Infrastructure.Work;
using SevenX42.Realtime;

namespace SevenX42.Modules.Generation.Integration;

/// <summary>An answer is wanted: one job per generation id, however often this comes, and the workers are woken.</summary>
internal sealed class AnswerRequestedHandler(
    GenerationDbContext context,
    JobStore jobs,
    IChannelLog log,
    Announcements announcements,
    QueueAnnouncer queue,
    RunningGenerations running,
    WorkSignal work,
    WorkerIdentity identity) : InboxHandler<AnswerRequested, GenerationDbContext>(context)
{
    private bool _inserted;
    private int _before;

    protected override async Task HandleOnceAsync(AnswerRequested integrationEvent, CancellationToken cancellationToken)
    {
        var e = integrationEvent;
        var provider = ModelId.Parse(e.Model).Provider;

        // PostgreSQL can't hold every text that JSON can.
        string[] contents = [.. e.Contents.Select(StreamedText.Clean)];
        string[] roles = [.. e.Roles];
        var (prefix, reasoningPrefix) = (StreamedText.Clean(e.Prefix), StreamedText.Clean(e.ReasoningPrefix));
        var before = await Context.Database.SqlQuery<int>($"""
            WITH inserted AS (
                INSERT INTO generation.jobs (id, answer_id, conversation_id, user_id, purpose, channel, subject, provider, model, roles,
                    contents, prefix, reasoning_prefix, status, attempt, crashes, cancel_requested, queue_position, error_code, error_message,
                    input_tokens, output_tokens, announced)
                SELECT {e.GenerationId}, {e.AnswerId}, {e.ConversationId}, {e.UserId}, {e.Purpose}, {e.Channel}, {e.Subject}, {provider},
                    {e.Model}, {roles}, {contents}, {prefix}, {reasoningPrefix}, 'queued', 0, 0, false, 0, '', '', 0, 0, false
                WHERE NOT EXISTS (SELECT FROM generation.deleted_users WHERE id = {e.UserId})
                    AND NOT EXISTS (SELECT FROM generation.deleted_conversations WHERE id = {e.ConversationId})
                ON CONFLICT DO NOTHING RETURNING id)
            SELECT (SELECT count(*) FROM generation.jobs WHERE status = 'queued' AND provider = {provider})::int AS "Value",
                pg_notify({JobNotifications.Channel}, {JobNotifications.WorkPayload(identity)})
            FROM inserted
            """).ToListAsync(cancellationToken);
        _inserted = before.Count == 1;
        _before = before.FirstOrDefault();
    }

    protected override async Task AfterCommitAsync(AnswerRequested integrationEvent, CancellationToken cancellationToken)
    {
        var e = integrationEvent;
        work.Set();
        queue.Moved();

        // Refused once an attempt has begun, which may be now.
        if (_inserted && e.Channel.Length > 0)
        {
            await log.AppendAsync(
                e.Channel, [Transcript.QueuedEvent(e.Subject, e.GenerationId, _before)], new Fence(e.GenerationId.ToString(), 0), cancellationToken);
        }

        // Deleted while the job was being stored: see UserDeletedHandler and ConversationDeletedHandler.
        var forgotten = await Context.DeletedUsers.AnyAsync(u => u.Id == e.UserId, cancellationToken)
            ? await jobs.ForgetUserAsync(e.UserId, cancellationToken)
            : await Context.DeletedConversations.AnyAsync(c => c.Id == e.ConversationId, cancellationToken)
                ? await jobs.ForgetConversationAsync(e.ConversationId, cancellationToken)
                : null;
        if (forgotten is not null)
        {
            forgotten.ForEach(id => running.Stop(id, StopReason.LeaseLost));
            return;
        }

        // Cancelled before the job was there: see CancelGeneration.
        if (await Context.Cancelled.AnyAsync(c => c.Id == e.GenerationId, cancellationToken)
            && await jobs.StopQueuedAsync(e.GenerationId, cancellationToken) is { } stopped)
        {
            await announcements.AnnounceAsync(stopped, cancellationToken);
        }
    }
}
