using Microsoft.EntityFrameworkCore;
using SevenX42.Contracts.Identity;
using SevenX42.Messaging;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Integration;

/// <summary>Deletes everything of a user who is no more, and whatever a message still under way would begin.</summary>
internal sealed class UserDeletedHandler(ChatDbContext context) : InboxHandler<UserDeleted, ChatDbContext>(context)
{
    protected override async Task HandleOnceAsync(UserDeleted integrationEvent, CancellationToken cancellationToken)
    {
        // The owner's row first: a conversation that is being begun is waited for and then deleted, a later one finds the mark.
        await Context.Database.ExecuteSqlAsync(
            $"""
            INSERT INTO chat.owners (id, is_deleted) VALUES ({integrationEvent.UserId}, true)
            ON CONFLICT (id) DO UPDATE SET is_deleted = true
            """,
            cancellationToken);
        await Context.Conversations.Where(c => c.OwnerId == integrationEvent.UserId).ExecuteDeleteAsync(cancellationToken);
    }
}
