using Microsoft.Extensions.Logging;
using SevenX42.Modules.Generation.Infrastructure.Jobs;
using SevenX42.Realtime;

namespace SevenX42.Modules.Generation.Infrastructure.Work;

/// <summary>Tells those who wait how many are before them, when that changes, a few times a second at most.</summary>
internal sealed partial class QueueAnnouncer(
    JobStore jobs, IChannelLog log, GenerationMetrics metrics, TimeProvider time, ILogger<QueueAnnouncer> logger)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan CountInterval = TimeSpan.FromSeconds(5);

    private readonly WorkSignal _moved = new();

    /// <summary>The queue has moved.</summary>
    public void Moved() => _moved.Set();

    public async Task RunAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await _moved.WaitAsync(CountInterval, time, stoppingToken);
                await Task.Delay(Interval, time, stoppingToken);
                await AnnounceAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                LogFailed(logger, e);
            }
        }
    }

    private async Task AnnounceAsync(CancellationToken cancellationToken)
    {
        var (queued, _) = await jobs.CountAsync(cancellationToken);
        metrics.Queue(queued);
        if (queued == 0)
            return;
        foreach (var place in await jobs.MoveQueueAsync(cancellationToken))
        {
            // Refused once an attempt has begun: nobody is told a place in a queue that they have left.
            foreach (var channel in JobChannels.Of(place.Id, place.Channel, place.IsImage))
            {
                await log.AppendAsync(
                    channel,
                    [Transcript.QueuedEvent(place.Subject, place.Id, place.Position)],
                    new Fence(place.Id.ToString(), 0),
                    cancellationToken);
            }
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Places in the queue can't be announced now")]
    private static partial void LogFailed(ILogger logger, Exception exception);
}
