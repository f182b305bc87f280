using SevenX42.Realtime;

namespace SevenX42.Host.Realtime;

internal enum ViewerState
{
    /// <summary>Not yet or no longer with a feed.</summary>
    Detached,

    /// <summary>
    /// Has a position before the feed's head, or a page that knows nothing of what later deltas build on: it gets a
    /// catch-up of its own before it is live.
    /// </summary>
    Behind,

    /// <summary>At the head: gets the bytes that all get.</summary>
    Live,

    /// <summary>Has no position that can be resumed. Gets nothing until it subscribes anew.</summary>
    Parked,
}

/// <summary>Whoever follows a <see cref="ChannelFeed"/>: a channel of a socket, or of a poll. The feed calls one at a time.</summary>
internal abstract class FeedViewer
{
    /// <summary>Where the viewer wants to begin; from now on when it has none. Set once, before it is attached.</summary>
    public ChannelPosition? From { get; init; }

    /// <summary>What the viewer has. The feed's.</summary>
    internal long Seq { get; set; }

    /// <summary>The feed's.</summary>
    internal ViewerState State { get; set; }

    /// <summary>Place in the feed's list. The feed's.</summary>
    internal int Index { get; set; }

    /// <summary>
    /// Whether the viewer can take a catch-up. After <see langword="false"/> it asks the feed itself once it can.
    /// </summary>
    public abstract bool TryBeginCatchUp();

    /// <summary>Gives it a frame, which it must reference to keep.</summary>
    /// <returns><see langword="false"/> when it has no room: it keeps its position, and asks the feed once it has.</returns>
    public abstract bool TryPush(SharedFrame frame);

    /// <summary>The subscription stands: frames follow if it was recovered, none if it was not.</summary>
    public abstract void OnAttached(ChannelPosition position, bool recovered);

    /// <summary>The viewer's position is void: it must fetch the snapshot and subscribe from there.</summary>
    public abstract void OnReset(ChannelPosition head, string code);

    /// <summary>The channel can't be followed now.</summary>
    public abstract void OnUnavailable();
}
