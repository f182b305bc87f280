using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace SevenX42.Testing;

/// <summary>
/// The application as a process of its own, to be ended in every way a process can end. Its ports are free ones, its data
/// directory is the caller's, and what it says is kept.
/// </summary>
public sealed partial class HostProcess : IAsyncDisposable
{
    /// <summary>How long a start or an end may take before it counts as hanging.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private const int StopNumber = 19;
    private const int ContinueNumber = 18;
    private const int FirstPort = 20_000;
    private const int Ports = 10_000;

    // Each run of tests begins elsewhere.
    private static int LastPort = Environment.ProcessId;

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _output = new();
    private readonly ConcurrentQueue<string> _errors = new();

    private readonly string _address;
    private readonly string _management;

    private HostProcess(Process process, string address, string management) =>
        (_process, _address, _management) = (process, address, management);

    /// <summary>Where it listens.</summary>
    public Uri Address => new(_address);

    /// <summary>Where health and metrics are.</summary>
    public Uri Management => new(_management);

    /// <summary>Its process id.</summary>
    public int Id => _process.Id;

    /// <summary>Lines it has written to its standard output.</summary>
    public IReadOnlyCollection<string> Output => _output;

    /// <summary>Lines it has written to its standard error.</summary>
    public IReadOnlyCollection<string> Errors => _errors;

    /// <summary>
    /// A port of 127.0.0.1 that nothing listens on, that is given out once, and that no connection gets by itself: those begin
    /// at higher ports.
    /// </summary>
    public static int FreePort()
    {
        while (true)
        {
            var port = FirstPort + (Interlocked.Increment(ref LastPort) % Ports);
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.AddressAlreadyInUse or SocketError.AccessDenied)
            {
                // Somebody else's.
            }
        }
    }

    /// <summary>Starts it and returns at once.</summary>
    /// <param name="settings">Configuration, by keys with <c>:</c>; they become environment variables.</param>
    /// <param name="arguments">Command line.</param>
    public static HostProcess Launch(IEnumerable<KeyValuePair<string, string?>> settings, params string[] arguments)
    {
        var output = Path.GetFileName(Path.GetDirectoryName(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar)))!;
        var framework = Path.GetFileName(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        var start = new ProcessStartInfo("dotnet")
        {
            WorkingDirectory = Repository.HostDirectory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        if (OperatingSystem.IsLinux())
        {
            // With a process group of its own, as a shell gives it, for Ctrl-C is sent to all of a group. A process started in a
            // shell's background inherits that Ctrl-C is ignored, and .NET keeps to it.
            start.FileName = "setsid";
            start.ArgumentList.Add("env");
            start.ArgumentList.Add("--default-signal=INT");
            start.ArgumentList.Add("dotnet");
        }

        start.ArgumentList.Add(Path.Combine(Repository.HostDirectory, "bin", output, framework, "SevenX42.Host.dll"));
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        var values = new Dictionary<string, string?>
        {
            ["Urls"] = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{FreePort()}"),
            ["Management:Url"] = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{FreePort()}"),
            ["Generation:Discovery"] = "false",
            ["ASPNETCORE_ENVIRONMENT"] = "Development",
        };
        foreach (var (key, value) in settings)
            values[key] = value;
        foreach (var (key, value) in values)
            start.Environment[key.Replace(":", "__", StringComparison.Ordinal)] = value;

        var process = new HostProcess(new Process { StartInfo = start }, values["Urls"]!, values["Management:Url"]!);
        process._process.OutputDataReceived += (_, line) => Keep(process._output, line.Data);
        process._process.ErrorDataReceived += (_, line) => Keep(process._errors, line.Data);
        process._process.Start();
        process._process.BeginOutputReadLine();
        process._process.BeginErrorReadLine();
        return process;
    }

    /// <summary>Starts it and waits until it says that it is ready.</summary>
    public static async Task<HostProcess> StartAsync(IEnumerable<KeyValuePair<string, string?>> settings)
    {
        var process = Launch(settings);
        try
        {
            await process.ReadyAsync();
            return process;
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits until it is ready to serve.</summary>
    /// <exception cref="InvalidOperationException">It ended instead.</exception>
    public async Task ReadyAsync()
    {
        using var http = new HttpClient();
        await Eventually.TrueAsync(
            async () =>
            {
                if (_process.HasExited)
                    throw new InvalidOperationException($"The host ended with {_process.ExitCode}: {string.Join('\n', _errors)}\n{string.Join('\n', _output)}");
                try
                {
                    using var response = await http.GetAsync(new Uri(Management, "/health/ready"));
                    return response.IsSuccessStatusCode;
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            },
            Limit);
    }

    /// <summary>Waits for its end and returns its exit code.</summary>
    public async Task<int> ExitAsync()
    {
        // Until the last line that it wrote has been read, too.
        await _process.WaitForExitAsync().WaitAsync(Limit);
        return _process.ExitCode;
    }

    /// <summary>Ends it as a power cut would: nothing of it runs any more.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        // Not until its output ends: a database that it leaves behind holds that open.
        await Eventually.TrueAsync(() => _process.HasExited, Limit);
    }

    /// <summary>Stops it as it stands: it keeps its connections and does nothing.</summary>
    public void HoldUp() => Send(_process.Id, StopNumber);

    /// <summary>Lets it go on.</summary>
    public void GoOn() => Send(_process.Id, ContinueNumber);

    /// <summary>Asks it to end, as Ctrl-C (<see cref="PosixSignal.SIGINT"/>), which asks its children too, or an orchestrator does.</summary>
    public void Signal(PosixSignal signal)
    {
        var (target, number) = signal is PosixSignal.SIGINT ? (OperatingSystem.IsLinux() ? -_process.Id : _process.Id, 2) : (_process.Id, 15);
        Send(target, number);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            Signal(PosixSignal.SIGTERM);
            try
            {
                await ExitAsync();
            }
            catch (TimeoutException)
            {
                _process.Kill();
                throw;
            }
        }

        _process.Dispose();
    }

    private void Send(int target, int number)
    {
        if (SendSignal(target, number) != 0 && !_process.HasExited)
            throw new InvalidOperationException($"The signal could not be sent: error {Marshal.GetLastPInvokeError()}.");
    }

    private static void Keep(ConcurrentQueue<string> lines, string? line)
    {
        if (line is not null)
            lines.Enqueue(line);
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SendSignal(int processId, int signal);
}
