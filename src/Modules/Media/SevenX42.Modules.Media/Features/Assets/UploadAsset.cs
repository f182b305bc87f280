using FluentValidation;
using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;
using SevenX42.Contracts.Media;
using SevenX42.Http;

namespace SevenX42.Modules.Media.Features.Assets;

/// <summary>Stores a file of a user.</summary>
/// <param name="OwnerId">Whose it will be.</param>
/// <param name="FileName">As claimed.</param>
/// <param name="Content">Read once, while it comes in; not disposed.</param>
internal sealed record UploadAsset(Guid OwnerId, string FileName, Stream Content) : IMediaCommand<AssetInfo>;

internal sealed class UploadAssetValidator : AbstractValidator<UploadAsset>
{
    public UploadAssetValidator() => RuleFor(u => u.OwnerId).NotEmpty().WithErrorCode("owner_missing");
}

internal sealed class UploadAssetHandler(AssetIntake intake) : IRequestHandler<UploadAsset, Result<AssetInfo>>
{
    public async Task<Result<AssetInfo>> Handle(UploadAsset request, CancellationToken cancellationToken)
    {
        var stored = await intake.StoreAsync(request.OwnerId, request.FileName, request.Content, provenance: null, cancellationToken);
        return stored.IsSuccess ? AssetUrls.Describe(stored.Value) : stored.Error;
    }
}

/// <summary><c>POST /media/assets</c>, <c>multipart/form-data</c> with one part named <c>file</c>.</summary>
internal static class UploadAssetEndpoint
{
    /// <summary>What a multipart body holds besides the file: boundaries, headers, the antiforgery field.</summary>
    public const int Overhead = 64 * 1024;

    private const string Field = "file";
    private const int MaxBoundaryLength = 70;

    private static readonly Error Malformed = Error.Invalid(
        "malformed_upload", "Send one file as multipart/form-data, in a part named file.", Field);

    public static async Task<IResult> Post(HttpContext http, ICurrentUser user, ISender sender, CancellationToken cancellationToken)
    {
        try
        {
            if (await FindFileAsync(http, cancellationToken) is not { } file)
                return Malformed.ToResult();
            await using (file.Content)
            {
                var result = await sender.Send(new UploadAsset(user.RequiredId, file.Name, file.Content), cancellationToken);
                return result.IsSuccess ? TypedResults.Created(result.Value.Path, result.Value) : result.Error.ToResult();
            }
        }
        catch (Exception e) when (e is InvalidDataException or IOException and not BadHttpRequestException && !cancellationToken.IsCancellationRequested)
        {
            // The body ends in the middle, or its parts' headers are none.
            return Malformed.ToResult();
        }
    }

    private static async Task<(string Name, Stream Content)?> FindFileAsync(HttpContext http, CancellationToken cancellationToken)
    {
        // A form without scripts carries its antiforgery token in the body, which has been read for it by now.
        if (http.Features.Get<IFormFeature>()?.Form is { } form)
            return form.Files.GetFile(Field) is { } formFile ? (formFile.FileName, formFile.OpenReadStream()) : null;

        if (!MediaTypeHeaderValue.TryParse(http.Request.ContentType, out var type)
            || !type.MediaType.Equals("multipart/form-data", StringComparison.OrdinalIgnoreCase)
            || HeaderUtilities.RemoveQuotes(type.Boundary).Value is not { Length: > 0 and <= MaxBoundaryLength } boundary)
        {
            return null;
        }

        var parts = new MultipartReader(boundary, http.Request.Body);
        while (await parts.ReadNextSectionAsync(cancellationToken) is { } part)
        {
            if (part.GetContentDispositionHeader() is { } disposition && disposition.IsFileDisposition() && disposition.Name == Field)
                return (disposition.FileNameStar.Value ?? disposition.FileName.Value ?? "", part.Body);
        }

        return null;
    }
}
