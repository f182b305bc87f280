using System.Diagnostics.Metrics;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace SevenX42.Messaging;

/// <summary>
/// Delivers one module's outbox: what this process committed at once from memory, and whatever was left behind by a
/// process that died, by polling. Delivery is at least once; handlers are idempotent.
/// </summary>
internal sealed partial class OutboxDispatcher<TContext> : BackgroundService
    where TContext : DbContext
{
    private const int Deliverers = 4;
    private const int BatchSize = 50;
    private const int MaxAttempts = 10;
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan InboxRetention = TimeSpan.FromDays(7);

    private readonly OutboxQueue<TContext> _queue;
    private readonly IServiceScopeFactory _scopes;
    private readonly ILookup<string, EventSubscription> _subscriptions;
    private readonly TimeProvider _time;
    private readonly ILogger<OutboxDispatcher<TContext>> _logger;
    private readonly Counter<long> _deadLetters;
    private readonly string _outbox;
    private readonly string _inbox;

    public OutboxDispatcher(
        OutboxQueue<TContext> queue,
        IServiceScopeFactory scopes,
        IEnumerable<EventSubscription> subscriptions,
        TimeProvider time,
        IMeterFactory meters,
        ILogger<OutboxDispatcher<TContext>> logger)
    {
        (_queue, _scopes, _time, _logger) = (queue, scopes, time, logger);
        _subscriptions = subscriptions.ToLookup(s => s.EventName, StringComparer.Ordinal);
        _deadLetters = meters.Create("SevenX42.Messaging").CreateCounter<long>(
            "sevenx42.outbox.dead_letters", description: "Events whose delivery was given up.");
        using var scope = scopes.CreateScope();
        var model = scope.ServiceProvider.GetRequiredService<TContext>().Model;
        _outbox = Table(model.FindEntityType(typeof(OutboxMessage))!);
        _inbox = Table(model.FindEntityType(typeof(InboxMessage))!);

        static string Table(Microsoft.EntityFrameworkCore.Metadata.IEntityType type) =>
            $"\"{type.GetSchema()}\".\"{type.GetTableName()}\"";
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(
        [.. Enumerable.Range(0, Deliverers).Select(_ => DeliverFreshAsync(stoppingToken)), PollAsync(stoppingToken)]);

    private async Task DeliverFreshAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        await foreach (var message in _queue.Reader.ReadAllAsync(stoppingToken))
            await DeliverAsync(message.Id, message.Name, message.Payload, attempts: 1, stoppingToken);
    }

    private async Task PollAsync(CancellationToken stoppingToken)
    {
        var lastSweep = DateTimeOffset.MinValue;
        using var timer = new PeriodicTimer(PollInterval, _time);
        do
        {
            try
            {
                while (await DeliverBatchAsync(stoppingToken) == BatchSize)
                {
                }

                if (_time.GetUtcNow() - lastSweep > TimeSpan.FromHours(1))
                {
                    await SweepInboxAsync(stoppingToken);
                    lastSweep = _time.GetUtcNow();
                }
            }
            catch (Exception e) when (e is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
            {
                // The database is away; messages wait in it until it is back.
                LogPollFailed(_logger, e, typeof(TContext).Name);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private async Task<int> DeliverBatchAsync(CancellationToken stoppingToken)
    {
        List<Due> batch;
        await using (var scope = _scopes.CreateAsyncScope())
        {
            var context = scope.ServiceProvider.GetRequiredService<TContext>();
#pragma warning disable EF1002 // The table's name comes from the model, not from input.
            // The claim is a lease of a minute, doubled with every attempt, on database time: no lock is held while handlers run.
            batch = await context.Database.SqlQueryRaw<Due>($"""
                UPDATE {_outbox} SET attempts = attempts + 1, next_attempt_at = now() + interval '1 minute' * power(2, attempts)
                WHERE id IN (
                    SELECT id FROM {_outbox} WHERE dead_lettered_at IS NULL AND next_attempt_at <= now()
                    ORDER BY next_attempt_at LIMIT {BatchSize} FOR UPDATE SKIP LOCKED)
                RETURNING id, name, payload, attempts
                """).ToListAsync(stoppingToken);
#pragma warning restore EF1002
        }

        foreach (var due in batch)
            await DeliverAsync(due.Id, due.Name, due.Payload, due.Attempts, stoppingToken);
        return batch.Count;
    }

    private async Task DeliverAsync(Guid id, string name, string payload, int attempts, CancellationToken stoppingToken)
    {
        try
        {
            foreach (var subscription in _subscriptions[name])
            {
                await using var scope = _scopes.CreateAsyncScope();
                await subscription.Invoke(scope.ServiceProvider, payload, stoppingToken);
            }

            await ExecuteAsync($"DELETE FROM {_outbox} WHERE id = {{0}}", [id], stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Shutting down: the message is still in the table.
        }
        catch (Exception e)
        {
            await RecordFailureAsync(id, name, attempts, e, stoppingToken);
        }
    }

    private async Task RecordFailureAsync(Guid id, string name, int attempts, Exception e, CancellationToken stoppingToken)
    {
        var dead = attempts >= MaxAttempts;
        LogDeliveryFailed(_logger, e, name, id, attempts);
        if (dead)
        {
            _deadLetters.Add(1, new KeyValuePair<string, object?>("event", name));
            LogDeadLetter(_logger, name, id);
        }

        try
        {
            await ExecuteAsync(
                $"UPDATE {_outbox} SET last_error = {{1}}, dead_lettered_at = CASE WHEN {{2}} THEN now() END WHERE id = {{0}}",
                [id, e.GetType().FullName ?? e.GetType().Name, dead],
                stoppingToken);
        }
        catch (Exception unrecorded) when (unrecorded is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
        {
            LogPollFailed(_logger, unrecorded, typeof(TContext).Name);
        }
    }

    private Task SweepInboxAsync(CancellationToken stoppingToken) => ExecuteAsync(
        $"DELETE FROM {_inbox} WHERE handled_at < now() - {{0}}", [InboxRetention], stoppingToken);

    private async Task ExecuteAsync(string sql, object[] parameters, CancellationToken stoppingToken)
    {
        await using var scope = _scopes.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<TContext>().Database.ExecuteSqlRawAsync(sql, parameters, stoppingToken);
    }

    [LoggerMessage(1, LogLevel.Warning, "Delivery of {EventName} {EventId} failed, attempt {Attempts}")]
    private static partial void LogDeliveryFailed(ILogger logger, Exception exception, string eventName, Guid eventId, int attempts);

    [LoggerMessage(2, LogLevel.Error, "{EventName} {EventId} is dead-lettered: its deliveries failed too often")]
    private static partial void LogDeadLetter(ILogger logger, string eventName, Guid eventId);

    [LoggerMessage(3, LogLevel.Warning, "The outbox of {Context} can't be read now")]
    private static partial void LogPollFailed(ILogger logger, Exception exception, string context);

    private sealed record Due(Guid Id, string Name, string Payload, int Attempts);
}
