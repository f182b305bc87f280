using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Playwright;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Browser;

/// <summary>Everything hostile at once, as a person's text, a model's stream and a title: nothing runs, nobody is called.</summary>
public sealed class HostileContentTests(Chromium chromium, PostgresServer postgres)
{
    [Fact]
    public async Task Nothing_in_a_conversation_executes_or_fetches()
    {
        await using var canary = await Canary.StartAsync();
        var payloads = HostileMarkdown.Payloads(canary.Address);
        var text = string.Join("\n\n", payloads.Select((p, i) => $"## {i}\n\n{p}"));
        var title = "<img src=x onerror=pwned()> {{constructor.constructor('pwned()')()}}";
        await using var provider = await ScriptedProvider.StartAsync();
        provider.Script("scripted", request => request.Messages[0].Role == "system"
            ? Script.Answer(title)
            : Script.Stream.Role().Think("reasoning", text).Say([.. text.Chunk(37).Select(c => new string(c))]).Finish().Done());
        await using var app = await AppHost.StartAsync(await postgres.CreateDatabaseAsync(), new Dictionary<string, string?>
        {
            ["Generation:Providers:0:Name"] = "test",
            ["Generation:Providers:0:BaseUrl"] = provider.BaseUrl.ToString(),
            ["Generation:Demo"] = "false",
        });
        await using var profile = await chromium.NewProfileAsync();
        var ran = new ConcurrentQueue<string>();
        await profile.ExposeFunctionAsync("pwned", () => ran.Enqueue("pwned() was called"));
        var page = await profile.NewPageAsync();
        page.SetDefaultTimeout(30_000);
        page.Dialog += (_, dialog) =>
        {
            ran.Enqueue(dialog.Message);
            _ = dialog.DismissAsync();
        };
        page.Console += (_, message) =>
        {
            if (message.Text.Contains("Content Security Policy", StringComparison.OrdinalIgnoreCase))
                ran.Enqueue(message.Text);
        };

        await page.GotoAsync(app.Address.ToString());
        await page.EvaluateAsync("pwned()");
        await Eventually.TrueAsync(() => ran.TryDequeue(out _));

        // Streamed, then as stored, then in the list, in the search, and in the form that says it anew.
        var sent = string.Concat(text.Where(c => c is '\n' or '\t' || !char.IsControl(c)));
        await page.GetByRole(AriaRole.Textbox, new() { Name = "Message", Exact = true }).FillAsync(sent);
        await page.GetByRole(AriaRole.Button, new() { Name = "Send", Exact = true }).ClickAsync();
        var answer = page.Locator("article[data-role=assistant]");
        await Assertions.Expect(answer).ToHaveAttributeAsync("data-status", "completed");
        await Assertions.Expect(answer.Locator("h2", new() { HasText = $"{payloads.Count - 1}" }).Last).ToBeVisibleAsync();
        await Assertions.Expect(page.Locator("#conversations")).ToContainTextAsync("onerror=pwned()");
        await NothingHappenedAsync(page, ran, canary);

        await page.ReloadAsync();
        await Assertions.Expect(answer).ToContainTextAsync("pwned()");
        await answer.Locator("details summary").First.ClickAsync();
        await NothingHappenedAsync(page, ran, canary);

        // Pointers over and clicks on what content brought along.
        foreach (var element in await answer.Locator("[data-blocks] *:visible").AllAsync())
            await element.DispatchEventAsync("mouseover");
        foreach (var button in await answer.Locator("[data-blocks] button").AllAsync())
            await button.DispatchEventAsync("click");
        await page.GetByRole(AriaRole.Button, new() { Name = "Edit", Exact = true }).First.ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Textbox, new() { Name = "Edit message" })).ToBeVisibleAsync();
        await NothingHappenedAsync(page, ran, canary);

        await page.GotoAsync(new Uri(app.Address, "/search?q=pwned").ToString());
        await Assertions.Expect(page.Locator("#main")).ToContainTextAsync("pwned");
        await NothingHappenedAsync(page, ran, canary);
    }

    private static async Task NothingHappenedAsync(IPage page, ConcurrentQueue<string> ran, Canary canary)
    {
        // What was about to happen has had its chance.
        await page.EvaluateAsync("() => fetch('/health/live').then(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done))))");
        Assert.Empty(ran);
        Assert.Empty(canary.Hits);
        Assert.Equal(0, await page.Locator("[data-blocks] :is(script, img, svg, iframe, object, embed, link, style, form, input, video, audio, [style], [onerror], [onload], [hx-get], [x-data])").CountAsync());
    }

    /// <summary>A server that nobody may ask for anything.</summary>
    private sealed class Canary(WebApplication app) : IAsyncDisposable
    {
        private readonly ConcurrentQueue<string> _hits = new();

        public string Address => app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();

        public IReadOnlyCollection<string> Hits => _hits;

        public static async Task<Canary> StartAsync()
        {
            var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
            builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
            builder.Logging.ClearProviders();
            var app = builder.Build();
            var canary = new Canary(app);
            app.Run(context =>
            {
                canary._hits.Enqueue(context.Request.Path);
                return Task.CompletedTask;
            });
            await app.StartAsync();

            // It does notice.
            using var http = new HttpClient();
            (await http.GetAsync(new Uri(canary.Address))).Dispose();
            Assert.Single(canary.Hits);
            canary._hits.Clear();
            return canary;
        }

        public async ValueTask DisposeAsync()
        {
            await app.StopAsync();
            await app.DisposeAsync();
        }
    }
}
