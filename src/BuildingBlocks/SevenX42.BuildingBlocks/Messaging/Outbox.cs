using System.Collections.Concurrent;
using System.Data.Common;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace SevenX42.Messaging;

/// <summary>Raises integration events.</summary>
public static class Outbox
{
    private static readonly ConcurrentDictionary<Type, string> Names = new();

    /// <summary>
    /// Writes an event into the outbox of the context, to be committed with everything else. After the commit it is
    /// delivered at once; if the process dies first, by any process's poller.
    /// </summary>
    public static void Raise<TEvent>(this DbContext context, TEvent integrationEvent)
        where TEvent : IIntegrationEvent
    {
        ArgumentNullException.ThrowIfNull(context);
        context.Set<OutboxMessage>().Add(new OutboxMessage
        {
            Id = integrationEvent.EventId,
            Name = NameOf(typeof(TEvent)),
            Payload = JsonSerializer.Serialize(integrationEvent),
        });
    }

    /// <summary>The stable name of an event class.</summary>
    /// <exception cref="InvalidOperationException">The class lacks <see cref="EventNameAttribute"/>.</exception>
    public static string NameOf(Type eventType) => Names.GetOrAdd(eventType, static type =>
        type.GetCustomAttribute<EventNameAttribute>()?.Name ?? throw new InvalidOperationException($"{type} has no [EventName]."));
}

/// <summary>Committed messages on their way from the commit to the dispatcher of the same process.</summary>
internal sealed class OutboxQueue<TContext>
    where TContext : DbContext
{
    // Bounded: what does not fit stays in the table, where the poller finds it.
    private readonly Channel<OutboxMessage> _channel = Channel.CreateBounded<OutboxMessage>(
        new BoundedChannelOptions(4096) { FullMode = BoundedChannelFullMode.DropWrite });

    public ChannelReader<OutboxMessage> Reader => _channel.Reader;

    public void Enqueue(List<OutboxMessage> messages)
    {
        foreach (var message in messages)
            _channel.Writer.TryWrite(message);
    }
}

/// <summary>Hands outbox messages to the dispatcher once they are committed, and never before.</summary>
internal sealed class OutboxInterceptor<TContext>(OutboxQueue<TContext> queue) : SaveChangesInterceptor, IDbTransactionInterceptor
    where TContext : DbContext
{
    // Contexts are pooled: an instance outlives what was saved on it and never committed, because the commit failed or nobody
    // asked for one. So messages are kept with the transaction that they were saved in, and only its commit lets them go.
    private readonly ConditionalWeakTable<DbContext, Pending> _pending = [];

    public override ValueTask<InterceptionResult<int>> SavingChangesAsync(
        DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
    {
        if (eventData.Context is { } context)
            Keep(context);
        return new(result);
    }

    // Frameworks that keep something of theirs in a module's context save synchronously; events never are.
    public override InterceptionResult<int> SavingChanges(DbContextEventData eventData, InterceptionResult<int> result) =>
        eventData.Context?.ChangeTracker.Entries<OutboxMessage>().Any(e => e.State == EntityState.Added) is true
            ? throw new NotSupportedException("Save events asynchronously.")
            : result;

    public override ValueTask<int> SavedChangesAsync(
        SaveChangesCompletedEventData eventData, int result, CancellationToken cancellationToken = default)
    {
        // Inside an explicit transaction this is not a commit yet.
        if (eventData.Context is { } context && context.Database.CurrentTransaction is null)
            Release(context, transaction: null);
        return new(result);
    }

    public override Task SaveChangesFailedAsync(DbContextErrorEventData eventData, CancellationToken cancellationToken = default)
    {
        Forget(eventData.Context);
        return Task.CompletedTask;
    }

    public override Task SaveChangesCanceledAsync(DbContextEventData eventData, CancellationToken cancellationToken = default)
    {
        Forget(eventData.Context);
        return Task.CompletedTask;
    }

    public void TransactionCommitted(DbTransaction transaction, TransactionEndEventData eventData)
    {
        if (eventData.Context is { } context)
            Release(context, eventData.TransactionId);
    }

    public Task TransactionCommittedAsync(
        DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        TransactionCommitted(transaction, eventData);
        return Task.CompletedTask;
    }

    // Whether a commit that failed took effect nobody knows here. If it did, the poller finds its messages.
    public void TransactionFailed(DbTransaction transaction, TransactionErrorEventData eventData) => Forget(eventData.Context);

    public Task TransactionFailedAsync(
        DbTransaction transaction, TransactionErrorEventData eventData, CancellationToken cancellationToken = default)
    {
        Forget(eventData.Context);
        return Task.CompletedTask;
    }

    public void TransactionRolledBack(DbTransaction transaction, TransactionEndEventData eventData) => Forget(eventData.Context);

    public Task TransactionRolledBackAsync(
        DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        Forget(eventData.Context);
        return Task.CompletedTask;
    }

    // Which of the messages were saved after the savepoint nobody knows here: those before it are the poller's, too.
    public void RolledBackToSavepoint(DbTransaction transaction, TransactionEventData eventData) => Forget(eventData.Context);

    public Task RolledBackToSavepointAsync(
        DbTransaction transaction, TransactionEventData eventData, CancellationToken cancellationToken = default)
    {
        Forget(eventData.Context);
        return Task.CompletedTask;
    }

    private void Keep(DbContext context)
    {
        var transaction = context.Database.CurrentTransaction?.TransactionId;
        if (transaction is null || (_pending.TryGetValue(context, out var earlier) && earlier.Transaction != transaction))
            _pending.Remove(context);
        foreach (var entry in context.ChangeTracker.Entries<OutboxMessage>())
        {
            if (entry.State == EntityState.Added)
                _pending.GetValue(context, _ => new Pending(transaction)).Messages.Add(entry.Entity);
        }
    }

    private void Release(DbContext context, Guid? transaction)
    {
        // Without an explicit transaction a save has one of its own, whose commit is not yet the end of the save.
        if (!_pending.TryGetValue(context, out var pending) || pending.Transaction != transaction)
            return;
        queue.Enqueue(pending.Messages);
        _pending.Remove(context);
    }

    private void Forget(DbContext? context)
    {
        if (context is not null)
            _pending.Remove(context);
    }

    /// <summary>Messages that were saved and not committed yet.</summary>
    private sealed class Pending(Guid? transaction)
    {
        /// <summary>The explicit transaction they were saved in; <see langword="null"/> when the save commits by itself.</summary>
        public Guid? Transaction => transaction;

        public List<OutboxMessage> Messages { get; } = [];
    }
}
