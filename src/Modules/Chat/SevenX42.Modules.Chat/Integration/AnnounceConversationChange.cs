using System.Text.Json;
using SevenX42.Contracts.Chat;
using SevenX42.Modules.Chat.Infrastructure;
using SevenX42.Realtime;

namespace SevenX42.Modules.Chat.Integration;

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
