using SevenX42.Realtime;
using SevenX42.Testing;

namespace SevenX42.BuildingBlocks.Tests.Channels;

/// <summary>The contract, of a log in Redis.</summary>
public abstract class RedisChannelLogContract : ChannelLogContract
{
    private readonly List<RedisLog> _logs = [];

    protected string Prefix { get; } = RedisLog.NewPrefix();

    protected abstract string ConnectionString { get; }

    protected override Task<IChannelLog> CreateAsync()
    {
        var log = new RedisLog(ConnectionString, Prefix, ("MaxEventsPerChannel", $"{EventsKept}"));
        _logs.Add(log);
        return Task.FromResult(log.Log);
    }

    protected override Task<IChannelLog> CreatePeerAsync() => CreateAsync();

    protected override Task LoseEverythingAsync() => RedisLog.DeleteAsync(ConnectionString, Prefix);

    protected override async ValueTask DisposeLogAsync()
    {
        foreach (var log in _logs)
            await log.DisposeAsync();
    }
}

public sealed class RedisChannelLogTests(RedisServer redis) : RedisChannelLogContract
{
    protected override string ConnectionString => redis.ConnectionString;
}

public sealed class RedisClusterChannelLogTests(RedisCluster cluster) : RedisChannelLogContract, IClassFixture<RedisCluster>
{
    protected override string ConnectionString => cluster.ConnectionString;
}

public sealed class PromotedRedisChannelLogTests(PromotedRedis promoted) : RedisChannelLogContract, IClassFixture<PromotedRedis>
{
    protected override string ConnectionString => promoted.ConnectionString;
}

/// <summary>A Redis that was a replica when everybody connected first.</summary>
public sealed class PromotedRedis : IAsyncLifetime
{
    private readonly RedisFailover _redis = new();

    public string ConnectionString => $"{_redis.ConnectionString},connectTimeout=500";

    public async ValueTask InitializeAsync()
    {
        await _redis.InitializeAsync();
        await _redis.PromoteAsync();
        await _redis.Primary.KillAsync();
    }

    public ValueTask DisposeAsync() => _redis.DisposeAsync();
}
