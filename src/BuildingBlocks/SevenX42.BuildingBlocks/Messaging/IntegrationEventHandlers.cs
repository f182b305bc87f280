using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Persistence;

namespace SevenX42.Messaging;

/// <summary>Registers handlers of integration events: one explicit line each, no scanning.</summary>
public static class IntegrationEventHandlers
{
    /// <summary>Registers <typeparamref name="THandler"/> for <typeparamref name="TEvent"/>.</summary>
    public static IServiceCollection AddIntegrationEventHandler<TEvent, THandler>(this IServiceCollection services)
        where TEvent : IIntegrationEvent
        where THandler : class, IIntegrationEventHandler<TEvent>
    {
        services.AddScoped<THandler>();
        services.AddSingleton(new EventSubscription(
            Outbox.NameOf(typeof(TEvent)),
            typeof(THandler).Name,
            static (provider, payload, cancellationToken) => provider.GetRequiredService<THandler>().HandleAsync(
                JsonSerializer.Deserialize<TEvent>(payload) ?? throw new JsonException("An event must not be null."),
                cancellationToken)));
        return services;
    }
}

/// <summary>One handler's subscription to one event.</summary>
internal sealed record EventSubscription(
    string EventName, string Handler, Func<IServiceProvider, string, CancellationToken, Task> Invoke);

/// <summary>
/// Base of handlers whose work is in their module's database: the work and the mark in the inbox are one transaction, so
/// the work is done exactly once however often the event is delivered.
/// </summary>
public abstract class InboxHandler<TEvent, TContext>(TContext context) : IIntegrationEventHandler<TEvent>
    where TEvent : IIntegrationEvent
    where TContext : DbContext
{
    /// <summary>The module's context.</summary>
    protected TContext Context { get; } = context;

    /// <inheritdoc/>
    public async Task HandleAsync(TEvent integrationEvent, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(integrationEvent);
        await using (var transaction = await Context.Database.BeginTransactionAsync(cancellationToken))
        {
            var inbox = Context.Model.FindEntityType(typeof(InboxMessage))!;
            var table = $"\"{inbox.GetSchema()}\".\"{inbox.GetTableName()}\"";
#pragma warning disable EF1002 // The table's name comes from the model, not from input.
            var first = await Context.Database.ExecuteSqlRawAsync(
                $"INSERT INTO {table} (event_id, handler) VALUES ({{0}}, {{1}}) ON CONFLICT DO NOTHING",
                [integrationEvent.EventId, GetType().Name],
                cancellationToken);
#pragma warning restore EF1002
            if (first == 1)
            {
                await HandleOnceAsync(integrationEvent, cancellationToken);
                await Context.SaveChangesAsync(cancellationToken);
            }

            await transaction.CommitAsync(cancellationToken);
        }

        await AfterCommitAsync(integrationEvent, cancellationToken);
    }

    /// <summary>The work, inside the transaction. Changes to <see cref="Context"/> are saved afterwards.</summary>
    protected abstract Task HandleOnceAsync(TEvent integrationEvent, CancellationToken cancellationToken);

    /// <summary>
    /// What follows the commit: signals and channel events. Runs at least once, so it must be harmless to repeat.
    /// </summary>
    protected virtual Task AfterCommitAsync(TEvent integrationEvent, CancellationToken cancellationToken) => Task.CompletedTask;
}
