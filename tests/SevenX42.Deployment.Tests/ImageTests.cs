using System.Diagnostics;
using System.Globalization;
using SevenX42.Testing;

namespace SevenX42.Deployment.Tests;

/// <summary>
/// The real image, built and run as a strict cluster would. It takes minutes, so only where a container engine answers and
/// <c>IMAGE_TESTS=1</c> asks for it.
/// </summary>
public sealed class ImageTests
{
    private const long LargestImage = 200_000_000;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(15);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_chat_goes_through_a_container_that_may_do_and_write_nothing()
    {
        var engine = await EngineAsync();
        await RunAsync(engine, "build", "-f", "docker/Dockerfile", "--target", "standalone", "-t", "7x42-standalone", ".");
        var (port, management) = (HostProcess.FreePort(), HostProcess.FreePort());
        var id = (await RunAsync(
            engine, "run", "-d", "--read-only", "--tmpfs", "/tmp:rw,noexec,nosuid,nodev,size=64m", "--cap-drop", "ALL",
            "--security-opt", "no-new-privileges", "--memory", "512m", "--pids-limit", "200",
            "-p", Published(port, 8080), "-p", Published(management, 8081), "-e", "Generation__Discovery=false", "7x42-standalone")).Trim();
        try
        {
            using var http = new HttpClient();
            await Eventually.TrueAsync(
                async () =>
                {
                    try
                    {
                        using var ready = await http.GetAsync(new Uri($"http://127.0.0.1:{management}/health/ready"), Cancel);
                        return ready.IsSuccessStatusCode;
                    }
                    catch (HttpRequestException)
                    {
                        return false;
                    }
                },
                TimeSpan.FromSeconds(60));

            Assert.Contains("Healthy", await RunAsync(engine, "exec", id, "dotnet", "/app/SevenX42.Host.dll", "health"), StringComparison.Ordinal);
            using var person = new ChatBrowser(new Uri($"http://localhost:{port}"));
            var conversation = await person.BeginAsync("Hello from outside");
            var page = await person.FinishedAsync(conversation);
            Assert.Contains("demo model", page.QuerySelector("article:last-of-type")!.TextContent, StringComparison.OrdinalIgnoreCase);

            var metrics = await http.GetStringAsync(new Uri($"http://127.0.0.1:{management}/metrics"), Cancel);
            Assert.Contains("sevenx42_generation_queue_depth", metrics, StringComparison.Ordinal);
            Assert.Contains("sevenx42_generation_first_token_seconds_bucket", metrics, StringComparison.Ordinal);

            // What was said is on the volume, and another start reads it.
            await RunAsync(engine, "restart", "-t", "30", id);
            await Eventually.TrueAsync(async () =>
            {
                try
                {
                    return (await person.TextAsync($"/c/{conversation:D}")).Contains("Hello from outside", StringComparison.Ordinal);
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            }, TimeSpan.FromSeconds(60));
        }
        finally
        {
            await RunAsync(engine, "rm", "-f", "-v", id);
        }
    }

    [Fact]
    public async Task The_image_is_small_and_has_no_shell_no_tools_and_no_root()
    {
        var engine = await EngineAsync();
        await RunAsync(engine, "build", "-f", "docker/Dockerfile", "-t", "7x42", ".");
        var size = long.Parse((await RunAsync(engine, "image", "inspect", "-f", "{{.Size}}", "7x42")).Trim(), CultureInfo.InvariantCulture);
        Assert.InRange(size, 1, LargestImage);
        Assert.Equal("1654:1654", (await RunAsync(engine, "image", "inspect", "-f", "{{.Config.User}}", "7x42")).Trim());
        foreach (var program in (string[])["/bin/sh", "/usr/local/bin/node", "/usr/bin/npm", "/usr/bin/apt-get"])
            await Assert.ThrowsAsync<InvalidOperationException>(() => RunAsync(engine, "run", "--rm", "--entrypoint", program, "7x42", "--version"));
    }

    private static string Published(int port, int inside) => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}:{inside}");

    /// <summary>The engine that answers; without one, or unasked, the test is counted as skipped.</summary>
    private static async Task<string> EngineAsync()
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("IMAGE_TESTS") == "1", "Building images takes minutes: set IMAGE_TESTS=1.");
        foreach (var engine in (string[])["podman", "docker"])
        {
            try
            {
                await RunAsync(engine, "info");
                return engine;
            }
            catch (Exception e) when (e is InvalidOperationException or System.ComponentModel.Win32Exception)
            {
                // Not this one.
            }
        }

        Assert.Skip("Neither podman nor docker answers.");
        throw new UnreachableException();
    }

    private static async Task<string> RunAsync(string program, params string[] arguments)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(Limit);
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = Repository.Root,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(limit.Token), process.StandardError.ReadToEndAsync(limit.Token));
        await process.WaitForExitAsync(limit.Token);
        return process.ExitCode == 0 ? await output : throw new InvalidOperationException($"{program} {arguments[0]}: {await error}");
    }
}
