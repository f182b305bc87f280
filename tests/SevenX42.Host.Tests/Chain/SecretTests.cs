using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Chain;

/// <summary>A provider's key goes to the provider and nowhere else, whatever goes wrong there.</summary>
public sealed class SecretTests(PostgresServer postgres) : IAsyncLifetime
{
    private const string Key = "sk-canary-4f1d8e2a7b6c";

    private readonly LogLines _logs = new();
    private readonly Uri _management = new($"http://127.0.0.1:{HostProcess.FreePort()}");
    private ScriptedProvider _provider = null!;
    private AppHost _app = null!;
    private ChatBrowser _browser = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _provider = await ScriptedProvider.StartAsync();
        _provider.Models = ["fine", "unauthorized", "page", "inside", "broken"];

        // OpenAI repeats the key in its error, and so may anybody.
        _provider.Script("unauthorized", Script.Error(401, $"Incorrect API key provided: {Key}. Find yours at https://example.org.", "invalid_api_key"));
        _provider.Script("page", Script.Respond(200, $"<!doctype html><title>Login</title>Bearer {Key}", "text/html"));
        _provider.Script("inside", Script.Stream.Role().Data($$$"""{"error":{"message":"Bad key {{{Key}}}","code":"bad"}}"""));
        _provider.Script("broken", Script.Stream.Role().Data($"{{ {Key}"));
        _provider.Script("fine", Script.Answer("Hello."));
        _app = await AppHost.StartAsync(
            await postgres.CreateDatabaseAsync(),
            new Dictionary<string, string?>
            {
                ["Management:Url"] = _management.ToString(),
                ["Logging:LogLevel:Default"] = "Trace",
                ["Generation:Providers:0:Name"] = "test",
                ["Generation:Providers:0:BaseUrl"] = _provider.BaseUrl.ToString(),
                ["Generation:Providers:0:ApiKey"] = Key,
                ["Generation:Providers:0:RetryDelay"] = "00:00:00.01",
                ["Generation:Providers:1:Name"] = "nobody",
                ["Generation:Providers:1:BaseUrl"] = $"http://127.0.0.1:{HostProcess.FreePort()}",
                ["Generation:Providers:1:ApiKey"] = Key,
                ["Generation:Providers:1:Models:0"] = "gone",
                ["Generation:Providers:1:RetryDelay"] = "00:00:00.01",
            },
            services => services.AddLogging(logging => logging.AddProvider(_logs)));
        _browser = new ChatBrowser(_app);
    }

    public async ValueTask DisposeAsync()
    {
        _browser.Dispose();
        await _app.DisposeAsync();
        await _provider.DisposeAsync();
        _logs.Dispose();
    }

    [Fact]
    public async Task A_provider_s_key_is_in_no_log_no_page_and_no_metric_whatever_goes_wrong()
    {
        await Eventually.TrueAsync(async () => (await _browser.TextAsync("/")).Contains("test/broken", StringComparison.Ordinal));
        foreach (var (model, status) in ((string, string)[])[("test/unauthorized", "failed"), ("test/page", "failed"), ("test/inside", "failed"), ("test/broken", "failed"), ("nobody/gone", "failed"), ("test/fine", "completed")])
        {
            var conversation = await _browser.BeginAsync("Hello", model: model);
            var page = await _browser.FinishedAsync(conversation);
            var answer = page.QuerySelector("article:last-of-type")!;
            Assert.True(answer.GetAttribute("data-status") == status, $"{model}: {answer.TextContent}");
            if (status == "failed")
                Assert.NotEmpty(answer.QuerySelector("[role=alert] p")!.TextContent);
            Look($"/c/{conversation}", page.DocumentElement.OuterHtml);
            foreach (var path in (string[])["transcript", $"messages/{answer.GetAttribute("data-message")}", $"messages/{answer.GetAttribute("data-message")}/raw", "settings"])
                Look(path, await _browser.TextAsync($"/conversations/{conversation}/{path}"));
        }

        foreach (var path in (string[])["/", "/models", "/search?q=key", "/conversations"])
            Look(path, await _browser.TextAsync(path));
        using var missing = await _browser.GetAsync($"/{Key[..2]}/no/such/page");
        Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
        Look("an error's page", await missing.Content.ReadAsStringAsync(Cancel));
        using var http = new HttpClient();
        var metrics = await http.GetStringAsync(new Uri(_management, "/metrics"), Cancel);
        Assert.Contains("sevenx42", metrics, StringComparison.Ordinal);
        Look("/metrics", metrics);

        // The provider did get it, and something was logged: there was a key to leak.
        Assert.All(_provider.Requests, r => Assert.Equal($"Bearer {Key}", r.Headers["Authorization"]));
        Assert.InRange(_provider.Requests.Count, 5, 100);
        Assert.Contains(_logs.All, l => l.Level >= LogLevel.Information && l.Text.Contains("Generation", StringComparison.Ordinal));
        foreach (var (_, line) in _logs.All)
            Look("a log line", line);
    }

    private static void Look(string where, string text) =>
        Assert.False(text.Contains(Key, StringComparison.Ordinal), $"The key is in {where}: {text}");
}
