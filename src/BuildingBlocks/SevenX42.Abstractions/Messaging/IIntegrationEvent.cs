namespace SevenX42;

/// <summary>
/// Something that happened in a module and that others may care about. A sealed record, past tense, of primitives (and
/// arrays of primitives) only; carried by the producer's outbox, so it is delivered at least once after the commit.
/// </summary>
public interface IIntegrationEvent
{
    /// <summary>Unique id of this occurrence; consumers use it to do their work once.</summary>
    Guid EventId { get; }
}

/// <summary>The stable name and version an integration event is stored and sent under, whatever its class is called.</summary>
/// <param name="name">For example <c>chat.answer-requested.v1</c>.</param>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
public sealed class EventNameAttribute(string name) : Attribute
{
    /// <summary>The stable name, version included.</summary>
    public string Name { get; } = name;
}

/// <summary>
/// Handles an integration event in a consuming module. Called at least once per event, in no promised order, whatever becomes of
/// the event's other handlers; most derive from the inbox base class of the building blocks, which makes the database work
/// happen exactly once.
/// </summary>
/// <typeparam name="TEvent">The event.</typeparam>
public interface IIntegrationEventHandler<in TEvent>
    where TEvent : IIntegrationEvent
{
    /// <summary>Handles the event. An exception means: deliver again later.</summary>
    Task HandleAsync(TEvent integrationEvent, CancellationToken cancellationToken);
}
