using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.ObjectPool;
using Microsoft.Extensions.Options;
using SevenX42.Realtime;

namespace SevenX42.Host.Realtime;

/// <summary>The channels that have viewers on this replica.</summary>
internal sealed class ChannelFeeds
{
    private const int MaxChannelLength = 128;

    private readonly Lock _gate = new();
    private readonly Dictionary<(string Channel, bool Raw), ChannelFeed> _feeds = [];
    private readonly Dictionary<string, IChannelKind> _kinds;
    private readonly ObjectPool<FeedScratch> _scratch = new DefaultObjectPool<FeedScratch>(new FeedScratch.Policy());

    public ChannelFeeds(
        IChannelLog log,
        IEnumerable<IChannelKind> kinds,
        IOptions<RealtimeOptions> options,
        RealtimeMetrics metrics,
        FlushClock clock,
        TimeProvider time,
        ILogger<ChannelFeed> logger)
    {
        (Log, Options, Metrics, Clock, Time, Logger) = (log, options.Value, metrics, clock, time, logger);
        _kinds = kinds.ToDictionary(k => k.Prefix, StringComparer.Ordinal);
        metrics.ObserveFeeds(() => Count);
    }

    public IChannelLog Log { get; }

    public RealtimeOptions Options { get; }

    public RealtimeMetrics Metrics { get; }

    public FlushClock Clock { get; }

    public TimeProvider Time { get; }

    public ILogger Logger { get; }

    /// <summary>How many channels are followed, those included that lost their last viewer a moment ago.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
                return _feeds.Count;
        }
    }

    /// <summary>The kind of a channel, when its name is one.</summary>
    public bool TryFindKind(string channel, [NotNullWhen(true)] out IChannelKind? kind)
    {
        kind = null;
        var slash = channel.IndexOf('/', StringComparison.Ordinal);
        return slash > 0
            && slash < channel.Length - 1
            && channel.Length <= MaxChannelLength
            && !channel.AsSpan().ContainsAnyExceptInRange('!', '~')
            && _kinds.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(channel.AsSpan(0, slash + 1), out kind);
    }

    /// <summary>The feed of a channel, held until it is released.</summary>
    public ChannelFeed Acquire(string channel, bool raw, IChannelKind kind)
    {
        lock (_gate)
        {
            if (!_feeds.TryGetValue((channel, raw), out var feed))
                _feeds[(channel, raw)] = feed = new ChannelFeed(this, channel, raw, kind);
            feed.Holders++;
            return feed;
        }
    }

    public void Release(ChannelFeed feed)
    {
        lock (_gate)
        {
            if (--feed.Holders == 0)
                feed.IdleSince = Time.GetTimestamp();
        }
    }

    /// <summary>Looks after lost wake-ups and drops feeds that nobody came back to. Called about once a second.</summary>
    public void Tend()
    {
        var now = Time.GetTimestamp();
        List<ChannelFeed>? idle = null;
        lock (_gate)
        {
            foreach (var feed in _feeds.Values)
            {
                feed.Trim(now);
                if (feed.Holders > 0)
                    feed.Recheck(now);
                else if (Time.GetElapsedTime(feed.IdleSince, now) >= Options.FeedLinger)
                    (idle ??= []).Add(feed);
            }

            foreach (var feed in idle ?? [])
                _feeds.Remove((feed.Channel, feed.Raw));
        }

        foreach (var feed in idle ?? [])
            feed.Close();
    }

    public FeedScratch RentScratch() => _scratch.Get();

    public void ReturnScratch(FeedScratch scratch) => _scratch.Return(scratch);
}

/// <summary>What a pump works with; pooled, since most feeds are idle most of the time.</summary>
internal sealed class FeedScratch
{
    private const int MostBytesKept = 256 * 1024;
    private const int MostEventsKept = 4_096;

    public List<ChannelEvent> Events { get; } = [];

    public ProjectedEvents Output { get; } = new();

    public sealed class Policy : PooledObjectPolicy<FeedScratch>
    {
        public override FeedScratch Create() => new();

        public override bool Return(FeedScratch obj)
        {
            var keep = obj.Output.WrittenSpan.Length <= MostBytesKept && obj.Events.Capacity <= MostEventsKept;
            obj.Events.Clear();
            obj.Output.Clear();
            if (!keep)
                obj.Output.Dispose();
            return keep;
        }
    }
}
