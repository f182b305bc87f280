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
/// <remarks>
/// No order is promised, not even of one aggregate's events: an event that failed comes minutes after its successors, which an
/// order would hold up for hours, and another process may be faster than the one that committed first. A receiver that minds
/// looks at what is stored (a status, a mark, the row itself under its lock), never at what came last.
/// </remarks>
internal sealed partial class OutboxDispatcher<TContext> : BackgroundService
    where TContext : DbContext
{
    private const int Deliverers = 4;
    private const int BatchSize = 20;
    private const int SweepSize = 500;
    private const int MaxAttempts = 10;
    private const int MaxErrorLength = 256;
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Retention = TimeSpan.FromDays(7);

    // Somebody may be waiting for what a moment's fault held up, so the first pauses are seconds. The last attempt is made after eight hours:
    // modules that wait for an event give up after a day.
    private const string Pause = "interval '1 second' * power(3, attempts)";

    // How long an event is left to whoever took it, who may have died with it.
    private const string Claim = $"greatest(interval '30 seconds', {Pause})";

    private readonly OutboxQueue<TContext> _queue;
    private readonly IServiceScopeFactory _scopes;
    private readonly ILookup<string, EventSubscription> _subscriptions;
    private readonly string[] _names;
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
        _names = [.. _subscriptions.Select(s => s.Key)];
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
                    await SweepAsync(stoppingToken);
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
            // The claim is a lease, on database time: no lock is held while handlers run. An event that nobody here handles is left to
            // others: a process of a newer version may have raised it, and handles it.
            batch = await context.Database.SqlQueryRaw<Due>($$"""
                UPDATE {{_outbox}} SET attempts = attempts + 1, next_attempt_at = now() + {{Claim}}
                WHERE id IN (
                    SELECT id FROM {{_outbox}} WHERE dead_lettered_at IS NULL AND next_attempt_at <= now() AND name = ANY ({0})
                    ORDER BY next_attempt_at LIMIT {{BatchSize}} FOR UPDATE SKIP LOCKED)
                RETURNING id, name, payload, attempts
                """, [_names]).ToListAsync(stoppingToken);
#pragma warning restore EF1002
        }

        // Not one after the other: those behind a slow one would outlive their claim.
        var options = new ParallelOptions { MaxDegreeOfParallelism = Deliverers, CancellationToken = stoppingToken };
        await Parallel.ForEachAsync(
            batch, options, async (due, cancel) => await DeliverAsync(due.Id, due.Name, due.Payload, due.Attempts, cancel));
        return batch.Count;
    }

    private async Task DeliverAsync(Guid id, string name, string payload, int attempts, CancellationToken stoppingToken)
    {
        try
        {
            // All at the same time, each on its own: one that fails or waits keeps the event from no other. When it is delivered
            // again, all get it again; those that are done with it know.
            var failures = (await Task.WhenAll(_subscriptions[name].Select(s => HandleAsync(s, id, payload, attempts, stoppingToken))))
                .OfType<string>().ToList();
            if (failures.Count == 0)
                await ExecuteAsync($"DELETE FROM {_outbox} WHERE id = {{0}}", [id], stoppingToken);
            else
                await RecordFailureAsync(id, name, attempts, string.Join(", ", failures), stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Shutting down: the message is still in the table.
        }
        catch (Exception e)
        {
            // The database is away; the message waits in it until it is back.
            LogPollFailed(_logger, e, typeof(TContext).Name);
        }
    }

    /// <summary>Lets one handler handle the event.</summary>
    /// <returns>What went wrong; <see langword="null"/> when nothing did.</returns>
    private async Task<string?> HandleAsync(
        EventSubscription subscription, Guid id, string payload, int attempts, CancellationToken stoppingToken)
    {
        try
        {
            await using var scope = _scopes.CreateAsyncScope();
            await subscription.Invoke(scope.ServiceProvider, payload, stoppingToken);
            return null;
        }
        catch (Exception e) when (e is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
        {
            LogHandlerFailed(_logger, e, subscription.Handler, subscription.EventName, id, attempts);
            return $"{subscription.Handler}: {e.GetType().FullName}";
        }
    }

    private async Task RecordFailureAsync(Guid id, string name, int attempts, string failures, CancellationToken stoppingToken)
    {
        var dead = attempts >= MaxAttempts;
        if (dead)
        {
            _deadLetters.Add(1, new KeyValuePair<string, object?>("event", name));
            LogDeadLetter(_logger, name, id, failures);
        }

        await ExecuteAsync(
            $$"""
            UPDATE {{_outbox}} SET last_error = {1}, dead_lettered_at = CASE WHEN {2} THEN now() END, next_attempt_at = now() + {{Pause}}
            WHERE id = {0} AND attempts <= {3}
            """,
            // Not the time of somebody who has taken it since.
            [id, failures.Length <= MaxErrorLength ? failures : failures[..MaxErrorLength], dead, attempts],
            stoppingToken);
    }

    private async Task SweepAsync(CancellationToken stoppingToken)
    {
        // What was given up is kept as long, for whoever looks for the cause, and no longer: it may hold people's words. So is what nobody
        // handles and whose process died before it could forget it.
        foreach (var (table, since, only) in ((string, string, string)[])
        [
            (_inbox, "handled_at", "true"),
            (_outbox, "dead_lettered_at", "true"),
            (_outbox, "next_attempt_at", "dead_lettered_at IS NULL AND name <> ALL ({2})"),
        ])
        {
            // A batch at a time, for one statement would hold all its locks until its end; by the rows' places, because a batch of
            // keys may be worth reading the whole table to the planner.
            var sql = $$"""
                DELETE FROM {{table}} WHERE ctid = ANY (ARRAY(
                    SELECT ctid FROM {{table}} WHERE {{since}} < now() - {0} AND {{only}} ORDER BY {{since}} LIMIT {1} FOR UPDATE SKIP LOCKED))
                """;
            while (await ExecuteAsync(sql, [Retention, SweepSize, _names], stoppingToken) == SweepSize)
            {
            }
        }
    }

    private async Task<int> ExecuteAsync(string sql, object[] parameters, CancellationToken stoppingToken)
    {
        await using var scope = _scopes.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<TContext>().Database.ExecuteSqlRawAsync(sql, parameters, stoppingToken);
    }

    [LoggerMessage(1, LogLevel.Warning, "{Handler} failed to handle {EventName} {EventId}, attempt {Attempts}")]
    private static partial void LogHandlerFailed(
        ILogger logger, Exception exception, string handler, string eventName, Guid eventId, int attempts);

    [LoggerMessage(2, LogLevel.Error, "{EventName} {EventId} is dead-lettered, it failed too often: {Failures}")]
    private static partial void LogDeadLetter(ILogger logger, string eventName, Guid eventId, string failures);

    [LoggerMessage(3, LogLevel.Warning, "The outbox of {Context} can't be read now")]
    private static partial void LogPollFailed(ILogger logger, Exception exception, string context);

    private sealed record Due(Guid Id, string Name, string Payload, int Attempts);
}
