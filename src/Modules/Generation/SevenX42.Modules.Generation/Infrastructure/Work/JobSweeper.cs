using Microsoft.Extensions.Logging;
using SevenX42.Modules.Generation.Infrastructure.Jobs;

namespace SevenX42.Modules.Generation.Infrastructure.Work;

/// <summary>
/// Does what a process that died between two steps could not do, and clears what nobody needs any more. In bounded batches.
/// </summary>
internal sealed partial class JobSweeper(
    JobStore jobs, Announcements announcements, GenerationOptions options, TimeProvider time, ILogger<JobSweeper> logger)
{
    private const int BatchSize = 200;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    /// <summary>How long the process that finished a job is left to announce it.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);

    public async Task RunAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await AnnounceAsync(Patience, stoppingToken);
                while (await jobs.SweepAsync(options.TextRetention, options.JobRetention, BatchSize, stoppingToken) >= BatchSize)
                {
                }

                if (!await timer.WaitForNextTickAsync(stoppingToken))
                    return;
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                LogFailed(logger, e);
                await Task.Delay(Interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Announces ends that were stored and not announced, with the whole text: readers keep what they lack of it.</summary>
    public async Task AnnounceAsync(TimeSpan age, CancellationToken cancellationToken)
    {
        foreach (var job in await jobs.FindUnannouncedAsync(age, BatchSize, cancellationToken))
        {
            await announcements.AnnounceAsync(job, cancellationToken);
            LogAnnounced(logger, job.Id);
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Finished generations can't be swept now")]
    private static partial void LogFailed(ILogger logger, Exception exception);

    [LoggerMessage(2, LogLevel.Information, "The end of generation {GenerationId} is announced late")]
    private static partial void LogAnnounced(ILogger logger, Guid generationId);
}
