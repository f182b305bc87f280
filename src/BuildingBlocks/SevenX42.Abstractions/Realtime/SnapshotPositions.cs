namespace SevenX42.Realtime;

/// <summary>Positions for what is shown before it is watched.</summary>
public static class SnapshotPositions
{
    /// <summary>
    /// Where the log stands, for a page that will be watched from there; <see cref="ChannelPosition.Unknown"/> while it can't be
    /// reached: then the page shows what the database has, and is fetched again from time to time.
    /// </summary>
    public static async ValueTask<ChannelPosition> GetSnapshotPositionAsync(this IChannelLog log, string channel, CancellationToken cancellationToken)
    {
        try
        {
            return await log.GetPositionAsync(channel, cancellationToken);
        }
        catch (ChannelLogUnavailableException)
        {
            return ChannelPosition.Unknown;
        }
    }
}
