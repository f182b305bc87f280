using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using SevenX42.Modules.Media.Domain;
using SevenX42.Modules.Media.Features.Images;

namespace SevenX42.Modules.Media.Infrastructure.Blobs;

/// <summary>
/// Deletes what a process that died left in the blob store: parts of uploads, and blobs whose asset was never committed or
/// whose deletion was; before that, pictures of jobs whose end was missed. Any number of processes may sweep at once.
/// </summary>
internal sealed partial class BlobSweeper(
    IBlobStore blobs,
    IServiceScopeFactory scopes,
    IOptions<MediaOptions> options,
    AppRoleContext role,
    TimeProvider time,
    ILogger<BlobSweeper> logger) : BackgroundService
{
    /// <summary>How many blobs are looked at in one query, and held in memory.</summary>
    private const int BatchSize = 500;

    /// <summary>How many blobs one pass deletes at most; the next pass goes on.</summary>
    private const int MaxDeletions = 10_000;

    /// <summary>Looks through the store once.</summary>
    public async Task SweepAsync(CancellationToken cancellationToken)
    {
        var old = time.GetUtcNow() - options.Value.SweepAge;
        var parts = await blobs.DiscardAbandonedAsync(old, cancellationToken);
        var orphans = 0;
        var batch = new List<string>(BatchSize);
        await foreach (var hash in blobs.ListAsync(old, cancellationToken))
        {
            batch.Add(hash);
            if (batch.Count == BatchSize)
                orphans += await SweepBatchAsync(batch, cancellationToken);
            if (orphans >= MaxDeletions)
                break;
        }

        orphans += await SweepBatchAsync(batch, cancellationToken);
        if (parts + orphans > 0)
            LogSwept(logger, orphans, parts);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Value.SweepInterval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            // Each process has files coming in, a worker those that models made, and maybe in a folder of its own. The store is one
            // for all: looking through it is left to those that serve.
            if (!role.ServesWeb)
            {
                await TryAsync(() => blobs.DiscardAbandonedAsync(time.GetUtcNow() - options.Value.SweepAge, stoppingToken), LogFailed, stoppingToken);
                continue;
            }

            // Each by itself: one that fails every time keeps nothing from being done but what is its own.
            await TryAsync(() => SweepLostAsync(stoppingToken), LogLostFailed, stoppingToken);
            await TryAsync(() => SweepAsync(stoppingToken), LogFailed, stoppingToken);
        }
    }

    private async Task TryAsync(Func<Task> sweep, Action<ILogger, Exception> logFailed, CancellationToken stoppingToken)
    {
        try
        {
            await sweep();
        }
        catch (Exception e) when (e is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
        {
            // The database or the directory is away; the next pass finds what this one missed.
            logFailed(logger, e);
        }
    }

    private async Task SweepLostAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<LostPictures>().SweepAsync(time.GetUtcNow() - options.Value.SweepAge, cancellationToken);
    }

    private async Task<int> SweepBatchAsync(List<string> batch, CancellationToken cancellationToken)
    {
        if (batch.Count == 0)
            return 0;
        await using var scope = scopes.CreateAsyncScope();
        var context = scope.ServiceProvider.GetRequiredService<MediaDbContext>();
        var referenced = await context.ReadReferencedAsync(batch, cancellationToken);
        var orphans = batch.Except(referenced).ToList();
        batch.Clear();
        return await scope.ServiceProvider.GetRequiredService<UnreferencedBlobs>().DeleteAsync(orphans, cancellationToken);
    }

    [LoggerMessage(1, LogLevel.Information, "Swept {Orphans} blobs that nobody refers to and {Parts} parts of uploads")]
    private static partial void LogSwept(ILogger logger, int orphans, int parts);

    [LoggerMessage(2, LogLevel.Warning, "The blob store could not be swept; the next pass tries again")]
    private static partial void LogFailed(ILogger logger, Exception exception);

    [LoggerMessage(3, LogLevel.Warning, "Pictures of jobs whose end was missed could not be looked for; the next pass tries again")]
    private static partial void LogLostFailed(ILogger logger, Exception exception);
}
