using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.EntityFrameworkCore;
using SevenX42.Http;
using SevenX42.Modules.Media.Domain;
using SevenX42.Modules.Media.Infrastructure;

namespace SevenX42.Modules.Media.Features.Images;

/// <summary>One of somebody's pictures, and those beside it.</summary>
/// <param name="OwnerId">Whose.</param>
/// <param name="AssetId">The picture.</param>
/// <param name="Query">The search that it is looked at in, as of <see cref="ListImages"/>; empty for all pictures.</param>
internal sealed record ReadImage(Guid OwnerId, Guid AssetId, string Query) : IMediaQuery<ShownImageVm>;

internal sealed class ReadImageHandler(MediaDbContext context) : IRequestHandler<ReadImage, Result<ShownImageVm>>
{
    public async Task<Result<ShownImageVm>> Handle(ReadImage request, CancellationToken cancellationToken)
    {
        var id = request.AssetId;
        var asset = await context.Assets.AsNoTracking().Include(a => a.Variants).FirstOrDefaultAsync(
            a => a.Id == id && a.OwnerId == request.OwnerId && a.DeletedAt == null && a.Kind == AssetKind.Image, cancellationToken);
        if (asset is null)
            return Error.NotFound("This picture does not exist, or it is not yours.");
        if (FoundImages.In(context, request.OwnerId, request.Query) is not { } images)
            return new ShownImageVm(ImageVm.Of(asset), request.Query, null, null);
        var newer = await images.Where(a => a.Id > id).OrderBy(a => a.Id).Select(a => (Guid?)a.Id).FirstOrDefaultAsync(cancellationToken);
        var older = await images.Where(a => a.Id < id).OrderByDescending(a => a.Id).Select(a => (Guid?)a.Id).FirstOrDefaultAsync(cancellationToken);
        return new ShownImageVm(ImageVm.Of(asset), request.Query, newer, older);
    }
}

/// <summary><c>GET /images/{assetId}</c>: a page of its own, or what stands in the dialog over another.</summary>
internal static class ReadImageEndpoint
{
    /// <param name="assetId">The picture.</param>
    /// <param name="q">The search that it is looked at in.</param>
    /// <param name="user">Who asks.</param>
    /// <param name="sender">The mediator.</param>
    /// <param name="http">The request.</param>
    public static async Task<IResult> Get(Guid assetId, string? q, ICurrentUser user, ISender sender, HttpContext http)
    {
        // As for the list: the query stands beside a private prompt.
        if (!string.IsNullOrEmpty(q))
            http.Features.Get<IHttpsCompressionFeature>()?.Mode = HttpsCompressionMode.DoNotCompress;
        var result = await sender.Send(new ReadImage(user.RequiredId, assetId, GalleryVm.QueryOf(q)));
        if (!result.IsSuccess)
            return result.Error.ToResult();
        var parameters = new Dictionary<string, object?> { ["Model"] = result.Value };
        if (!http.Request.WantsFragment() || http.Request.WantsMain())
            return Html.Page<ImageView>(result.Value.Image.Title, parameters);
        // Another answer than the page under the same address: no browser goes back to it.
        http.Response.Headers.CacheControl = "no-cache, no-store";
        return Html.Fragment<ImageView>(new Dictionary<string, object?>(parameters) { ["InDialog"] = true });
    }
}

/// <summary>A picture that is looked at.</summary>
/// <param name="Image">The picture.</param>
/// <param name="Query">The search that it is looked at in.</param>
/// <param name="Newer">The next newer one of the search; <see langword="null"/> for the newest.</param>
/// <param name="Older">The next older one of the search; <see langword="null"/> for the oldest.</param>
public sealed record ShownImageVm(ImageVm Image, string Query, Guid? Newer, Guid? Older)
{
    // A server reads no longer first line of a request than 8 KB.
    private const int LongestLink = 7_000;

    /// <summary>
    /// The studio with what this picture was asked for with; <see langword="null"/> for an upload, and for more than fits into an address.
    /// </summary>
    public string? Studio
    {
        get
        {
            if (string.IsNullOrWhiteSpace(Image.Prompt))
                return null;
            (string Name, string? Value)[] fields =
            [
                ("prompt", Image.Prompt),
                ("negative", Image.NegativePrompt),
                ("seed", Image.Seed?.ToString(System.Globalization.CultureInfo.InvariantCulture)),
                ("model", Image.Model),
                ("size", Image.Asset.Picture is { } picture ? FormattableString.Invariant($"{picture.Width}x{picture.Height}") : null),
            ];
            var given = fields.Where(f => !string.IsNullOrEmpty(f.Value));
            var link = "/studio?" + string.Join('&', given.Select(f => $"{f.Name}={Uri.EscapeDataString(f.Value!)}"));
            return link.Length <= LongestLink ? link : null;
        }
    }
}
