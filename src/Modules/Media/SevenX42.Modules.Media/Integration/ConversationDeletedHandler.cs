using Microsoft.EntityFrameworkCore;
using SevenX42.Contracts.Chat;
using SevenX42.Messaging;
using SevenX42.Modules.Media.Infrastructure;
using SevenX42.Modules.Media.Infrastructure.Blobs;

namespace SevenX42.Modules.Media.Integration;

/// <summary>Deletes the pictures of a conversation that is no more, and whatever picture for it is still to come.</summary>
internal sealed class ConversationDeletedHandler(MediaDbContext context, UnreferencedBlobs unreferenced, TimeProvider time)
    : InboxHandler<ConversationDeleted, MediaDbContext>(context)
{
    private readonly List<string> _hashes = [];

    protected override async Task HandleOnceAsync(ConversationDeleted integrationEvent, CancellationToken cancellationToken)
    {
        // The owner's row first: a picture that has charged it is waited for and then deleted, a later one finds the mark.
        await Context.ChargeAsync(integrationEvent.UserId, 0, long.MaxValue, cancellationToken);
        await Context.Database.ExecuteSqlAsync(
            $"""
            INSERT INTO media.deleted_conversations (id, deleted_at) VALUES ({integrationEvent.ConversationId}, {time.GetUtcNow()})
            ON CONFLICT (id) DO NOTHING
            """,
            cancellationToken);
        var theirs = Context.Assets.Where(a => a.ConversationId == integrationEvent.ConversationId && a.OwnerId == integrationEvent.UserId);
        // What is let go meanwhile is let go before, or deleted: it asks for no owner's row, and would be given back without being gone.
        await Context.Database.ExecuteSqlAsync(
            $"SELECT FROM media.assets WHERE conversation_id = {integrationEvent.ConversationId} AND owner_id = {integrationEvent.UserId} FOR UPDATE", cancellationToken);
        _hashes.AddRange(await MediaDbContext.ReadHashesAsync(theirs, cancellationToken));
        // What waits to be purged was given back when it was deleted.
        var charged = await theirs.Where(a => a.DeletedAt == null).SumAsync(a => a.Bytes + a.VariantBytes, cancellationToken);
        await Context.RefundAsync(integrationEvent.UserId, charged, cancellationToken);
        await theirs.ExecuteDeleteAsync(cancellationToken);
    }

    protected override Task AfterCommitAsync(ConversationDeleted integrationEvent, CancellationToken cancellationToken) =>
        unreferenced.DeleteAsync(_hashes, cancellationToken);
}
