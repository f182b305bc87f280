using Microsoft.EntityFrameworkCore;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Media.Features.Assets;
using SevenX42.Modules.Media.Infrastructure;
using SevenX42.Modules.Media.Infrastructure.Blobs;

namespace SevenX42.Modules.Media.Features.Images;

/// <summary>
/// Deletes the pictures of a job that its end does not name, and whatever picture of it is still to come: its worker died, or lost it, before
/// it could say that they are stored, so no answer has them.
/// </summary>
internal sealed class LostPictures(MediaDbContext context, UnreferencedBlobs unreferenced, IGenerationApi generation, TimeProvider time)
{
    private const int BatchSize = 100;

    /// <summary>To be called in a transaction.</summary>
    /// <param name="jobId">A job that has ended.</param>
    /// <param name="named">The pictures that its end names.</param>
    /// <param name="cancellationToken">Cancels the statements.</param>
    /// <returns>Blobs that may be nobody's once this is committed.</returns>
    public async Task<IReadOnlyList<string>> DeleteAsync(Guid jobId, IReadOnlyList<Guid> named, CancellationToken cancellationToken)
    {
        // A picture that is being stored is waited for and then deleted, a later one finds the mark.
        await context.LockJobAsync(jobId, cancellationToken);
        await context.Database.ExecuteSqlAsync(
            $"INSERT INTO media.ended_jobs (id, ended_at) VALUES ({jobId}, {time.GetUtcNow()}) ON CONFLICT (id) DO NOTHING", cancellationToken);
        var lost = context.Assets.Where(a => a.JobId == jobId && !named.Contains(a.Id));
        if (await lost.Select(a => (Guid?)a.OwnerId).FirstOrDefaultAsync(cancellationToken) is not { } owner)
            return [];
        // The owner's row before the assets: what its owner deletes now is given back by one of the two.
        await context.ChargeAsync(owner, 0, long.MaxValue, cancellationToken);
        var hashes = await MediaDbContext.ReadHashesAsync(lost, cancellationToken);
        var charged = await lost.Where(a => a.DeletedAt == null).SumAsync(a => a.Bytes + a.VariantBytes, cancellationToken);
        await context.RefundAsync(owner, charged, cancellationToken);
        await lost.ExecuteDeleteAsync(cancellationToken);
        return hashes;
    }

    /// <summary>
    /// Asks for the ends that nobody told of: while versions replace each other, one that knows of no pictures may have delivered an end.
    /// </summary>
    /// <param name="storedBefore">Of pictures that were stored before this.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    public async Task SweepAsync(DateTimeOffset storedBefore, CancellationToken cancellationToken)
    {
        // Ids of jobs begin with their time. Of older ones it may be forgotten that their end was told.
        var last = Guid.CreateVersion7(time.GetUtcNow() - AssetPurge.Memory);
        // A job is older than its pictures. What was sent has an id there, too, made of a hash, so that almost none of it lies below; it
        // would all be read. Should the clock that a job has its id from be ahead, a later pass finds it.
        var end = Guid.CreateVersion7(storedBefore);
        while (true)
        {
            // What was sent has no prompt.
            var jobs = await context.Assets
                .Where(a => a.JobId > last && a.JobId < end && a.Prompt != null && a.CreatedAt < storedBefore && !context.EndedJobs.Any(j => j.Id == a.JobId))
                .Select(a => a.JobId!.Value).Distinct().OrderBy(id => id).Take(BatchSize).ToListAsync(cancellationToken);
            if (jobs.Count == 0)
                return;
            foreach (var (job, named) in await generation.GetEndedDrawingsAsync(jobs, cancellationToken))
            {
                IReadOnlyList<string> hashes;
                await using (var transaction = await context.Database.BeginTransactionAsync(cancellationToken))
                {
                    hashes = await DeleteAsync(job, named, cancellationToken);
                    await transaction.CommitAsync(cancellationToken);
                }

                await unreferenced.DeleteAsync(hashes, cancellationToken);
            }

            last = jobs[^1];
        }
    }
}
