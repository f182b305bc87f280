using System.ComponentModel.DataAnnotations;

namespace SevenX42.Realtime;

/// <summary>
/// What the channel log in Redis keeps, and how closely it is watched; configuration section <c>ChannelLog:Redis</c>. Where
/// Redis is, and how long it may take to answer, stands in its connection string.
/// </summary>
public sealed class RedisChannelLogOptions
{
    /// <summary>Begins every key and every pub/sub channel, so that several installations can share a Redis.</summary>
    [RegularExpression("[A-Za-z0-9:_.-]{1,32}")]
    public string KeyPrefix { get; set; } = "7x42";

    /// <summary>So many of a channel's newest events are kept at least, and twice as many at most.</summary>
    [Range(1, 1_000_000)]
    public int MaxEventsPerChannel { get; set; } = 16_384;

    /// <summary>Bytes kept per channel, at least half of it; the newest event is kept whatever its size.</summary>
    [Range(1, long.MaxValue)]
    public long MaxBytesPerChannel { get; set; } = 2 * 1024 * 1024;

    /// <summary>How long after the last of them a channel's events are kept.</summary>
    public TimeSpan MaxAge { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>How long a channel that nobody uses keeps its epoch and fences.</summary>
    public TimeSpan MaxIdle { get; set; } = TimeSpan.FromHours(2);

    /// <summary>How often channels with subscribers are looked at for what no hint told of.</summary>
    public TimeSpan CheckInterval { get; set; } = TimeSpan.FromSeconds(2);
}
