using System.ComponentModel.DataAnnotations;

namespace SevenX42.Host.Realtime;

/// <summary>Limits and times of sockets and polls; configuration section <c>Realtime</c>.</summary>
internal sealed class RealtimeOptions : IValidatableObject
{
    /// <summary>Of the 20 seconds that the end of a process may take, what leaves some to the last who are closed.</summary>
    private static readonly TimeSpan LongestDrain = TimeSpan.FromSeconds(15);

    /// <summary>
    /// Origins that may open a socket, each <c>scheme://host[:port]</c>. Empty: only the origin the page itself came from.
    /// </summary>
    public List<string> AllowedOrigins { get; set; } = [];

    /// <summary>Largest message a client may send.</summary>
    [Range(1_024, 1024 * 1024)]
    public int MaxMessageBytes { get; set; } = 16 * 1024;

    /// <summary>Messages a client may send per second, in the long run.</summary>
    [Range(1, 10_000)]
    public int MessagesPerSecond { get; set; } = 20;

    /// <summary>Messages a client may send at once.</summary>
    [Range(1, 10_000)]
    public int MessageBurst { get; set; } = 40;

    /// <summary>Channels a connection or a poll may be subscribed to.</summary>
    [Range(1, 1_024)]
    public int ChannelsPerConnection { get; set; } = 32;

    /// <summary>Sockets and waiting polls a user may have, on all replicas together.</summary>
    [Range(1, 100_000)]
    public int ConnectionsPerUser { get; set; } = 10;

    /// <summary>Bytes sent on one channel and not yet acknowledged, before the server stops pushing.</summary>
    [Range(1_024, 16 * 1024 * 1024)]
    public int ChannelWindowBytes { get; set; } = 64 * 1024;

    /// <summary>The same over all channels of a connection.</summary>
    [Range(1_024, 64 * 1024 * 1024)]
    public int ConnectionWindowBytes { get; set; } = 128 * 1024;

    /// <summary>How often the server says that it is there.</summary>
    public TimeSpan BeatInterval { get; set; } = TimeSpan.FromSeconds(25);

    /// <summary>How long a client may say nothing: two beats unanswered. Below the promised 60 s by the clock's own ticks.</summary>
    public TimeSpan ClientTimeout { get; set; } = TimeSpan.FromSeconds(55);

    /// <summary>How often a channel is read at most while it is busy; when idle it is read at once.</summary>
    public TimeSpan FlushInterval { get; set; } = TimeSpan.FromMilliseconds(33);

    /// <summary>How often a busy channel is read even without a wake-up, since wake-ups can be lost.</summary>
    public TimeSpan RecheckInterval { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>How long a channel's projector is kept after its last viewer has gone: reloads come back at once.</summary>
    public TimeSpan FeedLinger { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How often the sessions of open connections are checked for their end.</summary>
    public TimeSpan RevocationInterval { get; set; } = TimeSpan.FromSeconds(2.5);

    /// <summary>The time over which sockets are closed when the process stops; at most <see cref="LongestDrain"/>.</summary>
    public TimeSpan DrainPeriod { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a poll waits for an event.</summary>
    public TimeSpan PollWait { get; set; } = TimeSpan.FromSeconds(25);

    /// <summary>Polls a user may begin per second, in the long run.</summary>
    [Range(1, 10_000)]
    public int PollsPerSecond { get; set; } = 5;

    /// <summary>Polls a user may begin at once.</summary>
    [Range(1, 10_000)]
    public int PollBurst { get; set; } = 20;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var origin in AllowedOrigins)
        {
            if (!OriginPolicy.IsOrigin(origin))
                yield return new ValidationResult($"Realtime:AllowedOrigins: '{origin}' is no origin; write scheme://host[:port].");
        }

        foreach (var (name, value, least) in new[]
        {
            (nameof(BeatInterval), BeatInterval, TimeSpan.FromSeconds(1)),
            (nameof(ClientTimeout), ClientTimeout, BeatInterval),
            (nameof(FlushInterval), FlushInterval, TimeSpan.FromMilliseconds(1)),
            (nameof(RecheckInterval), RecheckInterval, TimeSpan.FromSeconds(1)),
            (nameof(FeedLinger), FeedLinger, TimeSpan.Zero),
            (nameof(RevocationInterval), RevocationInterval, TimeSpan.FromMilliseconds(100)),
            (nameof(DrainPeriod), DrainPeriod, TimeSpan.Zero),
            (nameof(PollWait), PollWait, TimeSpan.FromMilliseconds(100)),
        })
        {
            if (value < least)
                yield return new ValidationResult($"Realtime:{name} must be at least {least}.");
        }

        if (DrainPeriod > LongestDrain)
            yield return new ValidationResult($"Realtime:DrainPeriod must be at most {LongestDrain}: the process has little more for its end.");
        if (ConnectionWindowBytes < ChannelWindowBytes)
            yield return new ValidationResult("Realtime:ConnectionWindowBytes must not be below Realtime:ChannelWindowBytes.");
    }
}
