using System.Text;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using SevenX42.Contracts.Chat;
using SevenX42.Modules.Chat.Features.Conversations;
using SevenX42.Modules.Chat.Infrastructure;
using SevenX42.Realtime;

namespace SevenX42.Modules.Chat.Integration;

/// <summary>
/// Tells the open pages. News of one conversation is delivered in any order: by several deliverers and processes at once, and
/// minutes late after a failure. Most of it only makes a page look again, but a title is shown as it is told, and a page whose
/// conversation is gone is left: these are told as they are stored by then.
/// </summary>
internal sealed class AnnounceConversationChange(ChatDbContext context, IChannelLog log) : IIntegrationEventHandler<ConversationChanged>
{
    public async Task HandleAsync(ConversationChanged integrationEvent, CancellationToken cancellationToken)
    {
        if (integrationEvent.Kind is Changes.TitleKind or Changes.DeletedKind)
            await TellWhatIsStoredAsync(integrationEvent, cancellationToken);
        else if (integrationEvent.Kind.Length > 0)
            await TellAsync(integrationEvent, integrationEvent.Data, cancellationToken);

        if (integrationEvent.Operation.Length > 0)
        {
            await log.AppendAsync(
                Channels.OfUser(integrationEvent.OwnerId),
                [new NewChannelEvent("conversations", JsonSerializer.SerializeToUtf8Bytes(new { id = integrationEvent.ConversationId, op = integrationEvent.Operation }))],
                fence: null,
                cancellationToken);
        }
    }

    private async Task TellWhatIsStoredAsync(ConversationChanged e, CancellationToken cancellationToken)
    {
        // Nobody changes the row until the log has what is read of it, so that whatever is told last is the newest.
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        var conversation = await context.Conversations
            .FromSql($"SELECT * FROM chat.conversations WHERE id = {e.ConversationId} FOR SHARE")
            .AsNoTracking().SingleOrDefaultAsync(cancellationToken);
        if (e.Kind == Changes.TitleKind && conversation is not null)
            await TellAsync(e, Changes.TitleData(conversation), cancellationToken);
        else if (e.Kind == Changes.DeletedKind && conversation is not { DeletedAt: null })
            await TellAsync(e, e.Data, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    private async Task TellAsync(ConversationChanged e, string data, CancellationToken cancellationToken) => await log.AppendAsync(
        Channels.OfConversation(e.ConversationId),
        [new NewChannelEvent(e.Kind, Encoding.UTF8.GetBytes(data))],
        fence: null,
        cancellationToken);
}
