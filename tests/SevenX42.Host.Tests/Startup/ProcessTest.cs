using SevenX42.Testing;

namespace SevenX42.Host.Tests.Startup;

/// <summary>The application as a process of its own, with a data folder that is deleted behind it.</summary>
public abstract class ProcessTest(PostgresServer postgres) : IDisposable
{
    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    protected PostgresServer Postgres { get; } = postgres;

    protected DirectoryInfo Data { get; } = MakeDataDirectory();

    public void Dispose()
    {
        Data.Delete(recursive: true);
        GC.SuppressFinalize(this);
    }

    protected Dictionary<string, string?> Embedded() => new() { ["DataDirectory"] = Data.FullName };

    protected Dictionary<string, string?> On(string connection, params (string Key, string Value)[] settings) =>
        new(settings.Select(s => KeyValuePair.Create(s.Key, (string?)s.Value)))
        {
            ["DataDirectory"] = Data.FullName,
            ["ConnectionStrings:Postgres"] = connection,
        };

    protected static string Address(HostProcess host) => host.Address.GetLeftPart(UriPartial.Authority);

    /// <summary>What the health command, configured as the process is, ends with and says.</summary>
    protected static async Task<(int Exit, string Said)> AskAsync(HostProcess host)
    {
        await using var health = HostProcess.Launch([KeyValuePair.Create<string, string?>("Management:Url", host.Management.ToString())], "health");
        return (await health.ExitAsync(), Assert.Single([.. health.Output, .. health.Errors]));
    }

    private static DirectoryInfo MakeDataDirectory()
    {
        var directory = Directory.CreateTempSubdirectory("7x42-process-");
        // PostgreSQL runs as another user when the tests run as root.
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(directory.FullName, (UnixFileMode)0b111_101_101);
        return directory;
    }
}
