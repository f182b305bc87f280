namespace SevenX42.Contracts.Identity;

/// <summary>
/// A user deleted their account, or a guest expired. Every module deletes what it holds of the user.
/// </summary>
/// <param name="EventId">Unique id of this occurrence.</param>
/// <param name="UserId">The user that is no more.</param>
[EventName("identity.user-deleted.v1")]
public sealed record UserDeleted(Guid EventId, Guid UserId) : IIntegrationEvent;
