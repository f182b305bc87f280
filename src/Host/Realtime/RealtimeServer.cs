using Microsoft.Extensions.Options;

namespace SevenX42.Host.Realtime;

/// <summary>What every socket needs, in one reference.</summary>
internal sealed class RealtimeServer(
    ChannelFeeds feeds,
    RealtimeClients clients,
    RealtimeAccess access,
    RealtimeHeartbeat heartbeat,
    RealtimeMetrics metrics,
    OriginPolicy origins,
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
}
