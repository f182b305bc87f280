using Microsoft.EntityFrameworkCore;
using SevenX42.Contracts.Media;
using SevenX42.Modules.Media.Domain;

namespace SevenX42.Modules.Media.Infrastructure;

internal sealed class MediaApi(MediaDbContext context) : IMediaApi
{
    public static AssetInfo Describe(Asset asset) =>
        new(asset.Id, asset.MediaType, asset.Bytes, asset.ContentHash, $"/media/assets/{asset.Id}");

    public async Task<Result<AssetInfo>> FindAsync(Guid ownerId, Guid assetId, CancellationToken cancellationToken)
    {
        var asset = await context.Assets.AsNoTracking()
            .FirstOrDefaultAsync(a => a.Id == assetId && a.OwnerId == ownerId, cancellationToken);
        return asset is null ? Error.NotFound() : Describe(asset);
    }
}
