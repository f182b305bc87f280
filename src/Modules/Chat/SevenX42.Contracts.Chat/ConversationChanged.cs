namespace SevenX42.Contracts.Chat;

/// <summary>
/// Something of a conversation changed that open pages show. Chat itself tells them, through its outbox, so that every page
/// hears of it even when the process dies between the commit and the telling.
/// </summary>
/// <param name="EventId">Unique id of this occurrence.</param>
/// <param name="ConversationId">The conversation.</param>
/// <param name="OwnerId">Its owner.</param>
/// <param name="Kind">Type of the event on the conversation's channel; empty for none.</param>
/// <param name="Data">Data of that event, JSON.</param>
/// <param name="Operation">
/// What the owner's list has to know: created, renamed, pinned, deleted, restored, touched; empty for nothing.
/// </param>
[EventName("chat.conversation-changed.v1")]
public sealed record ConversationChanged(
    Guid EventId, Guid ConversationId, Guid OwnerId, string Kind, string Data, string Operation) : IIntegrationEvent;
