using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using SevenX42.Contracts.Media;
using SevenX42.Modules.Media.Domain;
using SevenX42.Modules.Media.Infrastructure;
using SevenX42.Modules.Media.Infrastructure.Blobs;
using SevenX42.Modules.Media.Infrastructure.Images;

namespace SevenX42.Modules.Media.Features.Assets;

/// <summary>
/// Takes contents in, whoever they come from: finds what they are, makes pictures anew, charges the owner and stores blobs and row,
/// all of it or nothing.
/// </summary>
internal sealed partial class AssetIntake(
    MediaDbContext context,
    IBlobStore blobs,
    UnreferencedBlobs unreferenced,
    ImageProcessor images,
    StoringPlaces places,
    IOptions<MediaOptions> options,
    TimeProvider time,
    ILogger<AssetIntake> logger)
{
    private const int BufferSize = 64 * 1024;

    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    private static readonly Error Empty = Error.Invalid("empty_file", "This file is empty.", "file");
    private static readonly Error UnknownType = Error.Invalid(
        "unsupported_type", "Only PNG, JPEG, GIF, WebP and AVIF images, PDF and plain text can be stored.", "file");

    private static readonly Error Busy = Error.Unavailable(
        "busy", "The server is busy with other files right now. Nothing of this file was kept; try again in a moment.", TimeSpan.FromSeconds(5));

    private static readonly Error StorageUnavailable = Error.Unavailable(
        "storage_unavailable", "The server can't store files right now. Nothing of this file was kept; try again later.");

    private static readonly Error NoImage = Error.Invalid("no_image", "This is no picture: PNG, JPEG, WebP, GIF and AVIF are.", "file");

    /// <summary>Stores a content.</summary>
    /// <param name="ownerId">Whose it will be.</param>
    /// <param name="fileName">As claimed.</param>
    /// <param name="content">Read once; not disposed.</param>
    /// <param name="provenance">Where it comes from when a model made it; then it has to be a picture.</param>
    /// <param name="cancellationToken">Cancels it; nothing is kept then.</param>
    public async Task<Result<Asset>> StoreAsync(
        Guid ownerId, string fileName, Stream content, ImageProvenance? provenance, CancellationToken cancellationToken)
    {
        try
        {
            if (provenance is not null && await FindStoredAsync(ownerId, provenance.JobId, provenance.Index, cancellationToken) is { } stored)
                return stored;
            await using var upload = await blobs.BeginAsync(cancellationToken);
            var received = await ReceiveAsync(ownerId, content, upload, uncharged: 0, cancellationToken);
            if (!received.IsSuccess)
                return received.Error;
            var (mediaType, whole) = received.Value;
            if (MediaTypes.IsImage(mediaType))
                return await StoreImageAsync(ownerId, fileName, mediaType, upload, provenance, held: null, cancellationToken);
            if (provenance is not null)
                return NoImage;
            return await StoreAsync(
                [whole],
                now => new Asset
                {
                    Id = Guid.CreateVersion7(now),
                    OwnerId = ownerId,
                    Kind = AssetKind.File,
                    MediaType = mediaType,
                    Bytes = whole.Bytes,
                    ContentHash = whole.Hash,
                    FileName = OriginalFileName.Clean(fileName),
                    CreatedAt = now,
                },
                cancellationToken);
        }
        catch (BlobStoreException e)
        {
            LogNoRoom(logger, e, ownerId);
            return StorageUnavailable;
        }
    }

    /// <summary>Stores a picture that is held back: as if it were deleted, until it is kept. Once for each sending, index and content.</summary>
    /// <param name="ownerId">Whose it will be.</param>
    /// <param name="content">Read once; not disposed.</param>
    /// <param name="source">Where it comes from.</param>
    /// <param name="cancellationToken">Cancels it; nothing is kept then.</param>
    public async Task<Result<Asset>> HoldAsync(Guid ownerId, Stream content, SentImage source, CancellationToken cancellationToken)
    {
        try
        {
            // What waits to be kept, or to be purged, takes room that nobody is charged for.
            var uncharged = await context.Assets.Where(a => a.OwnerId == ownerId && a.DeletedAt != null)
                .SumAsync(a => a.Bytes + a.VariantBytes, cancellationToken);
            await using var upload = await blobs.BeginAsync(cancellationToken);
            var received = await ReceiveAsync(ownerId, content, upload, uncharged, cancellationToken);
            if (!received.IsSuccess)
                return received.Error == UnknownType ? NoImage : received.Error;
            var (mediaType, whole) = received.Value;
            if (!MediaTypes.IsImage(mediaType))
                return NoImage;
            var held = new Held(IdOf(ownerId, source.SendingId, whole.Hash), source.Index);
            if (await FindStoredAsync(ownerId, held.Id, held.Index, cancellationToken) is not { } stored)
            {
                return await StoreImageAsync(ownerId, source.FileName, mediaType, upload, provenance: null, held, cancellationToken);
            }

            // Sent again: its time begins anew, or the purge might take it from under the message.
            await context.Assets.Where(a => a.Id == stored.Id && a.ConversationId == null && a.DeletedAt != null)
                .ExecuteUpdateAsync(set => set.SetProperty(a => a.DeletedAt, time.GetUtcNow()), cancellationToken);
            return stored;
        }
        catch (BlobStoreException e)
        {
            LogNoRoom(logger, e, ownerId);
            return StorageUnavailable;
        }
    }

    /// <summary>The owner has no room.</summary>
    public Error OverQuota() => Error.Conflict(
        "quota_exceeded", $"This file does not fit into your {Size(options.Value.QuotaBytes)} of storage. Delete something first.");

    private async Task<Result<(string MediaType, Part Whole)>> ReceiveAsync(
        Guid ownerId, Stream content, IBlobUpload upload, long uncharged, CancellationToken cancellationToken)
    {
        var used = await context.Set<Owner>().Where(o => o.Id == ownerId).Select(o => o.Bytes).FirstOrDefaultAsync(cancellationToken);
        var left = options.Value.QuotaBytes - used - uncharged;
        var detector = new MediaTypeDetector();
        long bytes = 0;
        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            while (await content.ReadAsync(buffer.AsMemory(0, BufferSize), cancellationToken) is var count and > 0)
            {
                bytes += count;
                if (bytes > options.Value.MaxAssetBytes)
                    return Error.Invalid("too_large", $"This file is larger than {Size(options.Value.MaxAssetBytes)}.", "file");
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
            ? (mediaType, new Part(upload, await upload.CompleteAsync(cancellationToken), bytes))
            : UnknownType;
    }

    // Of the picture that came in nothing is stored: its upload is given up.
    private async Task<Result<Asset>> StoreImageAsync(
        Guid ownerId,
        string fileName,
        string claimedType,
        IBlobUpload upload,
        ImageProvenance? provenance,
        Held? held,
        CancellationToken cancellationToken)
    {
        Result<CleanImage> cleaned;
        await using (var content = upload.Read())
            cleaned = await images.CleanAsync(ownerId, claimedType, content, cancellationToken);
        if (!cleaned.IsSuccess)
            return cleaned.Error;
        var image = cleaned.Value;
        var parts = new List<Part>();
        try
        {
            foreach (var content in image.Variants.Select(v => v.Content).Prepend(image.Content))
                parts.Add(await WriteAsync(content, cancellationToken));
            return await StoreAsync(
                parts,
                now =>
                {
                    var id = Guid.CreateVersion7(now);
                    return new Asset
                    {
                        Id = id,
                        OwnerId = ownerId,
                        Kind = AssetKind.Image,
                        MediaType = image.MediaType,
                        Bytes = parts[0].Bytes,
                        ContentHash = parts[0].Hash,
                        FileName = OriginalFileName.Clean(OriginalFileName.As(fileName, image.MediaType)),
                        Width = image.Width,
                        Height = image.Height,
                        Preview = image.Preview,
                        Variants =
                        [
                            .. image.Variants.Zip(parts.Skip(1), (variant, part) => new AssetVariant
                            {
                                AssetId = id,
                                Width = variant.Width,
                                Height = variant.Height,
                                ContentHash = part.Hash,
                            }),
                        ],
                        VariantBytes = parts.Skip(1).Sum(p => p.Bytes),
                        Prompt = provenance?.Prompt,
                        NegativePrompt = provenance?.NegativePrompt,
                        Seed = provenance?.Seed,
                        Model = provenance?.Model,
                        JobId = held?.Id ?? provenance?.JobId,
                        JobIndex = held?.Index ?? provenance?.Index,
                        ConversationId = provenance?.ConversationId,
                        CreatedAt = now,
                        DeletedAt = held is null ? null : now,
                    };
                },
                cancellationToken);
        }
        finally
        {
            foreach (var part in parts)
                await part.Upload.DisposeAsync();
        }
    }

    private async Task<Part> WriteAsync(byte[] content, CancellationToken cancellationToken)
    {
        var upload = await blobs.BeginAsync(cancellationToken);
        try
        {
            await upload.WriteAsync(content, cancellationToken);
            return new Part(upload, await upload.CompleteAsync(cancellationToken), content.Length);
        }
        catch
        {
            await upload.DisposeAsync();
            throw;
        }
    }

    private async Task<Result<Asset>> StoreAsync(IReadOnlyList<Part> parts, Func<DateTimeOffset, Asset> create, CancellationToken cancellationToken)
    {
        if (!await places.TakeAsync(LongestWait, cancellationToken))
            return Busy;
        var published = new List<string>();
        try
        {
            var (outcome, isNew) = await StoreAsync(parts, create(time.GetUtcNow()), published, cancellationToken);
            if (!isNew)
                await unreferenced.DeleteAsync(published, CancellationToken.None);
            return outcome;
        }
        catch (BlobStoreException)
        {
            // One of several: those that were published are nobody's. A store that took none is not asked to delete any: it would not
            // answer that either, and somebody waits.
            await unreferenced.DeleteAsync(published, CancellationToken.None);
            throw;
        }
        finally
        {
            places.Return();
        }
    }

    // Whoever is refused has published for nothing; what nobody refers to then, the caller deletes once the locks are gone.
    private async Task<(Result<Asset> Outcome, bool IsNew)> StoreAsync(
        IReadOnlyList<Part> parts, Asset asset, List<string> published, CancellationToken cancellationToken)
    {
        if (!await HasRoomAsync(asset, cancellationToken))
            return (await FindStoredAsync(asset, cancellationToken) is { } there ? there : OverQuota(), false);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        try
        {
            // The files before the row, both under the blobs' locks: a row always has its files, and a file without a row is swept. The
            // owner's row is locked after that and for no longer than a few statements: their other files and deletions don't wait
            // for a store.
            foreach (var part in parts.OrderBy(p => p.Hash, StringComparer.Ordinal))
            {
                await context.LockBlobAsync(part.Hash, cancellationToken);
                await part.Upload.PublishAsync(cancellationToken);
                published.Add(part.Hash);
            }

            var drawnBy = asset.DeletedAt is null ? asset.JobId : null;
            if (drawnBy is { } job)
                await context.LockJobAsync(job, cancellationToken);
            // What is held back is charged when it is kept.
            var charged = await context.ChargeAsync(
                asset.OwnerId, asset.DeletedAt is null ? asset.ChargedBytes : 0, options.Value.QuotaBytes, cancellationToken);
            // Whoever stores the same picture of the same job waits for the owner's row above, and then finds it here.
            if (await FindStoredAsync(asset, cancellationToken) is { } stored)
                return (stored, false);
            if (!charged)
                return (OverQuota(), false);
            if (asset.ConversationId is { } conversation && await context.DeletedConversations.AnyAsync(c => c.Id == conversation, cancellationToken))
                return (Error.NotFound("The conversation of this picture is gone."), false);
            if (drawnBy is not null && await context.EndedJobs.AnyAsync(j => j.Id == drawnBy, cancellationToken))
                return (Error.NotFound("This picture comes after the end of its job."), false);
        }
        catch (Exception e) when (MediaDbContext.IsTooLongAWait(e))
        {
            // Somebody stores or deletes the same content, and their store takes its time.
            LogBusy(logger, e, asset.OwnerId);
            return (Busy, false);
        }

        context.Assets.Add(asset);
        await context.SaveChangesAsync(cancellationToken);
        if (asset.Kind == AssetKind.Image)
            await MakeFindableAsync(asset, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return (asset, true);
    }

    // Charging decides; this spares a store what is clearly too much.
    private async Task<bool> HasRoomAsync(Asset asset, CancellationToken cancellationToken) =>
        await context.Set<Owner>().Where(o => o.Id == asset.OwnerId).Select(o => o.Bytes).FirstOrDefaultAsync(cancellationToken)
            <= options.Value.QuotaBytes - asset.ChargedBytes;

    private async Task<Asset?> FindStoredAsync(Asset asset, CancellationToken cancellationToken) =>
        asset is { JobId: { } job, JobIndex: { } index } ? await FindStoredAsync(asset.OwnerId, job, index, cancellationToken) : null;

    // Also one that was deleted since: what somebody deleted does not come back because a worker died.
    private Task<Asset?> FindStoredAsync(Guid ownerId, Guid jobId, int index, CancellationToken cancellationToken) => context.Assets.AsNoTracking()
        .Include(a => a.Variants)
        .FirstOrDefaultAsync(a => a.JobId == jobId && a.JobIndex == index && a.OwnerId == ownerId, cancellationToken);

    private async Task MakeFindableAsync(Asset asset, CancellationToken cancellationToken)
    {
        var words = ImageWords.Of(asset.Prompt ?? Path.GetFileNameWithoutExtension(asset.FileName));
        await context.Database.ExecuteSqlAsync($"UPDATE media.assets SET search = to_tsvector('simple', {words}) WHERE id = {asset.Id}", cancellationToken);
    }

    // The same content of the same sending, and no other, whoever says so.
    private static Guid IdOf(Guid ownerId, Guid sendingId, string contentHash)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes($"{ownerId:N}{sendingId:N}{contentHash}"), hash);
        // Marked as what RFC 9562 calls version 8: made by a rule of one's own.
        hash[6] = (byte)((hash[6] & 0x0f) | 0x80);
        hash[8] = (byte)((hash[8] & 0x3f) | 0x80);
        return new Guid(hash[..16], bigEndian: true);
    }

    private static string Size(long bytes) => bytes switch
    {
        >= 1L << 30 => $"{bytes >> 30} GB",
        >= 1L << 20 => $"{bytes >> 20} MB",
        >= 1L << 10 => $"{bytes >> 10} KB",
        _ => $"{bytes} bytes",
    };

    [LoggerMessage(1, LogLevel.Error, "A file of user {UserId} could not be stored: the blob store fails")]
    private static partial void LogNoRoom(ILogger logger, Exception exception, Guid userId);

    [LoggerMessage(2, LogLevel.Warning, "A file of user {UserId} could not be stored: its content is being stored or deleted for longer than anybody waits")]
    private static partial void LogBusy(ILogger logger, Exception exception, Guid userId);

    /// <summary>A content that is complete and not yet published.</summary>
    private sealed record Part(IBlobUpload Upload, string Hash, long Bytes);

    /// <summary>What a picture that is held back is known by.</summary>
    private sealed record Held(Guid Id, int Index);
}

/// <summary>
/// How many files are stored at once in this process. Each holds a connection while it waits for the store: one that does not answer must
/// not take all connections that the whole application has.
/// </summary>
internal sealed class StoringPlaces : IDisposable
{
    private const int MostAtOnce = 4;

    private readonly SemaphoreSlim _places = new(MostAtOnce);

    /// <summary>Waits for a place; whoever has one returns it.</summary>
    /// <returns><see langword="false"/> when there was none in time.</returns>
    public Task<bool> TakeAsync(TimeSpan longest, CancellationToken cancellationToken) => _places.WaitAsync(longest, cancellationToken);

    public void Return() => _places.Release();

    public void Dispose() => _places.Dispose();
}
