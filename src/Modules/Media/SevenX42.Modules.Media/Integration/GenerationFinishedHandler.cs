using Microsoft.EntityFrameworkCore;
using SevenX42.Contracts.Generation;
using SevenX42.Messaging;
using SevenX42.Modules.Media.Infrastructure;
using SevenX42.Modules.Media.Infrastructure.Blobs;

namespace SevenX42.Modules.Media.Integration;

/// <summary>
/// Deletes the pictures of a job that its end does not name, and whatever picture of it is still to come: its worker died, or lost it, before
/// it could say that they are stored, so no answer has them.
/// </summary>
internal sealed class GenerationFinishedHandler(MediaDbContext context, UnreferencedBlobs unreferenced, TimeProvider time)
    : InboxHandler<GenerationFinished, MediaDbContext>(context)
{
    private readonly List<string> _hashes = [];

    protected override async Task HandleOnceAsync(GenerationFinished integrationEvent, CancellationToken cancellationToken)
    {
        if (integrationEvent.Pictures is not { } named)
            return;
        // A picture that is being stored is waited for and then deleted, a later one finds the mark.
        await Context.LockJobAsync(integrationEvent.GenerationId, cancellationToken);
        await Context.Database.ExecuteSqlAsync(
            $"""
            INSERT INTO media.ended_jobs (id, ended_at) VALUES ({integrationEvent.GenerationId}, {time.GetUtcNow()})
            ON CONFLICT (id) DO NOTHING
            """,
            cancellationToken);
        var lost = Context.Assets.Where(a => a.JobId == integrationEvent.GenerationId && !named.Contains(a.Id));
        if (await lost.Select(a => (Guid?)a.OwnerId).FirstOrDefaultAsync(cancellationToken) is not { } owner)
            return;
        // The owner's row before the assets: what its owner deletes now is given back by one of the two.
        await Context.ChargeAsync(owner, 0, long.MaxValue, cancellationToken);
        _hashes.AddRange(await MediaDbContext.ReadHashesAsync(lost, cancellationToken));
        var charged = await lost.Where(a => a.DeletedAt == null).SumAsync(a => a.Bytes + a.VariantBytes, cancellationToken);
        await Context.RefundAsync(owner, charged, cancellationToken);
        await lost.ExecuteDeleteAsync(cancellationToken);
    }

    protected override Task AfterCommitAsync(GenerationFinished integrationEvent, CancellationToken cancellationToken) =>
        unreferenced.DeleteAsync(_hashes, cancellationToken);
}
