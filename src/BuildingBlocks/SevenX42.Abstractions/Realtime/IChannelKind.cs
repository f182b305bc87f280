namespace SevenX42.Realtime;

/// <summary>
/// What a module registers for its channels: who may subscribe, and what a browser is sent. Singleton.
/// </summary>
public interface IChannelKind
{
    /// <summary>The channels this is for, up to and including the slash: <c>conversation/</c>.</summary>
    string Prefix { get; }

    /// <summary>
    /// The policy. Asked at every subscription, every poll, and again whenever the user's token is refreshed.
    /// </summary>
    /// <returns><see langword="false"/> when the user may not, or the thing does not exist: the two look the same.</returns>
    ValueTask<bool> MaySubscribeAsync(Guid userId, string channel, CancellationToken cancellationToken);

    /// <summary>
    /// A projector for one channel on this replica, made when the first viewer comes and dropped after the last has gone;
    /// <see langword="null"/> when the log's events are sent as they are.
    /// </summary>
    IChannelProjector? CreateProjector(string channel);
}

/// <summary>
/// Turns a channel's log events into what browsers are sent. One instance serves all viewers of a channel on a replica;
/// calls never overlap. State is a function of the log (and of the database where the log no longer reaches back), so that
/// any replica can go on for any client.
/// </summary>
public interface IChannelProjector
{
    /// <summary>
    /// Called once, first: brings the projector to the head of the log. Events that are older than what
    /// <paramref name="retained"/> holds must come from the database's checkpoints.
    /// </summary>
    /// <param name="retained">Everything the log still keeps, oldest first.</param>
    /// <param name="cancellationToken">Cancels the load.</param>
    ValueTask LoadAsync(IReadOnlyList<ChannelEvent> retained, CancellationToken cancellationToken);

    /// <summary>
    /// Takes in the next events of the log and writes what a client needs that has everything before them. Several log
    /// events may become one, or none.
    /// </summary>
    void Project(IReadOnlyList<ChannelEvent> events, ProjectedEvents output);

    /// <summary>
    /// Writes what a client needs that has everything up to <paramref name="from"/>, to come to where
    /// <see cref="Project"/> has brought the projector: consecutive deltas merged into one. Changes no state. May build on
    /// nothing the client was sent before, for its page can come from another replica: whatever later deltas build on
    /// (an open block) is written whole. It is called before a client gets its first output of <see cref="Project"/>, and
    /// whenever it fell behind.
    /// </summary>
    /// <param name="from">Sequence number of the last event the client has.</param>
    /// <param name="events">The log's events after <paramref name="from"/>, up to the last projected one; never empty.</param>
    /// <param name="output">
    /// Where the events go. Sequence numbers are greater than <paramref name="from"/> and don't fall.
    /// </param>
    void CatchUp(long from, IReadOnlyList<ChannelEvent> events, ProjectedEvents output);
}
