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
internal sealed record GetAsset(Guid OwnerId, Guid AssetId) : IMediaQuery<AssetContent>;

/// <summary>An asset and its content, to be disposed by whoever asked.</summary>
internal sealed record AssetContent(Asset Asset, Stream Content);

internal sealed partial class GetAssetHandler(MediaDbContext context, IBlobStore blobs, ILogger<GetAssetHandler> logger)
    : IRequestHandler<GetAsset, Result<AssetContent>>
{
    public async Task<Result<AssetContent>> Handle(GetAsset request, CancellationToken cancellationToken)
    {
        var asset = await context.Assets.AsNoTracking()
            .FirstOrDefaultAsync(a => a.Id == request.AssetId && a.OwnerId == request.OwnerId, cancellationToken);
        if (asset is null)
            return Error.NotFound();
        try
        {
            if (await blobs.OpenAsync(asset.ContentHash, cancellationToken) is { } content)
                return new AssetContent(asset, content);
            LogContentMissing(logger, null, asset.Id);
        }
        catch (BlobStoreException e)
        {
            LogContentMissing(logger, e, asset.Id);
        }

        return Error.Unavailable("storage_unavailable", "The server can't read this file right now. Try again later.");
    }

    [LoggerMessage(1, LogLevel.Error, "The content of asset {AssetId} can't be read")]
    private static partial void LogContentMissing(ILogger logger, Exception? exception, Guid assetId);
}

/// <summary><c>GET /media/assets/{assetId}</c>: to the owner only, as a file and nothing that runs.</summary>
internal static class GetAssetEndpoint
{
    // What is shown in place is a picture; whatever else it might pretend to be gets no script, no origin, no network.
    private const string Sandbox = "default-src 'none'; sandbox";

    public static async Task<IResult> Get(
        Guid assetId, HttpContext http, ICurrentUser user, ISender sender, CancellationToken cancellationToken)
    {
        var result = await sender.Send(new GetAsset(user.RequiredId, assetId), cancellationToken);
        if (!result.IsSuccess)
            return result.Error.ToResult();
        var (asset, content) = result.Value;
        var disposition = new ContentDispositionHeaderValue(MediaTypes.IsImage(asset.MediaType) ? "inline" : "attachment");
        disposition.SetHttpFileName(asset.FileName);
        var headers = http.Response.Headers;
        headers.ContentDisposition = disposition.ToString();
        headers.ContentSecurityPolicy = Sandbox;
        headers.XContentTypeOptions = "nosniff";
        // An asset's content never changes; it is its owner's alone.
        headers.CacheControl = "private, max-age=31536000, immutable";
        return TypedResults.Stream(
            content,
            asset.MediaType == MediaTypes.Text ? "text/plain; charset=utf-8" : asset.MediaType,
            lastModified: asset.CreatedAt,
            entityTag: new EntityTagHeaderValue($"\"{asset.ContentHash}\""),
            enableRangeProcessing: true);
    }
}
