using Testcontainers.Redis;
using Xunit;

namespace SevenX42.Testing;

/// <summary>
/// One Redis for a test assembly: a container where a container engine answers, else a local <c>redis-server</c>. Use it as an
/// assembly fixture, and a key prefix for each test.
/// </summary>
public sealed class RedisServer : IAsyncLifetime
{
    private RedisContainer? _container;
    private RedisProcess? _process;

    /// <summary>How to connect to it.</summary>
    public string ConnectionString { get; private set; } = "";

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        if (await ContainerEngine.AnswersAsync())
        {
            _container = new RedisBuilder("redis:7").Build();
            await _container.StartAsync();
            ConnectionString = _container.GetConnectionString();
            return;
        }

        _process = await RedisProcess.StartAsync();
        ConnectionString = _process.Address;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_container is not null)
            await _container.DisposeAsync();
        if (_process is not null)
            await _process.DisposeAsync();
    }
}

/// <summary>A Redis Cluster of three primaries.</summary>
public sealed class RedisCluster : IAsyncLifetime
{
    private const int Nodes = 3;

    private readonly List<RedisProcess> _nodes = [];

    /// <summary>How to connect to it.</summary>
    public string ConnectionString => string.Join(',', _nodes.Select(n => n.Address));

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        for (var i = 0; i < Nodes; i++)
        {
            // Its own port for the cluster's bus: the usual one, ten thousand above, may be any connection's.
            var bus = HostProcess.FreePort();
            _nodes.Add(await RedisProcess.StartAsync("--cluster-enabled", "yes", "--cluster-port", $"{bus}", "--cluster-node-timeout", "2000"));
        }

        await RedisProcess.CliAsync(["--cluster", "create", .. _nodes.Select(n => n.Address), "--cluster-replicas", "0", "--cluster-yes"]);
        foreach (var node in _nodes)
            await Eventually.TrueAsync(async () => (await node.CommandAsync("CLUSTER", "INFO")).Contains("cluster_state:ok", StringComparison.Ordinal));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes)
            await node.DisposeAsync();
    }
}

/// <summary>A primary and its replica, which can be promoted.</summary>
public sealed class RedisFailover : IAsyncLifetime
{
    /// <summary>The one that is the primary at first.</summary>
    public RedisProcess Primary { get; private set; } = null!;

    /// <summary>The one that follows it until it is promoted.</summary>
    public RedisProcess Replica { get; private set; } = null!;

    /// <summary>How to connect to whichever is the primary.</summary>
    public string ConnectionString => $"{Primary.Address},{Replica.Address}";

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        Primary = await RedisProcess.StartAsync("--repl-diskless-sync-delay", "0");
        Replica = await RedisProcess.StartAsync("--replicaof", "127.0.0.1", $"{Primary.Port}");
        await Eventually.TrueAsync(async () => (await Replica.CommandAsync("INFO", "replication")).Contains("master_link_status:up", StringComparison.Ordinal));
    }

    /// <summary>Waits until the replica has what the primary has, and makes it a primary. The old one lives on.</summary>
    public async Task PromoteAsync()
    {
        if (await Primary.CommandAsync("WAIT", "1", "5000") != "1")
            throw new TimeoutException("The replica does not follow.");
        await Replica.CommandAsync("REPLICAOF", "NO", "ONE");
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Replica.DisposeAsync();
        await Primary.DisposeAsync();
    }
}
