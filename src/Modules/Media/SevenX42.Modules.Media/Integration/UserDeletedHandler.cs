using Microsoft.EntityFrameworkCore;
using SevenX42.Contracts.Identity;
using SevenX42.Messaging;
using SevenX42.Modules.Media.Infrastructure;
using SevenX42.Modules.Media.Infrastructure.Blobs;

namespace SevenX42.Modules.Media.Integration;

/// <summary>Deletes everything of a user who is no more, and whatever an upload still under way would add.</summary>
internal sealed class UserDeletedHandler(MediaDbContext context, UnreferencedBlobs unreferenced)
    : InboxHandler<UserDeleted, MediaDbContext>(context)
{
    private readonly List<string> _hashes = [];

    protected override async Task HandleOnceAsync(UserDeleted integrationEvent, CancellationToken cancellationToken)
    {
        // The owner's row first: an upload that has charged it is waited for and then deleted, a later one finds the mark.
        await Context.Database.ExecuteSqlAsync(
            $"""
            INSERT INTO media.owners (id, bytes, is_deleted) VALUES ({integrationEvent.UserId}, 0, true)
            ON CONFLICT (id) DO UPDATE SET bytes = 0, is_deleted = true
            """,
            cancellationToken);
        var theirs = Context.Assets.Where(a => a.OwnerId == integrationEvent.UserId);
        _hashes.AddRange(await MediaDbContext.ReadHashesAsync(theirs, cancellationToken));
        await theirs.ExecuteDeleteAsync(cancellationToken);
    }

    protected override Task AfterCommitAsync(UserDeleted integrationEvent, CancellationToken cancellationToken) =>
        unreferenced.DeleteAsync(_hashes, cancellationToken);
}
