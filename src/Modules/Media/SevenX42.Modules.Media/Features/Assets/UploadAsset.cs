using System.Buffers;
using FluentValidation;
using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;
using SevenX42.Contracts.Media;
using SevenX42.Http;
using SevenX42.Modules.Media.Domain;
using SevenX42.Modules.Media.Infrastructure;

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

internal sealed partial class UploadAssetHandler(
    MediaDbContext context, IBlobStore blobs, IOptions<MediaOptions> options, TimeProvider time, ILogger<UploadAssetHandler> logger)
    : IRequestHandler<UploadAsset, Result<AssetInfo>>
{
    private const int BufferSize = 64 * 1024;

    private static readonly Error Empty = Error.Invalid("empty_file", "This file is empty.", "file");
    private static readonly Error UnknownType = Error.Invalid(
        "unsupported_type", "Only PNG, JPEG, GIF and WebP images, PDF and plain text can be stored.", "file");

    public async Task<Result<AssetInfo>> Handle(UploadAsset request, CancellationToken cancellationToken)
    {
        try
        {
            await using var upload = await blobs.BeginAsync(cancellationToken);
            var received = await ReceiveAsync(request, upload, cancellationToken);
            return received.IsSuccess ? await StoreAsync(request, upload, received.Value, cancellationToken) : received.Error;
        }
        catch (BlobStoreException e)
        {
            LogNoRoom(logger, e, request.OwnerId);
            return Error.Unavailable("storage_unavailable", "The server can't store files right now. Nothing of this file was kept; try again later.");
        }
    }

    private async Task<Result<Received>> ReceiveAsync(UploadAsset request, IBlobUpload upload, CancellationToken cancellationToken)
    {
        var used = await context.Set<Owner>().Where(o => o.Id == request.OwnerId).Select(o => o.Bytes).FirstOrDefaultAsync(cancellationToken);
        var left = options.Value.QuotaBytes - used;
        var detector = new MediaTypeDetector();
        long bytes = 0;
        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            while (await request.Content.ReadAsync(buffer.AsMemory(0, BufferSize), cancellationToken) is var count and > 0)
            {
                bytes += count;
                if (bytes > options.Value.MaxAssetBytes)
                    return TooLarge();
                if (bytes > left)
                    return OverQuota();
                detector.Append(buffer.AsSpan(0, count));
                if (detector.IsHopeless)
                    return UnknownType;
                await upload.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        if (bytes == 0)
            return Empty;
        return detector.Detect() is { } mediaType
            ? new Received(mediaType, bytes, await upload.CompleteAsync(cancellationToken))
            : UnknownType;
    }

    private async Task<Result<AssetInfo>> StoreAsync(
        UploadAsset request, IBlobUpload upload, Received received, CancellationToken cancellationToken)
    {
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        // One statement that charges and checks: uploads at the same time wait here for each other, and the one that would
        // pass the quota changes nothing. The same row refuses users who were deleted while their file was coming in.
        var quota = options.Value.QuotaBytes;
        var charged = await context.Database.ExecuteSqlAsync(
            $"""
            INSERT INTO media.owners AS o (id, bytes, is_deleted)
            SELECT {request.OwnerId}, {received.Bytes}, false WHERE {received.Bytes} <= {quota}
            ON CONFLICT (id) DO UPDATE SET bytes = o.bytes + excluded.bytes
            WHERE NOT o.is_deleted AND o.bytes + excluded.bytes <= {quota}
            """,
            cancellationToken);
        if (charged == 0)
            return OverQuota();

        // The file before the row, both under the blob's lock: a row always has its file, and a file without a row is swept.
        await context.LockBlobAsync(received.ContentHash, cancellationToken);
        await upload.PublishAsync(cancellationToken);
        var now = time.GetUtcNow();
        var asset = new Asset
        {
            Id = Guid.CreateVersion7(now),
            OwnerId = request.OwnerId,
            MediaType = received.MediaType,
            Bytes = received.Bytes,
            ContentHash = received.ContentHash,
            FileName = OriginalFileName.Clean(request.FileName),
            CreatedAt = now,
        };
        context.Assets.Add(asset);
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return MediaApi.Describe(asset);
    }

    private Error TooLarge() => Error.Invalid(
        "too_large", $"This file is larger than {Size(options.Value.MaxAssetBytes)}.", "file");

    private Error OverQuota() => Error.Conflict(
        "quota_exceeded", $"This file does not fit into your {Size(options.Value.QuotaBytes)} of storage. Delete something first.");

    private static string Size(long bytes) => bytes switch
    {
        >= 1L << 30 => $"{bytes >> 30} GB",
        >= 1L << 20 => $"{bytes >> 20} MB",
        >= 1L << 10 => $"{bytes >> 10} KB",
        _ => $"{bytes} bytes",
    };

    [LoggerMessage(1, LogLevel.Error, "A file of user {UserId} could not be stored: the blob store fails")]
    private static partial void LogNoRoom(ILogger logger, Exception exception, Guid userId);

    private sealed record Received(string MediaType, long Bytes, string ContentHash);
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
