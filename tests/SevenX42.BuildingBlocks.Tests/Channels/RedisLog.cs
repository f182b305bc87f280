using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using SevenX42.Limits;
using SevenX42.Realtime;
using StackExchange.Redis;

namespace SevenX42.BuildingBlocks.Tests.Channels;

/// <summary>The log in Redis, and the limits, as one process has them.</summary>
internal sealed class RedisLog : IAsyncDisposable
{
    private readonly ServiceProvider _services;

    /// <summary>Sets a process up.</summary>
    /// <param name="connectionString">Where Redis is.</param>
    /// <param name="prefix">What its keys begin with; processes with the same prefix share a log.</param>
    /// <param name="settings">Settings of the log, by their names.</param>
    public RedisLog(string connectionString, string prefix, params (string Name, string Value)[] settings)
        : this(connectionString, prefix, TimeProvider.System, LimitTimes.Default, settings)
    {
    }

    /// <summary>Sets a process up that has a clock of its own.</summary>
    public RedisLog(string connectionString, string prefix, TimeProvider time, LimitTimes times, params (string Name, string Value)[] settings)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(settings
            .Prepend(("KeyPrefix", prefix))
            .Select(s => KeyValuePair.Create($"ChannelLog:Redis:{s.Item1}", (string?)s.Item2)));
        _services = new ServiceCollection()
            .AddLogging()
            .AddSingleton<IConfiguration>(configuration.Build())
            .AddSingleton(time)
            .AddSingleton(times)
            .AddChannelLog(connectionString)
            .AddSharedLimits(connectionString)
            .BuildServiceProvider();
        Meters = new Measured(_services);
    }

    public ISharedLimits Limits => _services.GetRequiredService<ISharedLimits>();

    public IChannelLog Log => _services.GetRequiredService<IChannelLog>();

    public Measured Meters { get; }

    /// <summary>Does what the application does at its start.</summary>
    public async Task StartAsync()
    {
        foreach (var service in _services.GetServices<IHostedService>())
            await service.StartAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>A prefix that nobody else has.</summary>
    public static string NewPrefix() => $"t{Guid.CreateVersion7(TimeProvider.System.GetUtcNow()):N}"[..32];

    /// <summary>Deletes the keys of a prefix, on every node.</summary>
    public static async Task DeleteAsync(string connectionString, string prefix)
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync(connectionString);
        foreach (var server in connection.GetServers().Where(s => s is { IsConnected: true, IsReplica: false }))
        {
            await foreach (var key in server.KeysAsync(pattern: $"{prefix}:*"))
                await connection.GetDatabase().KeyDeleteAsync(key);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Meters.Dispose();
        await _services.DisposeAsync();
    }
}
