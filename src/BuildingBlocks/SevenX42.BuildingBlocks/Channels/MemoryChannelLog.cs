using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace SevenX42.Realtime;

/// <summary>
/// Channel logs in this process's memory: what one replica needs, and nothing survives it. A restart or an eviction begins
/// a new epoch, which sends clients back to the snapshot in the database.
/// </summary>
internal sealed partial class MemoryChannelLog : IChannelLog, IDisposable
{
    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<string, Channel> _channels = new(StringComparer.Ordinal);
    private readonly MemoryChannelLogOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<MemoryChannelLog> _logger;
    private readonly ITimer _sweeper;
    private readonly Lock _sweeping = new();
    private readonly long _maxAge;
    private readonly long _maxIdle;
    private long _totalBytes;

    public MemoryChannelLog(IOptions<MemoryChannelLogOptions> options, TimeProvider time, ILogger<MemoryChannelLog> logger)
    {
        (_options, _time, _logger) = (options.Value, time, logger);
        _maxAge = (long)(_options.MaxAge.TotalSeconds * time.TimestampFrequency);
        _maxIdle = (long)(_options.MaxIdle.TotalSeconds * time.TimestampFrequency);
        _sweeper = time.CreateTimer(static log => ((MemoryChannelLog)log!).Sweep(), this, SweepInterval, SweepInterval);
    }

    /// <summary>Bytes kept in all channels.</summary>
    internal long TotalBytes => Interlocked.Read(ref _totalBytes);

    /// <summary>Channels known.</summary>
    internal int ChannelCount => _channels.Count;

    public ValueTask<AppendResult> AppendAsync(
        string channel, IReadOnlyList<NewChannelEvent> events, Fence? fence, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(events);
        ArgumentOutOfRangeException.ThrowIfZero(events.Count);
        var log = Enter(channel);
        ChannelPosition last;
        Action[] wakes;
        try
        {
            if (fence is { } f && !log.Admits(f))
                return new(new AppendResult(false, log.Head));
            var before = log.Ring.Bytes;
            log.Ring.TrimOlderThan(log.LastUsed - _maxAge);
            for (var i = 0; i < events.Count; i++)
                log.Ring.Append(events[i].Type, events[i].Data, log.LastUsed);
            Interlocked.Add(ref _totalBytes, log.Ring.Bytes - before);
            (last, wakes) = (log.Head, log.Wakes);
        }
        finally
        {
            Monitor.Exit(log);
        }

        foreach (var wake in wakes)
        {
            try
            {
                wake();
            }
            catch (Exception e)
            {
                // The event is written: a subscriber that can't be woken must not make the append look failed.
                LogWakeFailed(e, channel);
            }
        }

        if (TotalBytes > _options.MaxTotalBytes)
            Sweep();
        return new(new AppendResult(true, last));
    }

    public ValueTask<ChannelRead> ReadAsync(
        string channel, ChannelPosition from, int maxEvents, List<ChannelEvent> into, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(into);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxEvents);
        var log = Enter(channel);
        try
        {
            var recovered = string.Equals(log.Epoch, from.Epoch, StringComparison.Ordinal)
                && log.Ring.TryRead(from.Seq, maxEvents, into);
            return new(new ChannelRead(log.Head, recovered));
        }
        finally
        {
            Monitor.Exit(log);
        }
    }

    public ValueTask<ChannelRead> ReadRetainedAsync(
        string channel, List<ChannelEvent> into, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(into);
        var log = Enter(channel);
        try
        {
            log.Ring.TryRead(log.Ring.First - 1, int.MaxValue, into);
            return new(new ChannelRead(log.Head, log.Ring.First == 1));
        }
        finally
        {
            Monitor.Exit(log);
        }
    }

    public ValueTask<ChannelPosition> GetPositionAsync(string channel, CancellationToken cancellationToken)
    {
        var log = Enter(channel);
        var head = log.Head;
        Monitor.Exit(log);
        return new(head);
    }

    public IDisposable Subscribe(string channel, Action wake)
    {
        ArgumentNullException.ThrowIfNull(wake);
        var log = Enter(channel);
        log.Wakes = [.. log.Wakes, wake];
        Monitor.Exit(log);
        return new Subscription(this, log, wake);
    }

    public void Dispose() => _sweeper.Dispose();

    /// <summary>Finds or begins a channel and enters its monitor.</summary>
    private Channel Enter(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        while (true)
        {
            if (!_channels.TryGetValue(name, out var channel))
            {
                if (_channels.Count >= _options.MaxChannels)
                    Sweep();
                channel = _channels.GetOrAdd(name, static (_, log) => new Channel(log._options), this);
            }

            Monitor.Enter(channel);
            if (!channel.Evicted)
            {
                channel.LastUsed = _time.GetTimestamp();
                return channel;
            }

            // Evicted between the look-up and the lock: the next look-up finds its successor.
            Monitor.Exit(channel);
        }
    }

    private void Sweep()
    {
        // Whoever comes while a sweep runs is served by it.
        if (!_sweeping.TryEnter())
            return;
        try
        {
            var now = _time.GetTimestamp();
            Action<EventRing> trim = ring => ring.TrimOlderThan(now - _maxAge);
            foreach (var (name, channel) in _channels)
            {
                lock (channel)
                {
                    Shrink(channel, trim);
                    if (channel.LastUsed < now - _maxIdle)
                        Evict(name, channel);
                }
            }

            if (TotalBytes > _options.MaxTotalBytes || _channels.Count >= _options.MaxChannels)
                MakeRoom();
        }
        finally
        {
            _sweeping.Exit();
        }
    }

    /// <summary>Down to nine tenths of the limits, the longest unused channels first.</summary>
    private void MakeRoom()
    {
        var byUse = _channels.ToArray();
        // Keys are copied first: channels go on being used while this sorts.
        Array.Sort(Array.ConvertAll(byUse, static c => c.Value.LastUsed), byUse);
        foreach (var (name, channel) in byUse)
        {
            var crowded = _channels.Count > _options.MaxChannels / 10 * 9;
            var full = TotalBytes > _options.MaxTotalBytes / 10 * 9;
            if (!crowded && !full)
                return;
            lock (channel)
            {
                if (full)
                    Shrink(channel, static ring => ring.Clear());
                if (crowded)
                    Evict(name, channel);
            }
        }
    }

    private void Shrink(Channel channel, Action<EventRing> shrink)
    {
        var before = channel.Ring.Bytes;
        shrink(channel.Ring);
        Interlocked.Add(ref _totalBytes, channel.Ring.Bytes - before);
    }

    private void Evict(string name, Channel channel)
    {
        if (channel.Evicted || channel.Wakes.Length > 0)
            return;
        Shrink(channel, static ring => ring.Clear());
        channel.Evicted = true;
        _channels.TryRemove(new KeyValuePair<string, Channel>(name, channel));
    }

    [LoggerMessage(1, LogLevel.Error, "A subscriber of {Channel} failed when it was woken")]
    private partial void LogWakeFailed(Exception exception, string channel);

    /// <summary>One channel; its own monitor guards it.</summary>
    private sealed class Channel(MemoryChannelLogOptions options)
    {
        private const int MaxFences = 1_024;
        private Dictionary<string, long>? _fences;
        private Queue<string>? _fenceOrder;

        // Random, not counted: a client of an earlier life of this process must never match by chance.
        public string Epoch { get; } = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(6));

        public EventRing Ring { get; } = new(options.MaxEventsPerChannel, options.MaxBytesPerChannel);

        public ChannelPosition Head => new(Epoch, Ring.Last);

        public Action[] Wakes { get; set; } = [];

        public long LastUsed { get; set; }

        public bool Evicted { get; set; }

        public bool Admits(Fence fence)
        {
            _fences ??= new Dictionary<string, long>(StringComparer.Ordinal);
            if (_fences.TryGetValue(fence.Key, out var highest))
            {
                if (fence.Token < highest)
                    return false;
            }
            else
            {
                (_fenceOrder ??= new Queue<string>()).Enqueue(fence.Key);
                if (_fenceOrder.Count > MaxFences)
                    _fences.Remove(_fenceOrder.Dequeue());
            }

            _fences[fence.Key] = fence.Token;
            return true;
        }
    }

    private sealed class Subscription(MemoryChannelLog log, Channel channel, Action wake) : IDisposable
    {
        private Action? _wake = wake;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _wake, null) is not { } mine)
                return;
            lock (channel)
            {
                var at = Array.IndexOf(channel.Wakes, mine);
                channel.Wakes = [.. channel.Wakes.AsSpan(0, at), .. channel.Wakes.AsSpan(at + 1)];
                channel.LastUsed = log._time.GetTimestamp();
            }
        }
    }
}
