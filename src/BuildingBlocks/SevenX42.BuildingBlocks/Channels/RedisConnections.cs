using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace SevenX42.Realtime;

/// <summary>Reads the connection string of a Redis, in the form of StackExchange.Redis: <c>redis:6379,password=secret,ssl=true</c>.</summary>
public static class RedisConnectionString
{
    // What the string itself says counts. Calls that wait for a connection are given the time of synchronous ones. A server's role is
    // looked at every few seconds, since a promotion is announced nowhere.
    private const string Defaults = "connectTimeout=3000,connectRetry=1,asyncTimeout=2000,syncTimeout=2000,keepAlive=10,configCheckSeconds=5,";

    /// <summary>Whether it is one.</summary>
    public static bool IsValid(string text) => TryParse(text) is not null;

    internal static ConfigurationOptions? TryParse(string text)
    {
        try
        {
            var options = ConfigurationOptions.Parse(Defaults + text);
            // An URL would be taken for a host of that name.
            if (options.EndPoints.Count == 0 || text.Contains("://", StringComparison.Ordinal))
                return null;
            options.AbortOnConnectFail = false;
            // Scripts publish, and know of no prefix but their own.
            options.ChannelPrefix = default;
            return options;
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            return null;
        }
    }
}

/// <summary>
/// Two connections to Redis: one for commands, and one that hints come in on, which can be made anew without disturbing the other.
/// </summary>
internal sealed partial class RedisConnections(string connectionString, ILogger<RedisConnections> logger) : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private Task<ConnectionMultiplexer>? _commands;
    private bool _disposed;

    /// <summary>What the connection string says, with the defaults of this application.</summary>
    public ConfigurationOptions Options =>
        RedisConnectionString.TryParse(connectionString) ?? throw new FormatException("No connection string of a Redis.");

    /// <summary>
    /// Whether calls wait for a connection that is lost. They do until the start has found out what is wrong; after that, who reads
    /// is told at once, for a page that waited at every call would take seconds.
    /// </summary>
    public bool IsPatient { get; set; } = true;

    /// <summary>The connection for commands; connected or not, it comes back by itself.</summary>
    /// <exception cref="RedisException">There is none now.</exception>
    public Task<ConnectionMultiplexer> GetCommandsAsync()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_commands is null or { IsFaulted: true })
                _commands = ConnectAsync("commands");
            return _commands;
        }
    }

    /// <summary>A new connection for hints; the caller's to dispose of.</summary>
    public Task<ConnectionMultiplexer> ConnectHintsAsync() => ConnectAsync("hints");

    public async ValueTask DisposeAsync()
    {
        Task<ConnectionMultiplexer>? commands;
        lock (_gate)
            (_disposed, commands) = (true, _commands);
        if (commands is { IsCompletedSuccessfully: true })
            await commands.Result.DisposeAsync();
    }

    private async Task<ConnectionMultiplexer> ConnectAsync(string purpose)
    {
        var options = Options;
        options.ClientName = $"7x42-{purpose}";
        // Hints are short: they need no connection besides the one their commands take.
        options.SharedSubscriptionConnection = purpose == "hints";
        var connection = await ConnectionMultiplexer.ConnectAsync(options);
        connection.ConnectionFailed += (_, failed) => LogLost(failed.Exception, purpose, failed.FailureType);
        connection.ConnectionRestored += (_, _) => LogBack(purpose);
        return connection;
    }

    [LoggerMessage(1, LogLevel.Warning, "The connection to Redis for {Purpose} is lost: {Failure}")]
    private partial void LogLost(Exception? exception, string purpose, ConnectionFailureType failure);

    [LoggerMessage(2, LogLevel.Information, "The connection to Redis for {Purpose} is back")]
    private partial void LogBack(string purpose);
}
