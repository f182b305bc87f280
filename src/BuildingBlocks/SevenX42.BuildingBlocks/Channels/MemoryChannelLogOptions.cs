using System.ComponentModel.DataAnnotations;

namespace SevenX42.Realtime;

/// <summary>What the in-memory channel log keeps; configuration section <c>ChannelLog:Memory</c>.</summary>
public sealed class MemoryChannelLogOptions
{
    /// <summary>Events kept per channel.</summary>
    [Range(1, 1_000_000)]
    public int MaxEventsPerChannel { get; set; } = 16_384;

    /// <summary>Bytes kept per channel; the newest event is kept whatever its size.</summary>
    [Range(1, long.MaxValue)]
    public long MaxBytesPerChannel { get; set; } = 2 * 1024 * 1024;

    /// <summary>Bytes kept in all channels together; the channels longest unused are emptied first.</summary>
    [Range(1, long.MaxValue)]
    public long MaxTotalBytes { get; set; } = 256 * 1024 * 1024;

    /// <summary>How long an event is kept.</summary>
    public TimeSpan MaxAge { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>How long a channel that nobody uses keeps its epoch and fences.</summary>
    public TimeSpan MaxIdle { get; set; } = TimeSpan.FromHours(2);

    /// <summary>Channels known at once; those longest unused are forgotten first, never one with subscribers.</summary>
    [Range(1, int.MaxValue)]
    public int MaxChannels { get; set; } = 100_000;
}
