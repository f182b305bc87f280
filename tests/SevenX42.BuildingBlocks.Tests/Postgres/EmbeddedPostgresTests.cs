using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using SevenX42.Postgres;
using SevenX42.Testing;

namespace SevenX42.BuildingBlocks.Tests.Postgres;

public sealed class EmbeddedPostgresTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("7x42-embedded-");

    public EmbeddedPostgresTests()
    {
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(_directory.FullName, (UnixFileMode)0b111_101_101);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_was_committed_is_there_after_a_restart()
    {
        await using (var first = await StartAsync())
            await ExecuteAsync(first, "CREATE TABLE kept (value int); INSERT INTO kept VALUES (42)");
        await using var second = await StartAsync();
        Assert.Equal(42, await ExecuteAsync(second, "SELECT value FROM kept"));
    }

    [Fact]
    public async Task A_server_that_was_killed_recovers()
    {
        var first = await StartAsync();
        await ExecuteAsync(first, "CREATE TABLE kept (value int); INSERT INTO kept VALUES (42)");
        Assert.True(ServerProcess.Signal(first.ServerProcessId, ServerSignal.Kill));
        await first.DisposeAsync();
        await using var second = await StartAsync();
        Assert.Equal(42, await ExecuteAsync(second, "SELECT value FROM kept"));
    }

    [Fact]
    public async Task What_a_killed_server_had_started_is_waited_for()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Elsewhere nothing holds a process up by a signal's name.");
        var first = await StartAsync();
        await using var connection = new NpgsqlConnection(first.ConnectionString + ";Pooling=false");
        await connection.OpenAsync(Cancellation);
        var left = connection.ProcessID.ToString(CultureInfo.InvariantCulture);
        await SignalAsync("-STOP", left);
        Assert.True(ServerProcess.Signal(first.ServerProcessId, ServerSignal.Kill));
        await first.DisposeAsync();
        using var lines = new LogLines();

        var starting = StartAsync(_directory.FullName, lines.CreateLogger(""));
        await Eventually.TrueAsync(() => lines.All.Any(l => l.Text.Contains("shared memory block", StringComparison.Ordinal)));
        Assert.False(starting.IsCompleted);
        await SignalAsync("-CONT", left);

        await using var second = await starting;
        Assert.Equal(1, await ExecuteAsync(second, "SELECT 1"));

        static async Task SignalAsync(string signal, string process)
        {
            using var kill = Process.Start("kill", [signal, process]);
            await kill.WaitForExitAsync(Cancellation);
            Assert.Equal(0, kill.ExitCode);
        }
    }

    [Fact]
    public async Task A_second_instance_on_the_same_folder_is_refused_with_a_sentence()
    {
        await using var first = await StartAsync();
        var refused = await Assert.ThrowsAsync<EmbeddedPostgresException>(StartAsync);
        Assert.Contains("already uses the data folder", refused.Message, StringComparison.Ordinal);
        Assert.Equal(1, await ExecuteAsync(first, "SELECT 1"));
    }

    [Fact]
    public async Task A_stale_process_id_file_does_not_hinder_the_start()
    {
        await using (await StartAsync())
        {
        }

        await File.WriteAllTextAsync(
            Path.Combine(_directory.FullName, "postgres", "data", "postmaster.pid"),
            string.Create(CultureInfo.InvariantCulture, $"999999\n{_directory.FullName}\n0\n5432\n\n\n0 0\nready\n"),
            Cancellation);
        await using var second = await StartAsync();
        Assert.Equal(1, await ExecuteAsync(second, "SELECT 1"));
    }

    [Fact]
    public async Task Data_of_another_major_version_is_refused_with_a_sentence()
    {
        await using (await StartAsync())
        {
        }

        await File.WriteAllTextAsync(Path.Combine(_directory.FullName, "postgres", "data", "PG_VERSION"), "9\n", Cancellation);
        var refused = await Assert.ThrowsAsync<EmbeddedPostgresException>(StartAsync);
        Assert.Contains("is of PostgreSQL 9", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_whose_path_is_too_long_for_a_socket_still_works()
    {
        await using var server = await StartAsync(Path.Combine(_directory.FullName, new string('x', 120)));
        Assert.Equal(1, await ExecuteAsync(server, "SELECT 1"));
    }

    [Fact]
    public async Task The_server_never_runs_as_root()
    {
        await using var server = await StartAsync();
        var status = await File.ReadAllLinesAsync(
            string.Create(CultureInfo.InvariantCulture, $"/proc/{server.ServerProcessId}/status"), Cancellation);
        var ids = Assert.Single(status, line => line.StartsWith("Uid:", StringComparison.Ordinal)).Split('\t');
        Assert.DoesNotContain("0", ids);
    }

    [Fact]
    public async Task A_folder_that_is_a_file_is_refused_with_a_sentence()
    {
        var file = Path.Combine(_directory.FullName, "file");
        await File.WriteAllTextAsync(file, "", Cancellation);
        var refused = await Assert.ThrowsAsync<EmbeddedPostgresException>(() => StartAsync(file));
        Assert.Contains(file, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_first_start_that_was_cut_short_is_begun_again()
    {
        var partial = Directory.CreateDirectory(Path.Combine(_directory.FullName, "postgres", "data.partial"));
        await File.WriteAllTextAsync(Path.Combine(partial.FullName, "PG_VERSION"), "18\n", Cancellation);
        await using var server = await StartAsync();
        Assert.Equal(1, await ExecuteAsync(server, "SELECT 1"));
    }

    [Fact]
    public async Task Data_without_its_password_is_left_alone_and_refused_with_a_sentence()
    {
        await using (await StartAsync())
        {
        }

        var root = Path.Combine(_directory.FullName, "postgres");
        File.Move(Path.Combine(root, "password"), Path.Combine(root, "kept"));
        var refused = await Assert.ThrowsAsync<EmbeddedPostgresException>(StartAsync);
        Assert.Contains("password is missing", refused.Message, StringComparison.Ordinal);
        File.Move(Path.Combine(root, "kept"), Path.Combine(root, "password"));
        await using var again = await StartAsync();
        Assert.Equal(1, await ExecuteAsync(again, "SELECT 1"));
    }

    [Fact]
    public async Task A_process_id_file_that_names_the_server_of_another_folder_harms_neither()
    {
        await using var other = await StartAsync(Path.Combine(_directory.FullName, "other"));
        await using (await StartAsync())
        {
        }

        await File.WriteAllTextAsync(
            Path.Combine(_directory.FullName, "postgres", "data", "postmaster.pid"),
            string.Create(CultureInfo.InvariantCulture, $"{other.ServerProcessId}\n{_directory.FullName}\n0\n5432\n\n\n0 0\nready\n"),
            Cancellation);
        await using var server = await StartAsync();
        Assert.Equal(1, await ExecuteAsync(server, "SELECT 1"));
        Assert.Equal(1, await ExecuteAsync(other, "SELECT 1"));
    }

    [Fact]
    public async Task A_folder_that_can_not_be_written_is_refused_with_a_sentence()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Nobody can write to /proc, not even root.");
        var refused = await Assert.ThrowsAsync<EmbeddedPostgresException>(() => StartAsync("/proc/sys"));
        Assert.Contains("/proc/sys/postgres", refused.Message, StringComparison.Ordinal);
    }

    public void Dispose() => _directory.Delete(recursive: true);

    private Task<EmbeddedPostgres> StartAsync() => StartAsync(_directory.FullName);

    private static Task<EmbeddedPostgres> StartAsync(string directory, ILogger? logger = null) => EmbeddedPostgres.StartAsync(
        new EmbeddedPostgresOptions { Directory = Path.Combine(directory, "postgres"), SearchFrom = Repository.HostDirectory },
        logger ?? NullLogger.Instance,
        Cancellation);

    private static async Task<object?> ExecuteAsync(EmbeddedPostgres server, string sql)
    {
        await using var connection = new NpgsqlConnection(server.ConnectionString + ";Pooling=false");
        await connection.OpenAsync(Cancellation);
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(Cancellation);
    }
}
