using System.Diagnostics;
using System.IO.Compression;

namespace SevenX42.Host.Tests.Realtime;

/// <summary>The browser's module by itself: its own tests under Node, and its weight.</summary>
public sealed class BrowserClientTests
{
    private static readonly string Repository = FindRepository();

    [Fact]
    public async Task The_client_s_own_tests_pass()
    {
        var tests = Directory.GetFiles(Path.Combine(Repository, "tests", "SevenX42.Host.Tests", "realtime-client"), "*.test.mjs");
        Assert.NotEmpty(tests);

        var (code, output) = await RunAsync("node", ["--test", "--test-reporter=spec", .. tests]);

        Assert.True(code == 0, output);
        Assert.Contains("pass ", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_client_weighs_at_most_six_kilobytes()
    {
        var host = Path.Combine(Repository, "src", "Host");
        var (code, minified) = await RunAsync(
            Path.Combine(host, "node_modules", ".bin", "esbuild"),
            [Path.Combine(host, "Assets", "realtime.js"), "--minify", "--format=esm", "--target=es2022"]);
        Assert.True(code == 0, minified);

        using var compressed = new MemoryStream();
        await using (var gzip = new GZipStream(compressed, CompressionLevel.SmallestSize, leaveOpen: true))
            await gzip.WriteAsync(System.Text.Encoding.UTF8.GetBytes(minified), TestContext.Current.CancellationToken);

        Assert.InRange(compressed.Length, 1_000, 6 * 1024);
    }

    private static async Task<(int Code, string Output)> RunAsync(string program, IEnumerable<string> arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var cancel = TestContext.Current.CancellationToken;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(cancel), process.StandardError.ReadToEndAsync(cancel));
        await process.WaitForExitAsync(cancel);
        return (process.ExitCode, process.ExitCode == 0 ? await output : await output + await errors);
    }

    private static string FindRepository()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "Monolith.sln")))
                return directory.FullName;
        }

        throw new DirectoryNotFoundException("The tests run outside the repository.");
    }
}
