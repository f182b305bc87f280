using System.Diagnostics;
using Npgsql;

[assembly: AssemblyFixture(typeof(SevenX42.Modules.Identity.Tests.PostgresFixture))]

namespace SevenX42.Modules.Identity.Tests;

/// <summary>A PostgreSQL server of its own for this assembly; every test takes a fresh database.</summary>
public sealed class PostgresFixture : IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("7x42-pg-").FullName;
    private readonly int _port = FreePort();
    private Process? _server;
    private int _databases;

    public async ValueTask InitializeAsync()
    {
        var data = Path.Combine(_directory, "data");
        if (Environment.UserName == "root")
            await RunAsync("chown", ["postgres", _directory]);
        await RunAsync(Binary("initdb"), ["-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8"]);
        _server = Start(Binary("postgres"), ["-D", data, "-p", $"{_port}", "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]);
        await using var source = NpgsqlDataSource.Create(ConnectionString("postgres"));
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await using var connection = await source.OpenConnectionAsync();
                return;
            }
            catch (NpgsqlException) when (attempt < 100)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
            }
        }
    }

    public async Task<string> CreateDatabaseAsync()
    {
        var name = $"test_{Interlocked.Increment(ref _databases)}";
        await using var source = NpgsqlDataSource.Create(ConnectionString("postgres"));
        await using var command = source.CreateCommand($"CREATE DATABASE {name}");
        await command.ExecuteNonQueryAsync();
        return ConnectionString(name);
    }

    public async ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        if (_server is not null)
        {
            _server.Kill();
            await _server.WaitForExitAsync();
            _server.Dispose();
        }

        Directory.Delete(_directory, recursive: true);
    }

    private static int FreePort()
    {
        using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        return ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
    }

    private string ConnectionString(string database) =>
        $"Host=127.0.0.1;Port={_port};Username=postgres;Database={database};Maximum Pool Size=20;Include Error Detail=true";

    private static string Binary(string name) =>
        Directory.GetFiles("/usr/lib/postgresql", name, SearchOption.AllDirectories).Single(f => f.EndsWith($"/bin/{name}", StringComparison.Ordinal));

    private static Process Start(string file, string[] arguments)
    {
        var info = Environment.UserName == "root" && file.StartsWith("/usr/lib/postgresql", StringComparison.Ordinal)
            ? new ProcessStartInfo("setpriv", ["--reuid=postgres", "--regid=postgres", "--init-groups", file, .. arguments])
            : new ProcessStartInfo(file, arguments);
        info.RedirectStandardOutput = info.RedirectStandardError = true;
        var process = Process.Start(info)!;
        process.OutputDataReceived += static (_, _) => { };
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private static async Task RunAsync(string file, string[] arguments)
    {
        using var process = Start(file, arguments);
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{file} failed with {process.ExitCode}.");
    }
}
