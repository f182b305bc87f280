using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using SevenX42.Testing;

namespace SevenX42.Faults.Tests;

/// <summary>One process of the application, and after its end the next one in its place.</summary>
/// <param name="settings">What all are configured with.</param>
/// <param name="role">Its role.</param>
/// <param name="name">Its name.</param>
internal sealed class Replica(IReadOnlyDictionary<string, string?> settings, string role, string name) : IAsyncDisposable
{
    private const int BytesPerPage = 4096;
    private readonly ConcurrentQueue<string> _said = new();
    private HostProcess? _process;
    private int _lives;

    public string Role => role;

    public string Name => name;

    /// <summary>The name that the process has as a worker; another one in each life, as in an orchestrator.</summary>
    public string WorkerId => string.Create(CultureInfo.InvariantCulture, $"{name}-{_lives}");

    public HostProcess Process => _process!;

    /// <summary>Whether it was ever started.</summary>
    public bool HasStarted => _process is not null;

    /// <summary>Whether proxies send anybody here: what its probe said last.</summary>
    public bool IsReady { get; set; }

    /// <summary>Memory that it takes, in MiB.</summary>
    public double MemoryInMegabytes => long.Parse(
        File.ReadAllText($"/proc/{Process.Id}/statm").Split(' ')[1], CultureInfo.InvariantCulture) * BytesPerPage / 1024.0 / 1024.0;

    /// <summary>What it has written in all of its lives.</summary>
    public IEnumerable<string> Said => _process is null ? _said : [.. _said, .. _process.Output, .. _process.Errors];

    /// <summary>Files and connections that it has open.</summary>
    public int OpenFiles => Directory.GetFileSystemEntries($"/proc/{Process.Id}/fd").Length;

    public async Task StartAsync()
    {
        if (_process is { } before)
        {
            await before.DisposeAsync();
            foreach (var line in before.Output.Concat(before.Errors))
                _said.Enqueue(line);
        }

        _lives++;
        _process = HostProcess.Launch([.. settings, new("Role", role), new("Generation:WorkerId", role == "Web" ? null : WorkerId)]);
        await _process.ReadyAsync();
        IsReady = true;
    }

    /// <summary>Ends it as a power cut would.</summary>
    public async Task KillAsync()
    {
        IsReady = false;
        await Process.KillAsync();
    }

    /// <summary>Ends it as an orchestrator does, and waits for its end.</summary>
    /// <returns>How long it took.</returns>
    public async Task<TimeSpan> TerminateAsync()
    {
        var started = Stopwatch.GetTimestamp();
        Process.Signal(PosixSignal.SIGTERM);
        Assert.Equal(0, await Process.ExitAsync());
        IsReady = false;
        return Stopwatch.GetElapsedTime(started);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
            await _process.DisposeAsync();
    }
}
