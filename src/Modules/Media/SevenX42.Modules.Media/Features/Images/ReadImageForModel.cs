using MediatR;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Logging;
using SevenX42.Modules.Media.Domain;
using SevenX42.Modules.Media.Features.Assets;
using SevenX42.Modules.Media.Infrastructure;
using SevenX42.Modules.Media.Infrastructure.Images;

namespace SevenX42.Modules.Media.Features.Images;

/// <summary>Reads a picture as models are shown it.</summary>
internal sealed record ReadImageForModel(Guid OwnerId, Guid AssetId) : IMediaQuery<ReadOnlyMemory<byte>>;

internal sealed class ReadImageForModelHandler(
    MediaDbContext context, IBlobStore blobs, ImageProcessor images, ModelImages recent, ILogger<GetAssetHandler> logger)
    : IRequestHandler<ReadImageForModel, Result<ReadOnlyMemory<byte>>>
{
    public async Task<Result<ReadOnlyMemory<byte>>> Handle(ReadImageForModel request, CancellationToken cancellationToken)
    {
        var asset = await context.Assets.AsNoTracking()
            .Where(a => a.Id == request.AssetId && a.OwnerId == request.OwnerId && a.DeletedAt == null && a.Kind == AssetKind.Image)
            .Select(a => new { a.MediaType, a.ContentHash })
            .FirstOrDefaultAsync(cancellationToken);
        if (asset is null)
            return Error.NotFound();
        if (recent.Find(asset.ContentHash) is { } known)
            return new ReadOnlyMemory<byte>(known);
        // Whole in memory until its turn has come: of many that wait only a few.
        await recent.Places.WaitAsync(cancellationToken);
        try
        {
            await using var stored = await blobs.OpenAsync(asset.ContentHash, cancellationToken);
            if (stored is not null)
            {
                // The decoder reads where nobody can wait for a store.
                using var content = new MemoryStream();
                await stored.CopyToAsync(content, cancellationToken);
                content.Position = 0;
                var small = await images.ShrinkForModelAsync(request.OwnerId, asset.MediaType, content, cancellationToken);
                if (!small.IsSuccess)
                    return small.Error;
                recent.Keep(asset.ContentHash, small.Value);
                return new ReadOnlyMemory<byte>(small.Value);
            }

            GetAssetHandler.LogContentMissing(logger, null, request.AssetId);
        }
        catch (Exception e) when (e is BlobStoreException or IOException)
        {
            GetAssetHandler.LogContentMissing(logger, e, request.AssetId);
        }
        finally
        {
            recent.Places.Release();
        }

        return GetAssetHandler.Unreadable;
    }
}

/// <summary>What models were shown a moment ago: whoever asks about a picture asks again about the same. Bounded by its size.</summary>
internal sealed class ModelImages : IDisposable
{
    private const int MostBytes = 32 * 1024 * 1024;

    /// <summary>How many pictures are made smaller, or wait for it, at the same time.</summary>
    private const int MostAtOnce = 2;

    private readonly MemoryCache _cache = new(new MemoryCacheOptions { SizeLimit = MostBytes });

    /// <summary>Whoever reads a whole picture has one of these.</summary>
    public SemaphoreSlim Places { get; } = new(MostAtOnce);

    public byte[]? Find(string contentHash) => _cache.Get<byte[]>(contentHash);

    public void Keep(string contentHash, byte[] content) =>
        _cache.Set(contentHash, content, new MemoryCacheEntryOptions { Size = content.Length, SlidingExpiration = TimeSpan.FromMinutes(30) });

    public void Dispose()
    {
        _cache.Dispose();
        Places.Dispose();
    }
}
