using MediatR;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using SevenX42.Contracts.Media;
using SevenX42.Modules.Media.Domain;
using SevenX42.Modules.Media.Features.Assets;
using SevenX42.Modules.Media.Features.Images;

namespace SevenX42.Modules.Media.Infrastructure;

internal sealed class MediaApi(MediaDbContext context, ISender sender, IOptions<MediaOptions> options) : IMediaApi
{
    public long MaxBytes => options.Value.MaxAssetBytes;

    public async Task<Result<AssetInfo>> FindAsync(Guid ownerId, Guid assetId, CancellationToken cancellationToken)
    {
        var found = await FindAsync(ownerId, [assetId], cancellationToken);
        return found is [var asset] ? asset : Error.NotFound();
    }

    public async Task<IReadOnlyList<AssetInfo>> FindAsync(Guid ownerId, IReadOnlyCollection<Guid> assetIds, CancellationToken cancellationToken)
    {
        var assets = await context.Assets.AsNoTracking().Include(a => a.Variants)
            .Where(a => assetIds.Contains(a.Id) && a.OwnerId == ownerId && a.DeletedAt == null)
            .ToListAsync(cancellationToken);
        return [.. assets.Select(AssetUrls.Describe)];
    }

    public Task<Result<AssetInfo>> StoreGeneratedAsync(
        Guid ownerId, Stream content, ImageProvenance provenance, CancellationToken cancellationToken) =>
        sender.Send(new StoreGeneratedImage(ownerId, content, provenance), cancellationToken);

    public async Task<IReadOnlyList<GeneratedImage>> FindGeneratedAsync(Guid ownerId, Guid jobId, CancellationToken cancellationToken) =>
        await context.Assets
            .Where(a => a.JobId == jobId && a.OwnerId == ownerId)
            .OrderBy(a => a.JobIndex)
            .Select(a => new GeneratedImage(a.JobIndex!.Value, a.Id, a.Seed))
            .ToListAsync(cancellationToken);

    public Task<Result<Guid>> HoldAsync(Guid ownerId, Stream content, SentImage source, CancellationToken cancellationToken) =>
        sender.Send(new HoldSentImage(ownerId, content, source), cancellationToken);

    public Task<Result> KeepAsync(Guid ownerId, IReadOnlyCollection<Guid> assetIds, Guid conversationId, CancellationToken cancellationToken) =>
        sender.Send(new KeepSentImages(ownerId, assetIds, conversationId), cancellationToken);

    public Task<Result<ReadOnlyMemory<byte>>> ReadForModelAsync(Guid ownerId, Guid assetId, CancellationToken cancellationToken) =>
        sender.Send(new ReadImageForModel(ownerId, assetId), cancellationToken);
}
