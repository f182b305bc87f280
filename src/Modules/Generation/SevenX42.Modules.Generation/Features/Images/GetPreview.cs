using MediatR;
using Microsoft.AspNetCore.Http;
using SevenX42.Http;
using SevenX42.Modules.Generation.Domain.Images;
using SevenX42.Modules.Generation.Infrastructure.Images;

namespace SevenX42.Modules.Generation.Features.Images;

/// <summary>How the pictures of a running generation look so far, for whoever asked for them.</summary>
internal sealed record GetPreview(Guid GenerationId) : IGenerationQuery<Preview>;

internal sealed class GetPreviewHandler(PreviewStore previews, ICurrentUser user) : IRequestHandler<GetPreview, Result<Preview>>
{
    public async Task<Result<Preview>> Handle(GetPreview request, CancellationToken cancellationToken) =>
        await previews.FindAsync(user.RequiredId, request.GenerationId, cancellationToken) is { } preview ? preview : Error.NotFound();
}

/// <summary><c>GET /images/{generationId}/preview</c>: the newest preview, whichever is asked for.</summary>
internal static class GetPreviewEndpoint
{
    // A provider's bytes, as they came: a picture to a browser, and nothing that runs.
    private const string Sandbox = "default-src 'none'; sandbox";

    /// <param name="generationId">The generation.</param>
    /// <param name="v">The preview that is meant; there may be a newer one by now.</param>
    /// <param name="http">The request.</param>
    /// <param name="sender">The mediator.</param>
    /// <param name="cancellationToken">Nobody waits any more.</param>
    public static async Task<IResult> Get(Guid generationId, string? v, HttpContext http, ISender sender, CancellationToken cancellationToken)
    {
        var result = await sender.Send(new GetPreview(generationId), cancellationToken);
        if (!result.IsSuccess)
            return result.Error.ToResult();
        var headers = http.Response.Headers;
        headers.ContentSecurityPolicy = Sandbox;
        headers.XContentTypeOptions = "nosniff";
        headers.CacheControl = v == result.Value.Version ? "private, max-age=600, immutable" : "no-store";
        return TypedResults.Bytes(result.Value.Bytes, result.Value.MediaType);
    }
}
