using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using SevenX42.Realtime;
using StackExchange.Redis;

namespace SevenX42.Limits;

/// <summary>How the limits in Redis go about time.</summary>
/// <param name="Patience">How long a request may be held up.</param>
/// <param name="Pause">How long Redis is not asked after it did not answer.</param>
/// <param name="Lease">How long the places of a process that was killed are still taken; they are renewed three times as often.</param>
internal sealed record LimitTimes(TimeSpan Patience, TimeSpan Pause, TimeSpan Lease)
{
    public static readonly LimitTimes Default = new(TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(30));
}

/// <summary>
/// The limits of all processes, in Redis. When that does not answer, this process decides alone, and does not ask again for a while:
/// a request is never held up by a Redis that hangs. A place is a lease, which is renewed; those of a process that was killed end.
/// </summary>
internal sealed partial class RedisLimits : BackgroundService, ISharedLimits
{
    private const int RenewedAtOnce = 256;
    private const long OperationBytes = 64;

    private readonly MemoryLimits _local;
    private readonly RedisBatches _batches;
    private readonly RedisNames _names;
    private readonly LimitMetrics _metrics;
    private readonly LimitTimes _times;
    private readonly TimeProvider _time;
    private readonly ILogger<RedisLimits> _logger;
    private readonly string _process = RandomNumberGenerator.GetHexString(16, lowercase: true);
    private readonly ConcurrentDictionary<string, string> _leases = new();
    private long _lastLease;
    private long _askAgainAt;

    public RedisLimits(
        MemoryLimits local,
        RedisConnections connections,
        RedisNames names,
        LimitMetrics metrics,
        LimitTimes times,
        TimeProvider time,
        ILogger<RedisLimits> logger)
    {
        (_local, _names, _metrics, _times, _time, _logger) = (local, names, metrics, times, time, logger);
        _batches = new RedisBatches(connections, RedisLimitScript.Text, [(long)times.Lease.TotalMilliseconds], waits: false);
    }

    public async ValueTask<TimeSpan> TakeAsync(string bucket, Rate rate, CancellationToken cancellationToken)
    {
        RedisValue[] values = [RedisLimitScript.Take, rate.Burst, rate.Interval.Ticks / TimeSpan.TicksPerMicrosecond];
        if (await AskAsync(_names.Bucket(bucket), values, cancellationToken) is { } answer)
            return TimeSpan.FromMicroseconds(answer.Wait);
        _metrics.Alone(RedisLimitScript.Take);
        return _local.Take(bucket, rate);
    }

    public async ValueTask<IDisposable?> EnterAsync(string room, int most, CancellationToken cancellationToken)
    {
        if (_local.TryEnter(room, most) is not { } local)
            return null;
        var lease = string.Create(CultureInfo.InvariantCulture, $"{_process}:{Interlocked.Increment(ref _lastLease)}");
        var place = new Place(this, local, room, lease);
        try
        {
            var answer = await AskAsync(_names.Room(room), [RedisLimitScript.Enter, lease, most], cancellationToken);
            if (answer is { IsGranted: false })
            {
                local.Dispose();
                return null;
            }

            if (answer is null)
                _metrics.Alone(RedisLimitScript.Enter);
            _leases[lease] = room;
            return place;
        }
        catch (OperationCanceledException)
        {
            // Redis may grant it all the same.
            place.Dispose();
            throw;
        }
    }

    // A Redis that refuses what is asked of it is told at the start; one that is away is nothing new: the log has said so.
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        const string name = RedisNames.StartChannel;
        try
        {
            await Task.WhenAll(
                Run(_names.Bucket(name), [RedisLimitScript.Take, 1, 1]),
                Run(_names.Room(name), [RedisLimitScript.Enter, _process, 1_000]),
                Run(_names.Room(name), [RedisLimitScript.Leave, _process, 0])).WaitAsync(cancellationToken);
        }
        catch (RedisException e) when (RedisStart.Explain(e) is { } sentence)
        {
            throw new RedisRefusedException(sentence, e);
        }
        catch (Exception e) when (e is RedisException or TimeoutException)
        {
            Rest(e);
        }

        await base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(_times.Lease / 3, _time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
            await RenewAsync(stoppingToken);
    }

    private async Task RenewAsync(CancellationToken stoppingToken)
    {
        foreach (var some in _leases.Chunk(RenewedAtOnce))
        {
            // Also what Redis does not know of, because it was away or has lost it: from now on it counts.
            await Task.WhenAll(some.Select(lease =>
                AskAsync(_names.Room(lease.Value), [RedisLimitScript.Keep, lease.Key, 0], stoppingToken).AsTask()));

            // Whoever left just before has been put back.
            foreach (var (lease, room) in some)
            {
                if (!_leases.ContainsKey(lease))
                    GiveBack(room, lease);
            }
        }
    }

    /// <summary>What Redis says; nothing when it can't be asked.</summary>
    private async ValueTask<Answer?> AskAsync(RedisKey key, RedisValue[] values, CancellationToken cancellationToken)
    {
        if (!MayAsk())
            return null;
        try
        {
            var answer = await Run(key, values).WaitAsync(_times.Patience, _time, cancellationToken);
            if (Interlocked.Exchange(ref _askAgainAt, 0) != 0)
                LogBack();
            return new Answer((int)answer[0] == 1, (long)answer[1]);
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            Rest(e);
            return null;
        }
    }

    /// <summary>Whether Redis is asked now. When a pause has ended, one asks, and the others wait for what comes of it.</summary>
    private bool MayAsk()
    {
        var at = Interlocked.Read(ref _askAgainAt);
        return at == 0 || (_time.GetTimestamp() >= at && Interlocked.CompareExchange(ref _askAgainAt, Later(), at) == at);
    }

    private void Rest(Exception exception)
    {
        if (Interlocked.Exchange(ref _askAgainAt, Later()) == 0)
            LogAlone(exception);
    }

    private long Later() => _time.GetTimestamp() + (long)(_times.Pause.TotalSeconds * _time.TimestampFrequency);

    private void GiveBack(string room, string lease)
    {
        _leases.TryRemove(lease, out _);
        // Behind a renewal that is on its way. While Redis is not asked, the lease ends by itself.
        if (Interlocked.Read(ref _askAgainAt) == 0)
            _ = Run(_names.Room(room), [RedisLimitScript.Leave, lease, 0]).ContinueWith(static t => t.Exception, TaskScheduler.Default);
    }

    private Task<RedisResult[]> Run(RedisKey key, RedisValue[] values) => _batches.RunAsync([key], values, OperationBytes);

    [LoggerMessage(1, LogLevel.Warning, "Redis does not answer; limits hold for this process alone until it does")]
    private partial void LogAlone(Exception exception);

    [LoggerMessage(2, LogLevel.Information, "Redis answers; limits hold over all processes again")]
    private partial void LogBack();

    private readonly record struct Answer(bool IsGranted, long Wait);

    private sealed class Place(RedisLimits limits, MemoryLimits.Place local, string room, string lease) : IDisposable
    {
        private int _left;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) != 0)
                return;
            local.Dispose();
            limits.GiveBack(room, lease);
        }
    }
}
