using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Infrastructure.Jobs;
using SevenX42.Realtime;

namespace SevenX42.Modules.Generation.Infrastructure.Work;

/// <summary>
/// Brings what one attempt comes to into the logs of its channels: the first news at once, the rest coalesced. A log that is away
/// is tried again with the same events; offsets, and states that say everything, make it harmless when they arrive twice.
/// </summary>
internal sealed partial class LogWriter : IAsyncDisposable
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(1);

    private readonly IChannelLog _log;
    private readonly ClaimedJob _job;
    private readonly IAttemptRecord _record;
    private readonly Action _refused;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Fence _fence;
    private readonly DeltaCoalescer _coalescer;
    private readonly IReadOnlyList<string> _channels;
    private readonly CancellationTokenSource _abandon = new();
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
    private readonly Task _loop;

    public LogWriter(
        IChannelLog log, ClaimedJob job, IAttemptRecord record, Action refused, TimeProvider time, ILogger logger)
    {
        (_log, _job, _record, _refused, _time, _logger) = (log, job, record, refused, time, logger);
        _coalescer = new DeltaCoalescer(record.Interval);
        _channels = JobChannels.Of(job.Id, job.Channel, job.IsImage);
        _fence = new Fence(job.Id.ToString(), job.Attempt);
        _loop = _channels.Count == 0 ? Task.CompletedTask : RunAsync();
    }

    /// <summary>The record has more.</summary>
    public void Wake() => _wake.Writer.TryWrite(true);

    /// <summary>Writes the rest. Nothing may be added to the record any more.</summary>
    /// <param name="limit">How long that may take.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Whether everything is in the log.</returns>
    public async Task<bool> FlushAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        _wake.Writer.TryComplete();
        try
        {
            await _loop.WaitAsync(limit, _time, cancellationToken);
            return true;
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Writes no more, finished or not.</summary>
    public async ValueTask DisposeAsync()
    {
        _wake.Writer.TryComplete();
        await _abandon.CancelAsync();
        await _loop;
        _abandon.Dispose();
    }

    private async Task RunAsync()
    {
        await Task.Yield();
        var events = new List<NewChannelEvent>();
        try
        {
            bool more;
            do
            {
                more = await _wake.Reader.WaitToReadAsync(_abandon.Token);
                _wake.Reader.TryRead(out _);
                if (more && _coalescer.DueIn(Now) is var wait && wait > TimeSpan.Zero)
                    await Task.Delay(wait, _time, _abandon.Token);
                var hasNews = _record.Take(events);
                if (events.Count == 0)
                    continue;
                foreach (var channel in _channels)
                {
                    if (!await AppendAsync(channel, [.. events]))
                        return;
                }

                events.Clear();

                // The beginning of an attempt is no reason for its first token to wait.
                if (hasNews)
                    _coalescer.HandedOn(Now);
            }
            while (more);
        }
        catch (OperationCanceledException) when (_abandon.IsCancellationRequested)
        {
            // Somebody else writes on, or nobody.
        }
    }

    private TimeSpan Now => _time.GetElapsedTime(0);

    private async Task<bool> AppendAsync(string channel, NewChannelEvent[] events)
    {
        for (var delay = FirstRetry; ; delay = delay * 2 < LongestRetry ? delay * 2 : LongestRetry)
        {
            try
            {
                var result = await _log.AppendAsync(channel, events, _fence, _abandon.Token);
                if (!result.Accepted)
                    _refused();
                return result.Accepted;
            }
            catch (ChannelLogUnavailableException e)
            {
                LogUnavailable(_logger, e, _job.Id, delay.TotalMilliseconds);
                await Task.Delay(delay, _time, _abandon.Token);
            }
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "The channel log is away; generation {GenerationId} writes again in {DelayMs} ms")]
    private static partial void LogUnavailable(ILogger logger, Exception exception, Guid generationId, double delayMs);
}
