using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using SevenX42.Postgres;
using Testcontainers.PostgreSql;
using Xunit;

namespace SevenX42.Testing;

/// <summary>
/// One PostgreSQL for a test assembly: a container where a container engine answers, else the embedded binaries. Use it as
/// an assembly fixture.
/// </summary>
public sealed class PostgresServer : IAsyncLifetime
{
    private PostgreSqlContainer? _container;
    private EmbeddedPostgres? _embedded;
    private DirectoryInfo? _directory;
    private readonly Lazy<Task<string>> _migrated;
    private int _databases;

    /// <summary>Not started yet.</summary>
    public PostgresServer() => _migrated = new(MigrateAsync);

    /// <summary>Connection string of the server's own database.</summary>
    public string ConnectionString { get; private set; } = "";

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        if (await ContainerEngine.AnswersAsync())
        {
            _container = new PostgreSqlBuilder("postgres:17").Build();
            await _container.StartAsync();
            ConnectionString = _container.GetConnectionString();
            return;
        }

        _directory = Directory.CreateTempSubdirectory("7x42-postgres-");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(_directory.FullName, (UnixFileMode)0b111_101_101);
        _embedded = await EmbeddedPostgres.StartAsync(
            new EmbeddedPostgresOptions
            {
                Directory = Path.Combine(_directory.FullName, "postgres"),
                SearchFrom = Repository.HostDirectory,
                MaxConnections = 200,
                Durable = false,
            },
            NullLogger.Instance,
            CancellationToken.None);
        ConnectionString = _embedded.ConnectionString;
    }

    /// <summary>
    /// Makes a database with every module's schema and returns its connection string: a copy of one that was migrated once, for
    /// migrating each would take longer than most tests do.
    /// </summary>
    public async Task<string> CreateDatabaseAsync() => await CreateAsync($"TEMPLATE {await _migrated.Value}");

    /// <summary>Makes an empty database and returns its connection string.</summary>
    public Task<string> CreateEmptyDatabaseAsync() => CreateAsync("");

    private async Task<string> CreateAsync(string options)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"test_{Environment.ProcessId}_{Interlocked.Increment(ref _databases)}");
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = $"CREATE DATABASE {name} {options}";
        await command.ExecuteNonQueryAsync();
        return new NpgsqlConnectionStringBuilder(ConnectionString) { Database = name, MaxPoolSize = 30 }.ConnectionString;
    }

    private async Task<string> MigrateAsync()
    {
        // Nobody may be connected to what is copied.
        var connection = new NpgsqlConnectionStringBuilder(await CreateEmptyDatabaseAsync()) { Pooling = false };
        await AppHost.MigrateAsync(connection.ConnectionString);
        return connection.Database!;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        if (_container is not null)
            await _container.DisposeAsync();
        if (_embedded is not null)
            await _embedded.DisposeAsync();
        _directory?.Delete(recursive: true);
    }
}

/// <summary>Whether containers can be had here.</summary>
internal static class ContainerEngine
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(3);

    public static async Task<bool> AnswersAsync()
    {
        // Without an endpoint there is nothing to ask; asking anyway costs seconds.
        var endpoint = Environment.GetEnvironmentVariable("DOCKER_HOST");
        if (string.IsNullOrEmpty(endpoint) && !File.Exists("/var/run/docker.sock"))
            return false;
        try
        {
            using var handler = new SocketsHttpHandler
            {
                ConnectCallback = async (context, cancellationToken) =>
                {
                    var uri = new Uri(endpoint is { Length: > 0 } ? endpoint : "unix:///var/run/docker.sock");
                    var socket = uri.Scheme == "unix"
                        ? new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified)
                        : new System.Net.Sockets.Socket(System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
                    await socket.ConnectAsync(
                        uri.Scheme == "unix" ? new System.Net.Sockets.UnixDomainSocketEndPoint(uri.LocalPath) : new System.Net.DnsEndPoint(uri.Host, uri.Port),
                        cancellationToken);
                    return new System.Net.Sockets.NetworkStream(socket, ownsSocket: true);
                },
            };
            using var client = new HttpClient(handler) { Timeout = Limit };
            return (await client.GetAsync(new Uri("http://docker/_ping"))).IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            return false;
        }
    }
}

/// <summary>The repository that the tests run in.</summary>
public static class Repository
{
    /// <summary>Its root folder.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The Host's project folder.</summary>
    public static string HostDirectory => Path.Combine(Root, "src", "Host");

    private static string FindRoot()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "Monolith.sln")))
                return directory.FullName;
        }

        throw new DirectoryNotFoundException("The tests run outside the repository.");
    }
}
