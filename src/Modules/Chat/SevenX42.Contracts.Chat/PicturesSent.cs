namespace SevenX42.Contracts.Chat;

/// <summary>A message with pictures is stored. Until this is heard, whoever keeps the pictures can't know whether anything belongs to them.</summary>
/// <param name="EventId">Unique id of this occurrence.</param>
/// <param name="ConversationId">The message's conversation.</param>
/// <param name="UserId">Whose they are.</param>
/// <param name="Pictures">The assets, of which there is at least one.</param>
[EventName("chat.pictures-sent.v1")]
public sealed record PicturesSent(Guid EventId, Guid ConversationId, Guid UserId, IReadOnlyList<Guid> Pictures) : IIntegrationEvent;
