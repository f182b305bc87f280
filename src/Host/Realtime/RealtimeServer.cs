using Microsoft.Extensions.Options;
using SevenX42.Contracts.Identity;
using SevenX42.Limits;

namespace SevenX42.Host.Realtime;

/// <summary>What every socket needs, in one reference.</summary>
internal sealed class RealtimeServer(
    ChannelFeeds feeds,
    RealtimeClients clients,
    RealtimeAccess access,
    RealtimeHeartbeat heartbeat,
    RealtimeMetrics metrics,
    OriginPolicy origins,
    ISharedLimits limits,
    IOptions<RealtimeOptions> options,
    TimeProvider time,
    ILogger<RealtimeConnection> logger)
{
    public ChannelFeeds Feeds => feeds;

    public RealtimeClients Clients => clients;

    public RealtimeAccess Access => access;

    public RealtimeHeartbeat Heartbeat => heartbeat;

    public RealtimeMetrics Metrics => metrics;

    public OriginPolicy Origins => origins;

    public RealtimeOptions Options { get; } = options.Value;

    public TimeProvider Time => time;

    public ILogger Logger => logger;

    /// <summary>Takes one of the places that a user has on all replicas together, for a socket or a waiting poll.</summary>
    /// <returns>To be disposed when the place is free again; <see langword="null"/> when all are taken.</returns>
    public ValueTask<IDisposable?> ReserveAsync(RealtimeIdentity identity, CancellationToken cancellationToken) =>
        limits.EnterAsync($"connections/{identity.UserId}", Options.ConnectionsPerUser, cancellationToken);
}
