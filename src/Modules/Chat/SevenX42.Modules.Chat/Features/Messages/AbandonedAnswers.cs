using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using SevenX42.Contracts.Generation;
using SevenX42.Messaging;
using SevenX42.Modules.Chat.Domain;
using SevenX42.Modules.Chat.Features.Conversations;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Features.Messages;

/// <summary>
/// Ends answers of which nobody will hear any more: the request, or the news of the end, failed so often that its delivery was
/// given up. Whatever happens, an answer has an end, and the person can try again.
/// </summary>
internal sealed partial class AbandonedAnswers(
    IServiceScopeFactory scopes, IGenerationApi generation, TimeProvider time, ILogger<AbandonedAnswers> logger) : BackgroundService
{
    /// <summary>Longer than deliveries are tried.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromDays(1);

    private const int BatchSize = 100;
    private static readonly TimeSpan Interval = TimeSpan.FromHours(1);

    /// <summary>Ends those of one batch that no worker knows, or that a worker ended long ago.</summary>
    /// <returns>How many.</returns>
    internal static async Task<int> EndAsync(ChatDbContext context, IGenerationApi generation, DateTimeOffset now, CancellationToken cancellationToken)
    {
        // The id of a generation tells when it was requested.
        var before = Guid.CreateVersion7(now - Patience);
        var due = await context.Messages
            .FromSql($"SELECT * FROM chat.messages WHERE status = 'Pending' AND generation_id < {before} ORDER BY generation_id LIMIT {BatchSize}")
            .Select(m => new { m.Id, m.ConversationId, GenerationId = m.GenerationId!.Value })
            .ToListAsync(cancellationToken);
        var checkpoints = await generation.GetCheckpointsAsync([.. due.Select(m => m.GenerationId)], cancellationToken);
        var ended = 0;
        foreach (var message in due)
        {
            // It waits or runs, if for a day.
            if (checkpoints.GetValueOrDefault(message.GenerationId) is { Status: GenerationStatus.Queued or GenerationStatus.Running })
                continue;
            if (await context.LockAsync(message.ConversationId, cancellationToken) is not null)
            {
                var answer = await context.Messages.SingleAsync(m => m.Id == message.Id, cancellationToken);
                var status = answer.Content.Length > 0 ? MessageStatus.Interrupted : MessageStatus.Failed;
                if (answer.Abandon(message.GenerationId, status, "abandoned", $"This {(answer.Drawing is null ? "answer" : "drawing")} got lost on its way. Try again."))
                {
                    context.Raise(Changes.Message(answer, now));
                    ended++;
                }
            }

            await context.SaveChangesAsync(cancellationToken);
            await context.Database.CommitTransactionAsync(cancellationToken);
            context.ChangeTracker.Clear();
        }

        return ended;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await using var scope = scopes.CreateAsyncScope();
                if (await EndAsync(scope.ServiceProvider.GetRequiredService<ChatDbContext>(), generation, time.GetUtcNow(), stoppingToken) is > 0 and var ended)
                    LogAbandoned(ended);
            }
            catch (Exception e) when (e is Npgsql.NpgsqlException or DbUpdateException or InvalidOperationException or TimeoutException)
            {
                LogFailed(e);
            }
        }
    }

    [LoggerMessage(1, LogLevel.Error, "{Count} answers were ended because nothing was heard of them for a day")]
    private partial void LogAbandoned(int count);

    [LoggerMessage(2, LogLevel.Warning, "Abandoned answers can't be looked for now; tried again in an hour")]
    private partial void LogFailed(Exception exception);
}
