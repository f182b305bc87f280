namespace SevenX42.Realtime;

/// <summary>An event to append.</summary>
/// <param name="Type">Short lower-case name, at most 32 characters.</param>
/// <param name="Data">One JSON value, UTF-8. Not copied: don't change it after the append.</param>
public readonly record struct NewChannelEvent(string Type, ReadOnlyMemory<byte> Data);

/// <summary>An event of a channel's log.</summary>
/// <param name="Seq">Sequence number: 1 for the first of its epoch, then without gaps.</param>
/// <param name="Type">Short lower-case name.</param>
/// <param name="Data">One JSON value, UTF-8.</param>
public readonly record struct ChannelEvent(long Seq, string Type, ReadOnlyMemory<byte> Data);

/// <summary>
/// Keeps a producer that lost its lease from writing: an append is refused when the channel has already accepted one
/// with the same key and a higher token.
/// </summary>
/// <param name="Key">What the token counts for: a generation's id.</param>
/// <param name="Token">The attempt number; grows with every takeover.</param>
public readonly record struct Fence(string Key, long Token);

/// <summary>Outcome of an append.</summary>
/// <param name="Accepted"><see langword="false"/>: refused by the fence, nothing was written.</param>
/// <param name="Last">Position of the last event written; of the head when refused.</param>
public readonly record struct AppendResult(bool Accepted, ChannelPosition Last);

/// <summary>What a read found.</summary>
/// <param name="Head">Position of the newest event in the log at the time of the read.</param>
/// <param name="Recovered">
/// Whether the events join the requested position without a gap. <see langword="false"/> when the epoch is another one,
/// the position is older than what is kept or newer than the head: there are no events then, fetch the snapshot instead.
/// </param>
public readonly record struct ChannelRead(ChannelPosition Head, bool Recovered);

/// <summary>
/// The append-only logs that carry everything live. The log is the truth; wake-ups are hints that may be lost, doubled
/// or late. Safe for concurrent use.
/// </summary>
public interface IChannelLog
{
    /// <summary>Appends events to a channel, all or none.</summary>
    /// <param name="channel">For example <c>conversation/0197…</c>; at most 128 ASCII characters.</param>
    /// <param name="events">At least one event.</param>
    /// <param name="fence">Refuses the append when a higher token has written; <see langword="null"/> appends always.</param>
    /// <param name="cancellationToken">Cancels the wait, not a write already under way.</param>
    /// <exception cref="ChannelLogUnavailableException">The log can't be reached; whether it was written is unknown.</exception>
    ValueTask<AppendResult> AppendAsync(
        string channel, IReadOnlyList<NewChannelEvent> events, Fence? fence, CancellationToken cancellationToken);

    /// <summary>Reads events after a position.</summary>
    /// <param name="channel">The channel.</param>
    /// <param name="from">Read on after this position.</param>
    /// <param name="maxEvents">At most this many; the returned head says whether there are more.</param>
    /// <param name="into">
    /// The events are added to it, oldest first, without gaps. The caller's, so that the steady state allocates nothing.
    /// </param>
    /// <param name="cancellationToken">Cancels the read.</param>
    /// <exception cref="ChannelLogUnavailableException">The log can't be reached.</exception>
    ValueTask<ChannelRead> ReadAsync(
        string channel, ChannelPosition from, int maxEvents, List<ChannelEvent> into, CancellationToken cancellationToken);

    /// <summary>
    /// Reads everything the log still keeps of a channel, oldest first. An unknown channel gets an epoch.
    /// </summary>
    /// <param name="channel">The channel.</param>
    /// <param name="into">The events are added to it.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    /// <returns><see cref="ChannelRead.Recovered"/> is whether the events reach back to the first of the epoch.</returns>
    /// <exception cref="ChannelLogUnavailableException">The log can't be reached.</exception>
    ValueTask<ChannelRead> ReadRetainedAsync(string channel, List<ChannelEvent> into, CancellationToken cancellationToken);

    /// <summary>The channel's head. An unknown channel gets an epoch, so the position can be resumed.</summary>
    /// <exception cref="ChannelLogUnavailableException">The log can't be reached.</exception>
    ValueTask<ChannelPosition> GetPositionAsync(string channel, CancellationToken cancellationToken);

    /// <summary>
    /// Asks to be woken after appends to a channel, by any process. <paramref name="wake"/> runs on the appender's or
    /// the network's thread: it must only signal. Dispose to stop.
    /// </summary>
    IDisposable Subscribe(string channel, Action wake);
}

/// <summary>The channel log can't be reached now.</summary>
public sealed class ChannelLogUnavailableException(string message, Exception? innerException = null)
    : Exception(message, innerException);
