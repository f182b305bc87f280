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
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_chat_goes_through_a_container_that_may_do_and_write_nothing()
    {
        var engine = await EngineAsync();
        await RunAsync(engine, "build", "-f", "docker/Dockerfile", "--target", "standalone", "-t", "7x42-standalone", ".");
        await using var containers = await Containers.CreateAsync(engine);
        var app = await containers.StartAppAsync("7x42-standalone");

        var process = await InShellAsync("while read -r line; do echo $line; done < /proc/1/status");
        Assert.All((string[])["Uid: 1654 1654 1654 1654", "CapEff: 0000000000000000", "NoNewPrivs: 1"], line => Assert.Contains(line, process, StringComparison.Ordinal));
        await InShellAsync(": > /data/probe && : > /tmp/probe");
        // Everybody may write there, were it not for the root that is read-only.
        Assert.Contains("Read-only", (await Assert.ThrowsAsync<InvalidOperationException>(() => InShellAsync(": > /var/tmp/probe"))).Message, StringComparison.Ordinal);
        foreach (var folder in (string[])["", "/app", "/home/app", "/run"])
        {
            var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => InShellAsync($": > {folder}/probe"));
            Assert.Matches("Read-only|nonexistent|Permission denied", refused.Message);
        }

        using var person = new ChatBrowser(app.Address);
        var conversation = await TalkAndDrawAsync(app, person);

        // What was said is on the volume, and another start reads it.
        await RunAsync(engine, "restart", "-t", "30", app.Id);
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    return (await person.TextAsync($"/c/{conversation:D}")).Contains("Hello from outside", StringComparison.Ordinal);
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            },
            StartLimit);

        Task<string> InShellAsync(string script) => RunAsync(engine, "exec", app.Id, "sh", "-c", script);
    }

    [Fact]
    public async Task The_small_image_migrates_and_serves_on_a_PostgreSQL_and_a_Redis_that_others_share()
    {
        var engine = await EngineAsync();
        await RunAsync(engine, "build", "-f", "docker/Dockerfile", "-t", "7x42", ".");
        await using var containers = await Containers.CreateAsync(engine);
        var postgres = await containers.StartAsync(
            "--network-alias", "postgres", "-e", "POSTGRES_USER=sevenx42", "-e", "POSTGRES_PASSWORD=thrown-away", "docker.io/library/postgres:17");
        var redis = await containers.StartAsync("--network-alias", "redis", "docker.io/library/redis:7");
        await Eventually.TrueAsync(() => SucceedsAsync(engine, "exec", postgres, "pg_isready", "-U", "sevenx42", "-h", "localhost"), StartLimit);
        string[] settings =
        [
            "-e", "ConnectionStrings__Postgres=Host=postgres;Database=sevenx42;Username=sevenx42;Password=thrown-away",
            "-e", "ConnectionStrings__Redis=redis:6379",
            "-e", "Identity__Guests=true",
            "-e", "Identity__KeyEncryptionSecret=tests-and-nothing-but-tests-f3a9c1e7b5d2",
        ];
        await containers.RunAppAsync("7x42", settings, "migrate");
        var app = await containers.StartAppAsync("7x42", settings);

        using var person = new ChatBrowser(app.Address);
        await TalkAndDrawAsync(app, person);

        // It is that Redis that the answer's words went through.
        Assert.Contains("7x42", await RunAsync(engine, "exec", redis, "redis-cli", "--scan", "--pattern", "7x42*"), StringComparison.Ordinal);
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

    /// <summary>An answer that completes, and a picture, which the native library in the image makes, in two sizes.</summary>
    private static async Task<Guid> TalkAndDrawAsync(App app, ChatBrowser person)
    {
        var conversation = await person.BeginAsync("Hello from outside");
        var page = await person.FinishedAsync(conversation);
        Assert.Contains("demo model", page.QuerySelector("article:last-of-type")!.TextContent, StringComparison.OrdinalIgnoreCase);

        page = await person.FinishedAsync(await person.BeginAsync("/image a red boat"));
        var picture = page.QuerySelector("[data-role=assistant] img");
        Assert.True(picture is not null, page.QuerySelector("article:last-of-type")!.TextContent);
        var smaller = picture.GetAttribute("srcset")!.Split(' ')[0];
        foreach (var path in (string[])[picture.GetAttribute("src")!, smaller])
        {
            using var served = await person.GetAsync(path);
            Assert.True(served.IsSuccessStatusCode, $"{path} answered {served.StatusCode}.");
            Assert.StartsWith("image/", served.Content.Headers.ContentType!.MediaType, StringComparison.Ordinal);
        }

        using var http = new HttpClient();
        var metrics = await http.GetStringAsync(new Uri(app.Management, "/metrics"), Cancel);
        Assert.Contains("sevenx42_generation_queue_depth", metrics, StringComparison.Ordinal);
        Assert.Contains("sevenx42_generation_first_token_seconds_bucket", metrics, StringComparison.Ordinal);
        return conversation;
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

    private static async Task<bool> SucceedsAsync(string program, params string[] arguments)
    {
        try
        {
            await RunAsync(program, arguments);
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    /// <summary>A container of ours that is ready.</summary>
    private sealed record App(string Id, Uri Address, Uri Management);

    /// <summary>Containers in a network of their own, which go with it.</summary>
    private sealed class Containers : IAsyncDisposable
    {
        private static int Networks;

        private readonly string _engine;
        private readonly string _network;
        private readonly List<string> _ids = [];

        private Containers(string engine) =>
            (_engine, _network) = (engine, string.Create(CultureInfo.InvariantCulture, $"sevenx42-{Environment.ProcessId}-{Interlocked.Increment(ref Networks)}"));

        public static async Task<Containers> CreateAsync(string engine)
        {
            var containers = new Containers(engine);
            await RunAsync(engine, "network", "create", containers._network);
            return containers;
        }

        public async Task<string> StartAsync(params string[] arguments)
        {
            var id = (await RunAsync(_engine, ["run", "-d", "--network", _network, .. arguments])).Trim();
            _ids.Add(id);
            return id;
        }

        /// <summary>Runs one command of the application to its end and returns what it said.</summary>
        public Task<string> RunAppAsync(string image, string[] settings, string command) =>
            RunAsync(_engine, ["run", "--rm", "--network", _network, .. Restricted(), .. settings, image, command]);

        /// <summary>Starts the application and waits until it is ready.</summary>
        public async Task<App> StartAppAsync(string image, params string[] settings)
        {
            var (port, management) = (HostProcess.FreePort(), HostProcess.FreePort());
            var id = await StartAsync(
                [.. Restricted(), "-p", Published(port, 8080), "-p", Published(management, 8081), "-e", "Generation__Discovery=false", .. settings, image]);
            try
            {
                // By its own command, which is all that an image without a shell can be asked with.
                await Eventually.TrueAsync(() => SucceedsAsync(_engine, "exec", id, "dotnet", "/app/SevenX42.Host.dll", "health"), StartLimit);
            }
            catch (TimeoutException e)
            {
                throw new InvalidOperationException($"{image} is not ready: {await RunAsync(_engine, "logs", id)}", e);
            }

            return new(id, new($"http://localhost:{port}"), new($"http://127.0.0.1:{management}"));
        }

        public async ValueTask DisposeAsync()
        {
            List<Exception> faults = [];
            foreach (var id in _ids)
                await TryAsync("rm", "-f", "-v", id);
            await TryAsync("network", "rm", _network);
            if (faults.Count > 0)
                throw new AggregateException(faults);

            // One that stays is no reason to leave the others.
            async Task TryAsync(params string[] arguments)
            {
                try
                {
                    await RunAsync(_engine, arguments);
                }
                catch (Exception e) when (e is InvalidOperationException or OperationCanceledException)
                {
                    faults.Add(e);
                }
            }
        }

        private string[] Restricted() =>
        [
            "--read-only", "--tmpfs", "/tmp:rw,noexec,nosuid,nodev,size=64m", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
            "--memory", "512m", "--pids-limit", "200",
            // Podman would make more folders writable than were named.
            .. _engine == "podman" ? (string[])["--read-only-tmpfs=false"] : [],
        ];
    }
}
