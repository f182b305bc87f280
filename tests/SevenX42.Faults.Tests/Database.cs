using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using SevenX42.Postgres;
using SevenX42.Testing;

namespace SevenX42.Faults.Tests;

/// <summary>A PostgreSQL that keeps what it has acknowledged, and a proxy before it; both can fail.</summary>
internal sealed class Database : IAsyncDisposable
{
    private const int MaxConnections = 200;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("7x42-faults-");
    private EmbeddedPostgres _server = null!;
    private TcpProxy _proxy = null!;

    private Database()
    {
        // PostgreSQL runs as another user when the tests run as root.
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(_directory.FullName, (UnixFileMode)0b111_101_101);
    }

    /// <summary>How the application gets to it: through the proxy.</summary>
    public string ConnectionString => new NpgsqlConnectionStringBuilder(_server.ConnectionString)
    {
        Host = "127.0.0.1",
        Port = _proxy.Port,
        MaxPoolSize = 10,
    }.ConnectionString;

    public static async Task<Database> StartAsync()
    {
        var database = new Database();
        await database.LaunchAsync();
        var folder = new NpgsqlConnectionStringBuilder(database._server.ConnectionString).Host!;
        var socket = new UnixDomainSocketEndPoint(Path.Combine(folder, ".s.PGSQL.5432"));
        database._proxy = TcpProxy.Start(() => (EndPoint)socket);
        return database;
    }

    /// <summary>Ends it as a crash would, every process of it, and starts it again: it recovers from its log.</summary>
    public async Task CrashAsync()
    {
        var pid = Path.Combine(_directory.FullName, "postgres", "data", "postmaster.pid");
        var id = int.Parse(File.ReadLines(pid).First(), CultureInfo.InvariantCulture);
        using (var process = Process.GetProcessById(id))
            process.Kill();
        await Eventually.TrueAsync(() => !Directory.Exists($"/proc/{id}"), Limit);
        await _server.DisposeAsync();
        await LaunchAsync();
    }

    /// <summary>Cuts some of the application's connections, whatever they are in the midst of.</summary>
    public int Cut(Func<bool> which) => _proxy.Cut(which);

    /// <summary>Keeps everybody from the conversations for a while, until the application has no connection left.</summary>
    public async Task LockUpAsync(TimeSpan duration, CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync();
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using var command = new NpgsqlCommand("LOCK TABLE chat.conversations IN ACCESS EXCLUSIVE MODE", connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
        await Task.Delay(duration, TimeProvider.System, cancellationToken);
        await transaction.RollbackAsync(cancellationToken);
    }

    /// <summary>Takes no writes for a while, as managed databases do whose disk is full, and those that were primary until just now.</summary>
    public async Task RefuseWritesAsync(TimeSpan duration, CancellationToken cancellationToken)
    {
        await ConfigureAsync("SET default_transaction_read_only = on");
        await Task.Delay(duration, TimeProvider.System, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await ConfigureAsync("RESET default_transaction_read_only");
    }

    /// <summary>A connection that no proxy can cut.</summary>
    public async Task<NpgsqlConnection> OpenAsync()
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(_server.ConnectionString) { Pooling = false }.ConnectionString);
        await connection.OpenAsync();
        return connection;
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        await _server.DisposeAsync();
        _directory.Delete(recursive: true);
    }

    private async Task ConfigureAsync(string change)
    {
        await using var connection = await OpenAsync();
        await using (var alter = new NpgsqlCommand($"ALTER SYSTEM {change}", connection))
            await alter.ExecuteNonQueryAsync();
        await using var reload = new NpgsqlCommand("SELECT pg_reload_conf()", connection);
        await reload.ExecuteNonQueryAsync();
    }

    private async Task LaunchAsync() => _server = await EmbeddedPostgres.StartAsync(
        new EmbeddedPostgresOptions
        {
            Directory = Path.Combine(_directory.FullName, "postgres"),
            SearchFrom = Repository.HostDirectory,
            MaxConnections = MaxConnections,
        },
        NullLogger.Instance,
        CancellationToken.None);
}
