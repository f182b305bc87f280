using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace SevenX42.Postgres;

/// <summary>The embedded PostgreSQL can't start; the message says in one sentence why, and what to do.</summary>
public sealed class EmbeddedPostgresException(string message, Exception? innerException = null) : Exception(message, innerException);

/// <summary>Settings of the embedded PostgreSQL.</summary>
public sealed record EmbeddedPostgresOptions
{
    /// <summary>
    /// Where everything of the server lives; made when it does not exist. When the process is root and its unprivileged
    /// user can't get there, a folder under <c>/var/lib/7x42</c> takes its place.
    /// </summary>
    public required string Directory { get; init; }

    /// <summary>The PostgreSQL installation to run: a folder with <c>bin</c>, <c>lib</c> and <c>share</c>; found when not given.</summary>
    public string? Installation { get; init; }

    /// <summary>Where to look for the installation, upwards from here.</summary>
    public string SearchFrom { get; init; } = AppContext.BaseDirectory;

    /// <summary>Most connections at once.</summary>
    public int MaxConnections { get; init; } = 100;

    /// <summary><see langword="false"/> trades what a power cut may lose for speed; for tests only.</summary>
    public bool Durable { get; init; } = true;
}

/// <summary>
/// A real PostgreSQL of our own, for one machine on which no database is configured. Reached over a Unix socket in a
/// folder that only its user can enter (over loopback on Windows), with a random password. It ends with this process: by
/// <see cref="DisposeAsync"/>, by the kernel on Linux when the process is killed, and otherwise by the next start.
/// </summary>
public sealed partial class EmbeddedPostgres : IAsyncDisposable
{
    private const string Database = "sevenx42";
    private const string ProcessFile = "postmaster.pid";
    private const string MajorVersion = "18";
    private const string MemoryInUse = "pre-existing shared memory block";
    private const int SharingViolationOnLinux = 11;
    private const int SharingViolationOnMacOS = 35;
    private const int SharingViolationOnWindows = unchecked((int)0x80070020);
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan OrphanInterval = TimeSpan.FromMilliseconds(200);

    private readonly FileStream _lock;
    private readonly Process _process;
    private readonly ManualResetEventSlim _release;
    private readonly string _dataDirectory;
    private readonly ILogger _logger;
    private int _disposed;

    private EmbeddedPostgres(
        FileStream @lock, Process process, ManualResetEventSlim release, string dataDirectory, string connectionString, ILogger logger)
    {
        (_lock, _process, _release, _dataDirectory, _logger) = (@lock, process, release, dataDirectory, logger);
        ConnectionString = connectionString;
    }

    /// <summary>Connection string of the application's database on the running server. Holds the password.</summary>
    public string ConnectionString { get; }

    /// <summary>Process id of the server: what starts it replaces itself by it.</summary>
    internal int ServerProcessId => _process.Id;

    /// <summary>Starts the server; recovers what an earlier process that was killed left behind.</summary>
    /// <exception cref="EmbeddedPostgresException">
    /// Another instance uses the folder, the folder can't be written, its data is of another major version, or the
    /// binaries are missing or fail.
    /// </exception>
    public static async Task<EmbeddedPostgres> StartAsync(
        EmbeddedPostgresOptions options, ILogger logger, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        var started = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                return await StartOnceAsync(options, logger, cancellationToken);
            }
            catch (EmbeddedPostgresException e) when (e.Message.Contains(MemoryInUse, StringComparison.Ordinal) && started.Elapsed < StartLimit)
            {
                // What a server that was killed had started ends by itself when it notices, each as soon as it waits for something.
                await Task.Delay(OrphanInterval, TimeProvider.System, cancellationToken);
            }
        }
    }

    /// <summary>Stops the server: open transactions are rolled back, everything committed is on disk.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        if (!_process.HasExited)
            await StopServerAsync(_process.Id, _logger, CancellationToken.None);
        _release.Set();
        _release.Dispose();
        _process.Dispose();
        await _lock.DisposeAsync();
    }

    private static async Task<EmbeddedPostgres> StartOnceAsync(
        EmbeddedPostgresOptions options, ILogger logger, CancellationToken cancellationToken)
    {
        var user = UnprivilegedUser.Find();
        var root = Path.GetFullPath(options.Directory);
        if (user is not null && !UnprivilegedUser.CanReach(root))
            root = UnprivilegedUser.PrivateFolderFor(root);
        FileStream? held = null;
        try
        {
            CreateOwned(root, user);
            held = Lock(root);
            var installation = PostgresInstallation.Prepare(options, root, user);
            var data = Path.Combine(root, "data");
            var password = await InitializeAsync(installation, data, root, user, cancellationToken);
            await EndOrphanAsync(data, logger, cancellationToken);
            return await LaunchAsync(options, installation, root, data, password, held, user, logger, cancellationToken);
        }
        catch (UnauthorizedAccessException e)
        {
            held?.Dispose();
            throw new EmbeddedPostgresException($"The data folder {root} can't be written: {e.Message} Set DataDirectory to a folder that can.", e);
        }
        catch (IOException e)
        {
            held?.Dispose();
            throw new EmbeddedPostgresException($"The data folder {root} can't be used: {e.Message}", e);
        }
        catch
        {
            held?.Dispose();
            throw;
        }
    }

    private static void CreateOwned(string folder, UnprivilegedUser? user)
    {
        Directory.CreateDirectory(folder);
        user?.Own(folder);
    }

    // An open file with an OS lock: it ends with the process however that ends, unlike a file that holds a process id.
    private static FileStream Lock(string root)
    {
        var path = Path.Combine(root, "lock");
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (e.HResult is SharingViolationOnLinux or SharingViolationOnMacOS or SharingViolationOnWindows)
        {
            throw new EmbeddedPostgresException(
                $"Another 7x42 already uses the data folder {root}. Stop it, or start this one with another DataDirectory.", e);
        }
    }

    private static async Task<string> InitializeAsync(
        PostgresInstallation installation, string data, string root, UnprivilegedUser? user, CancellationToken cancellationToken)
    {
        var passwordFile = Path.Combine(root, "password");
        var versionFile = Path.Combine(data, "PG_VERSION");
        if (Directory.Exists(data))
        {
            if (!File.Exists(versionFile) || !File.Exists(passwordFile))
            {
                throw new EmbeddedPostgresException(
                    $"The data in {root} is not whole: {(File.Exists(versionFile) ? passwordFile : versionFile)} is missing. Restore it, or start with another DataDirectory.");
            }

            var version = (await File.ReadAllTextAsync(versionFile, cancellationToken)).Trim();
            return version == MajorVersion
                ? (await File.ReadAllTextAsync(passwordFile, cancellationToken)).Trim()
                : throw new EmbeddedPostgresException(
                    $"The data in {data} is of PostgreSQL {version}; this release runs {MajorVersion}. Dump it with the old one and load it into a new DataDirectory.");
        }

        // Under another name until it is whole: what a first start that was cut short leaves is never taken for data.
        var partial = data + ".partial";
        if (Directory.Exists(partial))
            Directory.Delete(partial, recursive: true);
        var password = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24));
        var temporary = passwordFile + ".new";
        await File.WriteAllTextAsync(temporary, password, cancellationToken);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(temporary, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        user?.Own(temporary);
        using var initdb = Start(
            installation.Command("initdb", user, ["-D", partial, "-U", Database, "--pwfile", temporary, "-A", "scram-sha-256", "-E", "UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]));
        var error = initdb.StandardError.ReadToEndAsync(cancellationToken);
        await initdb.StandardOutput.ReadToEndAsync(cancellationToken);
        await initdb.WaitForExitAsync(cancellationToken);
        if (initdb.ExitCode != 0)
            throw new EmbeddedPostgresException($"PostgreSQL can't make its data folder {data}: {Cause(await error)}");
        File.Move(temporary, passwordFile, overwrite: true);
        Directory.Move(partial, data);
        return password;
    }

    private static async Task<EmbeddedPostgres> LaunchAsync(
        EmbeddedPostgresOptions options,
        PostgresInstallation installation,
        string root,
        string data,
        string password,
        FileStream held,
        UnprivilegedUser? user,
        ILogger logger,
        CancellationToken cancellationToken)
    {
        var endpoint = PostgresEndpoint.Choose(root, user);
        List<string> arguments = ["-D", data, .. endpoint.ServerArguments];
        foreach (var setting in Settings(options))
            arguments.AddRange(["-c", setting]);
        var release = new ManualResetEventSlim();
        var process = await StartOnOwnThreadAsync(installation.Command("postgres", user, arguments, endsWithParent: true), release);
        var lastLines = new Queue<string>();
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        var connectionString = new NpgsqlConnectionStringBuilder(endpoint.ConnectionString)
        {
            Username = Database,
            Password = password,
            Database = Database,
            MaxPoolSize = Math.Max(10, options.MaxConnections - 20),
            Timeout = 15,
        }.ConnectionString;
        var server = new EmbeddedPostgres(held, process, release, data, connectionString, logger);
        try
        {
            await server.WaitUntilReadyAsync(lastLines, cancellationToken);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }

        void Keep(string? line)
        {
            if (string.IsNullOrEmpty(line))
                return;
            LogServer(logger, line);
            lock (lastLines)
            {
                lastLines.Enqueue(line);
                if (lastLines.Count > 20)
                    lastLines.Dequeue();
            }
        }
    }

    private static IEnumerable<string> Settings(EmbeddedPostgresOptions options)
    {
        yield return string.Create(CultureInfo.InvariantCulture, $"max_connections={options.MaxConnections}");
        yield return "shared_buffers=64MB";
        yield return "max_wal_size=256MB";
        yield return "log_min_messages=warning";
        yield return "timezone=UTC";
        if (!options.Durable)
        {
            yield return "fsync=off";
            yield return "synchronous_commit=off";
            yield return "full_page_writes=off";
        }
    }

    private async Task WaitUntilReadyAsync(Queue<string> lastLines, CancellationToken cancellationToken)
    {
        var started = Stopwatch.StartNew();
        var maintenance = new NpgsqlConnectionStringBuilder(ConnectionString) { Database = "postgres", Pooling = false, Timeout = 5 }.ConnectionString;
        while (true)
        {
            try
            {
                await using var connection = new NpgsqlConnection(maintenance);
                await connection.OpenAsync(cancellationToken);
                await using var command = connection.CreateCommand();
                command.CommandText = $"SELECT 1 FROM pg_database WHERE datname = '{Database}'";
                if (await command.ExecuteScalarAsync(cancellationToken) is null)
                {
                    command.CommandText = $"CREATE DATABASE {Database}";
                    await command.ExecuteNonQueryAsync(cancellationToken);
                }

                LogReady(_logger, _dataDirectory, started.ElapsedMilliseconds);
                return;
            }
            catch (NpgsqlException e) when (e is not PostgresException { SqlState: PostgresErrorCodes.InvalidPassword })
            {
                if (_process.HasExited)
                {
                    // What it said last comes after its end; from what it started it may never come to one.
                    await Task.WhenAny(_process.WaitForExitAsync(cancellationToken), Task.Delay(LastWords, TimeProvider.System, cancellationToken));
                    throw new EmbeddedPostgresException($"PostgreSQL ended while starting: {Last(lastLines)}", e);
                }

                if (started.Elapsed > StartLimit)
                    throw new EmbeddedPostgresException($"PostgreSQL does not answer after {StartLimit.TotalSeconds} s: {Last(lastLines)}", e);
                await Task.Delay(PollInterval, TimeProvider.System, cancellationToken);
            }
        }

        static string Last(Queue<string> lines)
        {
            lock (lines)
                return lines.LastOrDefault(l => l.Contains("FATAL", StringComparison.Ordinal)) ?? lines.LastOrDefault() ?? "it said nothing.";
        }
    }

    // The kernel sends the parent-death signal when the thread that forked ends, not the process: so that thread stays.
    private static Task<Process> StartOnOwnThreadAsync(ProcessStartInfo command, ManualResetEventSlim release)
    {
        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() =>
        {
            try
            {
                started.SetResult(Start(command));
            }
            catch (Exception e) when (e is EmbeddedPostgresException or IOException or InvalidOperationException)
            {
                started.SetException(e);
                return;
            }

            release.Wait();
        })
        { IsBackground = true, Name = "PostgreSQL parent" };
        thread.Start();
        return started.Task;
    }

    private static Process Start(ProcessStartInfo command)
    {
        try
        {
            return Process.Start(command) ?? throw new EmbeddedPostgresException($"{command.FileName} can't be started.");
        }
        catch (Win32Exception e)
        {
            throw new EmbeddedPostgresException($"{command.FileName} can't be started: {e.Message}.", e);
        }
    }

    // The lock is ours, so a server that still runs on the folder belongs to a process that is no more.
    private static async Task EndOrphanAsync(string data, ILogger logger, CancellationToken cancellationToken)
    {
        var file = Path.Combine(data, ProcessFile);
        if (ReadServerProcessId(data) is { } id && IsServer(id) && IsServerOf(id, file))
        {
            LogOrphan(logger, id);
            await StopServerAsync(id, logger, cancellationToken);
        }

        // The process id may belong to something else by now, for which PostgreSQL would refuse to start.
        File.Delete(file);
    }

    private static async Task StopServerAsync(int id, ILogger logger, CancellationToken cancellationToken)
    {
        foreach (var signal in (ServerSignal[])[ServerSignal.FastShutdown, ServerSignal.ImmediateShutdown, ServerSignal.Kill])
        {
            if (!ServerProcess.Signal(id, signal))
                return;
            var waited = Stopwatch.StartNew();
            while (waited.Elapsed < StopLimit)
            {
                if (!IsServer(id))
                    return;
                await Task.Delay(PollInterval, TimeProvider.System, cancellationToken);
            }

            LogSlowStop(logger, id, signal);
        }
    }

    private static int? ReadServerProcessId(string data)
    {
        try
        {
            using var reader = File.OpenText(Path.Combine(data, ProcessFile));
            return int.TryParse(reader.ReadLine(), NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static bool IsServer(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            return !process.HasExited && process.ProcessName.StartsWith("postgres", StringComparison.Ordinal);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            return false;
        }
    }

    // A server works in its data folder, so there it has the file that we see: same process, folder and start.
    private static bool IsServerOf(int id, string file)
    {
        if (!OperatingSystem.IsLinux())
            return true;
        try
        {
            var theirs = string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/cwd/{ProcessFile}");
            return File.ReadLines(theirs).Take(3).SequenceEqual(File.ReadLines(file).Take(3));
        }
        catch (UnauthorizedAccessException)
        {
            // Of another user. A signal to it is refused as well.
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    // initdb ends with what it cleaned up; the cause stands before.
    private static string Cause(string text)
    {
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return lines.FirstOrDefault(line => line.Contains("error:", StringComparison.Ordinal) || line.Contains("FATAL", StringComparison.Ordinal))
            ?? lines.LastOrDefault() ?? "it said nothing.";
    }

    [LoggerMessage(1, LogLevel.Debug, "PostgreSQL: {Line}")]
    private static partial void LogServer(ILogger logger, string line);

    [LoggerMessage(2, LogLevel.Information, "PostgreSQL is ready on {Directory} after {ElapsedMs} ms")]
    private static partial void LogReady(ILogger logger, string directory, long elapsedMs);

    [LoggerMessage(3, LogLevel.Warning, "Stopping PostgreSQL {ProcessId}, which a killed process left behind")]
    private static partial void LogOrphan(ILogger logger, int processId);

    [LoggerMessage(4, LogLevel.Warning, "PostgreSQL {ProcessId} did not stop in time after {Signal}")]
    private static partial void LogSlowStop(ILogger logger, int processId, ServerSignal signal);
}
