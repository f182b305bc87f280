using Microsoft.Playwright;
using SevenX42.Testing;
using SevenX42.Testing.ImageServers;
using static Microsoft.Playwright.Assertions;

namespace SevenX42.Host.Tests.Browser;

/// <summary>One drawing, watched from several places. The server that draws makes a step whenever the test lets it.</summary>
public sealed class WatchingTests(Chromium chromium, PostgresServer postgres) : IAsyncLifetime
{
    // The steps that a page has shown, in order, from its first moment on.
    private const string Record = """
        window.shown = [];
        new MutationObserver(() => {
          const step = document.querySelector("article:last-of-type progress")?.value;
          if (step !== undefined && step !== shown.at(-1)) shown.push(step);
        }).observe(document, { subtree: true, childList: true, attributes: true });
        """;

    private ComfyUIServer _painter = null!;
    private AppHost? _app;

    public async ValueTask InitializeAsync()
    {
        _painter = await ComfyUIServer.StartAsync();
        _app = await AppHost.StartAsync(
            await postgres.CreateDatabaseAsync(),
            [
                new("Generation:Providers:0:Kind", "ComfyUI"),
                new("Generation:Providers:0:Name", "painter"),
                new("Generation:Providers:0:BaseUrl", _painter.BaseUrl.ToString()),
            ]);
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
            await _app.DisposeAsync();
        await _painter.DisposeAsync();
    }

    [Fact]
    public async Task A_reload_a_second_tab_and_a_page_without_sockets_go_on_from_where_a_drawing_is_and_show_the_one_picture()
    {
        await using var person = await Person.ArriveAsync(chromium, _app!.Address);
        await person.Profile.AddInitScriptAsync(Record);
        var reloaded = person.Page;
        await person.Message.FillAsync("/image a boat");
        await person.Message.PressAsync("Enter");
        _painter.Allow(5);
        await ShowsAsync(reloaded, 5);

        var tab = await person.OpenTabAsync(new Uri(reloaded.Url).PathAndQuery);
        await ShowsAsync(tab, 5);
        await reloaded.RouteWebSocketAsync("**/realtime", socket => _ = socket.CloseAsync());
        await reloaded.ReloadAsync();
        await ShowsAsync(reloaded, 5);
        await Expect(reloaded.Locator("#connection")).ToHaveAttributeAsync("data-state", "polling");

        IPage[] pages = [tab, reloaded];
        foreach (var (allowed, step) in new[] { (1, 6), (4, 10) })
        {
            _painter.Allow(allowed);
            foreach (var page in pages)
                await ShowsAsync(page, step);
        }

        _painter.Allow(100);
        var pictures = new List<string?>();
        foreach (var page in pages)
        {
            var picture = page.Locator("article").Last.GetByRole(AriaRole.Img, new() { Name = "a boat" });
            await picture.WaitForAsync();
            pictures.Add(await picture.GetAttributeAsync("src"));
            await Expect(page.Locator("article")).ToHaveCountAsync(2);

            // From where it was, and never back.
            var shown = await page.EvaluateAsync<int[]>("shown");
            Assert.Equal(5, shown[0]);
            Assert.Equal(shown.Order(), shown);
        }

        await Expect(reloaded.Locator("#connection")).ToHaveAttributeAsync("data-state", "polling");
        Assert.Single(pictures.Distinct());
        Assert.Single(_painter.Calls, "POST /prompt");
        var all = await (await person.Profile.APIRequest.GetAsync(new Uri(_app.Address, "/images/grid").ToString())).TextAsync();
        Assert.Single(System.Text.RegularExpressions.Regex.Matches(all, "<li id=\"image-"));
    }

    private static async Task ShowsAsync(IPage page, int step) =>
        await page.WaitForFunctionAsync("step => document.querySelector('article:last-of-type progress')?.value === step", step);
}
