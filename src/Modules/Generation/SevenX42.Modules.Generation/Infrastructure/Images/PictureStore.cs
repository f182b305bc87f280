using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using SevenX42.Contracts.Media;
using SevenX42.Modules.Generation.Infrastructure.Jobs;
using SevenX42.Modules.Generation.Infrastructure.Work;
using SevenX42.Persistence;

namespace SevenX42.Modules.Generation.Infrastructure.Images;

/// <summary>Hands drawn pictures to Media, which keeps each of a job once.</summary>
internal sealed partial class PictureStore(IServiceScopeFactory scopes, JobStore jobs, TimeProvider time, ILogger<PictureStore> logger)
{
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(2);

    /// <summary>A store that is away for longer may have no room left, and somebody has to be told.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>
    /// Stores a picture. A store that is busy or away is waited for, for two minutes, and the database for as long as it takes: the picture
    /// is complete and would have to be drawn again. A stop ends that wait, but nothing that has begun: else the answer might lack a picture that is stored.
    /// </summary>
    /// <returns>The asset, or why it can't be kept.</returns>
    /// <exception cref="OperationCanceledException">The process stops, or the job is another worker's.</exception>
    public async Task<Result<AssetInfo>> StoreAsync(ClaimedJob job, ReadOnlyMemory<byte> picture, ImageProvenance provenance, AttemptStop stop)
    {
        var began = time.GetTimestamp();
        for (var delay = FirstDelay; ; delay = Longer(delay))
        {
            try
            {
                // A worker that slept beyond its lease does not know.
                if (!await jobs.IsRunningAsync(job, stop.Left))
                    stop.Stop(StopReason.LeaseLost);
                stop.Left.ThrowIfCancellationRequested();
                await using var scope = scopes.CreateAsyncScope();
                using var content = new MemoryStream(picture.ToArray(), writable: false);
                var media = scope.ServiceProvider.GetRequiredService<IMediaApi>();
                var stored = await media.StoreGeneratedAsync(job.UserId, content, provenance, stop.Left);
                if (stored.IsSuccess || stored.Error.Kind != ErrorKind.Unavailable || stop.Stopped.IsCancellationRequested
                    || time.GetElapsedTime(began) > Patience)
                    return stored;
                LogBusy(logger, job.Id, stored.Error.Code, delay.TotalMilliseconds);
                await Task.Delay(delay, time, stop.Stopped).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (Exception e) when (!stop.Left.IsCancellationRequested && DatabaseFaults.IsTransient(e))
            {
                // Stopped or not: without it the end can't be stored either.
                LogWaiting(logger, e, job.Id, delay.TotalMilliseconds);
                await Task.Delay(delay, time, stop.Left);
            }
        }
    }

    /// <summary>The pictures of a job that attempts before this one have stored. The database is waited for as long as it takes.</summary>
    /// <exception cref="OperationCanceledException">The process stops, or the job is another worker's.</exception>
    public async Task<IReadOnlyList<GeneratedImage>> FindAsync(ClaimedJob job, AttemptStop stop)
    {
        for (var delay = FirstDelay; ; delay = Longer(delay))
        {
            try
            {
                await using var scope = scopes.CreateAsyncScope();
                return await scope.ServiceProvider.GetRequiredService<IMediaApi>().FindGeneratedAsync(job.UserId, job.Id, stop.Left);
            }
            catch (Exception e) when (!stop.Left.IsCancellationRequested && DatabaseFaults.IsTransient(e))
            {
                LogUnknown(logger, e, job.Id, delay.TotalMilliseconds);
                await Task.Delay(delay, time, stop.Left);
            }
        }
    }

    private static TimeSpan Longer(TimeSpan delay) => delay * 2 < LongestDelay ? delay * 2 : LongestDelay;

    [LoggerMessage(1, LogLevel.Warning, "A picture of generation {GenerationId} can't be stored now, again in {DelayMs} ms")]
    private static partial void LogWaiting(ILogger logger, Exception exception, Guid generationId, double delayMs);

    [LoggerMessage(2, LogLevel.Warning, "A picture of generation {GenerationId} can't be stored now ({Code}), again in {DelayMs} ms")]
    private static partial void LogBusy(ILogger logger, Guid generationId, string code, double delayMs);

    [LoggerMessage(3, LogLevel.Warning, "Which pictures of generation {GenerationId} are stored can't be read now, again in {DelayMs} ms")]
    private static partial void LogUnknown(ILogger logger, Exception exception, Guid generationId, double delayMs);
}
