using System.Text.Json;
using SevenX42.Modules.Chat.Domain;
using SevenX42.Modules.Chat.Infrastructure;
using SevenX42.Realtime;

namespace SevenX42.Modules.Chat.Integration;

/// <summary>
/// Something of a conversation changed that open pages show. Raised through Chat's own outbox, so that every page is told
/// even when the process dies between the commit and the telling.
/// </summary>
/// <param name="EventId">Unique id of this occurrence.</param>
/// <param name="ConversationId">The conversation.</param>
/// <param name="OwnerId">Its owner.</param>
/// <param name="Kind">Type of the event on the conversation's channel; empty for none.</param>
/// <param name="Data">Data of that event, JSON.</param>
/// <param name="Operation">What the owner's list has to know: created, renamed, pinned, deleted, restored, touched; empty for nothing.</param>
[EventName("chat.conversation-changed.v1")]
internal sealed record ConversationChanged(
    Guid EventId, Guid ConversationId, Guid OwnerId, string Kind, string Data, string Operation) : IIntegrationEvent
{
    public static ConversationChanged Tree(Conversation conversation, Guid leafId, DateTimeOffset now) =>
        Of(conversation, "tree", JsonSerializer.Serialize(new { leaf = leafId }), "touched", now);

    public static ConversationChanged Message(Guid conversationId, Guid ownerId, int number, DateTimeOffset now) =>
        new(Guid.CreateVersion7(now), conversationId, ownerId, "changed", JsonSerializer.Serialize(new { n = number }), "");

    public static ConversationChanged Title(Conversation conversation, DateTimeOffset now) =>
        Of(conversation, "title", JsonSerializer.Serialize(new { t = conversation.Title }), "renamed", now);

    public static ConversationChanged Deleted(Conversation conversation, DateTimeOffset now) => Of(conversation, "deleted", "{}", "deleted", now);

    public static ConversationChanged InList(Conversation conversation, string operation, DateTimeOffset now) =>
        Of(conversation, "", "", operation, now);

    private static ConversationChanged Of(Conversation conversation, string kind, string data, string operation, DateTimeOffset now) =>
        new(Guid.CreateVersion7(now), conversation.Id, conversation.OwnerId, kind, data, operation);
}

/// <summary>Tells the open pages.</summary>
internal sealed class AnnounceConversationChange(IChannelLog log) : IIntegrationEventHandler<ConversationChanged>
{
    public async Task HandleAsync(ConversationChanged integrationEvent, CancellationToken cancellationToken)
    {
        if (integrationEvent.Kind.Length > 0)
        {
            await log.AppendAsync(
                Channels.OfConversation(integrationEvent.ConversationId),
                [new NewChannelEvent(integrationEvent.Kind, System.Text.Encoding.UTF8.GetBytes(integrationEvent.Data))],
                fence: null,
                cancellationToken);
        }

        if (integrationEvent.Operation.Length > 0)
        {
            await log.AppendAsync(
                Channels.OfUser(integrationEvent.OwnerId),
                [new NewChannelEvent("conversations", JsonSerializer.SerializeToUtf8Bytes(new { id = integrationEvent.ConversationId, op = integrationEvent.Operation }))],
                fence: null,
                cancellationToken);
        }
    }
}
