using System.Runtime.InteropServices;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Startup;

/// <summary>The application with a database of its own in the data folder: whatever becomes of the process, both end and come back together.</summary>
public sealed class EmbeddedPostgresTests(PostgresServer postgres) : ProcessTest(postgres)
{
    public static TheoryData<PosixSignal> Signals => [PosixSignal.SIGINT, PosixSignal.SIGTERM];

    [Fact]
    public async Task With_nothing_configured_it_says_where_it_is_and_serves_a_page()
    {
        await using var host = await HostProcess.StartAsync(Embedded());

        Assert.Contains($"7x42 is at {Address(host)}", host.Output);
        await Eventually.TrueAsync(() => host.Output.Any(l => l.Contains("demo model: built in", StringComparison.Ordinal)));
        using var http = new HttpClient();
        Assert.Contains("Message", await http.GetStringAsync(host.Address, Cancel), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_data_folder_survives_a_kill()
    {
        var first = await HostProcess.StartAsync(Embedded());
        await first.KillAsync();
        await first.DisposeAsync();

        await using var second = await HostProcess.StartAsync(Embedded());

        using var http = new HttpClient();
        Assert.Contains("Message", await http.GetStringAsync(second.Address, Cancel), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_second_instance_on_a_data_folder_says_so_and_ends()
    {
        await using var first = await HostProcess.StartAsync(Embedded());

        await using var second = HostProcess.Launch(Embedded());

        Assert.Equal(1, await second.ExitAsync());
        Assert.Equal([$"Another 7x42 already uses the data folder {Path.Combine(Data.FullName, "postgres")}. Stop it, or start this one with another DataDirectory."], second.Errors);
    }

    [Theory]
    [MemberData(nameof(Signals))]
    public async Task A_signal_ends_it_and_its_database_cleanly(PosixSignal signal)
    {
        await using var host = await HostProcess.StartAsync(Embedded());
        var databaseProcess = int.Parse(File.ReadLines(Path.Combine(Data.FullName, "postgres", "data", "postmaster.pid")).First(), System.Globalization.CultureInfo.InvariantCulture);
        Assert.True(Directory.Exists($"/proc/{databaseProcess}"));
        // Ctrl-C must not reach it: it is needed until the last answer is stored.
        Assert.Equal(databaseProcess, GroupOf(databaseProcess));

        host.Signal(signal);

        Assert.Equal(0, await host.ExitAsync());
        Assert.False(Directory.Exists($"/proc/{databaseProcess}"));
        Assert.DoesNotContain(host.Output, line => line.Contains("warn:", StringComparison.Ordinal));
        Assert.Empty(host.Errors);
        Assert.False(File.Exists(Path.Combine(Data.FullName, "postgres", "data", "postmaster.pid")));
    }

    // The third field behind the name in parentheses: state, parent, group.
    private static int GroupOf(int process) =>
        int.Parse(File.ReadAllText($"/proc/{process}/stat").Split(") ")[^1].Split(' ')[2], System.Globalization.CultureInfo.InvariantCulture);
}
