using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Microsoft.Net.Http.Headers;
using SevenX42.Http;
using SevenX42.Modules.Media.Domain;
using SevenX42.Modules.Media.Infrastructure;

namespace SevenX42.Modules.Media.Features.Assets;

/// <summary>Opens an asset for its owner.</summary>
/// <param name="OwnerId">Who asks.</param>
/// <param name="AssetId">The asset.</param>
/// <param name="Width">Of a picture the smaller size of this width, where there is one.</param>
internal sealed record GetAsset(Guid OwnerId, Guid AssetId, int? Width) : IMediaQuery<AssetContent>;

/// <summary>An asset and its content, to be disposed by whoever asked.</summary>
/// <param name="Asset">The asset.</param>
/// <param name="MediaType">Of the content: a smaller size may be of another type.</param>
/// <param name="ContentHash">Of the content.</param>
/// <param name="Content">The content.</param>
internal sealed record AssetContent(Asset Asset, string MediaType, string ContentHash, Stream Content);

internal sealed partial class GetAssetHandler(MediaDbContext context, IBlobStore blobs, ILogger<GetAssetHandler> logger)
    : IRequestHandler<GetAsset, Result<AssetContent>>
{
    internal static readonly Error Unreadable = Error.Unavailable(
        "storage_unavailable", "The server can't read this file right now. Try again later.");

    public async Task<Result<AssetContent>> Handle(GetAsset request, CancellationToken cancellationToken)
    {
        var found = await context.Assets.AsNoTracking()
            .Where(a => a.Id == request.AssetId && a.OwnerId == request.OwnerId && a.DeletedAt == null)
            .Select(a => new { Asset = a, Smaller = a.Variants.FirstOrDefault(v => v.Width == request.Width) })
            .FirstOrDefaultAsync(cancellationToken);
        if (found is null)
            return Error.NotFound();
        var (asset, smaller) = (found.Asset, found.Smaller);
        try
        {
            if (smaller is not null)
            {
                if (await blobs.OpenAsync(smaller.ContentHash, cancellationToken) is { } small)
                    return new AssetContent(asset, MediaTypes.WebP, smaller.ContentHash, small);
                // The whole picture is still one: a size can be lost to a sweeper of a version that knows of none.
                LogContentMissing(logger, null, asset.Id);
            }

            if (await blobs.OpenAsync(asset.ContentHash, cancellationToken) is { } content)
                return new AssetContent(asset, asset.MediaType, asset.ContentHash, content);
            LogContentMissing(logger, null, asset.Id);
        }
        catch (BlobStoreException e)
        {
            LogContentMissing(logger, e, asset.Id);
        }

        return Unreadable;
    }

    [LoggerMessage(1, LogLevel.Error, "The content of asset {AssetId} can't be read")]
    internal static partial void LogContentMissing(ILogger logger, Exception? exception, Guid assetId);
}

/// <summary>
/// <c>GET /media/assets/{assetId}</c>: to the owner only, as a file and nothing that runs; with <c>w=320</c> or <c>w=640</c> a smaller
/// size of a picture.
/// </summary>
internal static class GetAssetEndpoint
{
    // What is shown in place is a picture; whatever else it might pretend to be gets no script, no origin, no network.
    private const string Sandbox = "default-src 'none'; sandbox";

    /// <param name="assetId">The asset.</param>
    /// <param name="w">Width of a smaller size.</param>
    /// <param name="v">The content that is meant: see <see cref="AssetUrls.VersionOf"/>.</param>
    /// <param name="http">The request.</param>
    /// <param name="user">Who asks.</param>
    /// <param name="sender">The mediator.</param>
    /// <param name="logger">Of the handler.</param>
    /// <param name="cancellationToken">Nobody waits any more.</param>
    public static async Task<IResult> Get(
        Guid assetId,
        int? w,
        string? v,
        HttpContext http,
        ICurrentUser user,
        ISender sender,
        ILogger<GetAssetHandler> logger,
        CancellationToken cancellationToken)
    {
        var result = await sender.Send(new GetAsset(user.RequiredId, assetId, w), cancellationToken);
        if (!result.IsSuccess)
            return result.Error.ToResult();
        var (asset, mediaType, hash, content) = result.Value;
        // In place only what was made anew here; everything else is offered for saving.
        var disposition = new ContentDispositionHeaderValue(asset.Kind == AssetKind.Image ? "inline" : "attachment");
        disposition.SetHttpFileName(asset.Kind == AssetKind.Image ? OriginalFileName.As(asset.FileName, mediaType) : asset.FileName);
        var headers = http.Response.Headers;
        headers.ContentDisposition = disposition.ToString();
        headers.ContentSecurityPolicy = Sandbox;
        headers.XContentTypeOptions = "nosniff";
        // It is its owner's alone; an address that names the content is good for ever, any other is asked for again.
        headers.CacheControl = v == AssetUrls.VersionOf(hash) ? "private, max-age=31536000, immutable" : "private, no-cache";
        var file = TypedResults.Stream(
            content,
            mediaType == MediaTypes.Text ? "text/plain; charset=utf-8" : mediaType,
            lastModified: asset.CreatedAt,
            entityTag: new EntityTagHeaderValue($"\"{hash}\""),
            enableRangeProcessing: true);
        return new Readable(file, fault => GetAssetHandler.LogContentMissing(logger, fault, assetId));
    }

    /// <summary>
    /// A store may know a file and still not give it. Until the first byte is sent that can be said; after it the connection ends.
    /// </summary>
    private sealed class Readable(IResult file, Action<Exception> onFault) : IResult
    {
        public async Task ExecuteAsync(HttpContext httpContext)
        {
            try
            {
                await file.ExecuteAsync(httpContext);
            }
            catch (Exception e) when (e is BlobStoreException or IOException && !httpContext.Response.HasStarted)
            {
                onFault(e);
                httpContext.Response.Clear();
                await GetAssetHandler.Unreadable.ToResult().ExecuteAsync(httpContext);
            }
        }
    }
}
