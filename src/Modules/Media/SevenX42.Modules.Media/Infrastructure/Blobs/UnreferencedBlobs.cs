using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using SevenX42.Modules.Media.Domain;

namespace SevenX42.Modules.Media.Infrastructure.Blobs;

/// <summary>Deletes blobs that no asset and no smaller size of one refers to any more.</summary>
internal sealed partial class UnreferencedBlobs(MediaDbContext context, IBlobStore blobs, ILogger<UnreferencedBlobs> logger)
{
    /// <summary>
    /// Deletes those of the blobs that nobody refers to. To be called after the commit that took the references away. The first that
    /// fails is logged, and left to the sweeper with the rest: a store that does not answer, or somebody who waits for it with the same
    /// content, would be waited for once for each.
    /// </summary>
    /// <returns>How many were deleted.</returns>
    public async Task<int> DeleteAsync(IEnumerable<string> hashes, CancellationToken cancellationToken)
    {
        var deleted = 0;
        foreach (var hash in hashes.Distinct())
        {
            try
            {
                if (await DeleteIfUnreferencedAsync(hash, cancellationToken))
                    deleted++;
            }
            catch (Exception e) when (e is BlobStoreException || MediaDbContext.IsTooLongAWait(e))
            {
                LogLeftBehind(logger, e, hash);
                break;
            }
        }

        return deleted;
    }

    private async Task<bool> DeleteIfUnreferencedAsync(string hash, CancellationToken cancellationToken)
    {
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        await context.LockBlobAsync(hash, cancellationToken);
        if ((await context.ReadReferencedAsync([hash], cancellationToken)).Count > 0)
            return false;
        await blobs.DeleteAsync(hash, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return true;
    }

    [LoggerMessage(1, LogLevel.Warning, "Blob {Hash} could not be deleted; the sweeper tries again")]
    private static partial void LogLeftBehind(ILogger logger, Exception exception, string hash);
}
