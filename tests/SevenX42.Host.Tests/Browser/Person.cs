using System.Collections.Concurrent;
using System.Text.Json;
using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Browser;

/// <summary>
/// Somebody at a browser of their own. Whatever they do, no script may fail and the content security policy may not be
/// violated; both are checked when they leave.
/// </summary>
internal sealed class Person : IAsyncDisposable
{
    private readonly ConcurrentQueue<string> _faults = new();
    private readonly IBrowserContext _profile;
    private readonly Uri _address;

    private Person(IBrowserContext profile, Uri address) => (_profile, _address) = (profile, address);

    /// <summary>The first tab.</summary>
    public IPage Page { get; private set; } = null!;

    public IBrowserContext Profile => _profile;

    public ILocator Message => Page.GetByRole(AriaRole.Textbox, new() { Name = "Message", Exact = true });

    public ILocator Send => Button("Send");

    public ILocator Stop => Button("Stop");

    public ILocator Settings => Page.GetByRole(AriaRole.Link, new() { Name = "Conversation settings" });

    public ILocator LastAnswer => Page.Locator("article[data-role=assistant]").Last;

    /// <summary>A person who has opened the address.</summary>
    public static async Task<Person> ArriveAsync(Chromium chromium, Uri address, string path = "/", BrowserNewContextOptions? options = null)
    {
        var person = new Person(await chromium.NewProfileAsync(options ?? Desktop), address);
        person.Page = await person.OpenTabAsync(path);
        return person;
    }

    public static BrowserNewContextOptions Desktop => new() { ViewportSize = new() { Width = 1440, Height = 900 } };

    public static BrowserNewContextOptions Phone => new()
    {
        ViewportSize = new() { Width = 390, Height = 844 },
        HasTouch = true,
        IsMobile = true,
    };

    public static BrowserNewContextOptions WithoutScripts => new() { ViewportSize = new() { Width = 1440, Height = 900 }, JavaScriptEnabled = false };

    public ILocator Button(string name) => Page.GetByRole(AriaRole.Button, new() { Name = name, Exact = true });

    public async Task<IPage> OpenTabAsync(string path)
    {
        var page = await _profile.NewPageAsync();
        page.SetDefaultTimeout(20_000);
        page.PageError += (_, error) => _faults.Enqueue(error);
        page.Console += (_, message) =>
        {
            // Answers that refuse and requests that get lost are what tests ask for; everything else is ours.
            if (message.Type is "error" && !message.Text.StartsWith("Failed to load resource", StringComparison.Ordinal)
                && !message.Text.StartsWith("htmx: htmx:error: Failed to fetch", StringComparison.Ordinal)
                && !message.Text.StartsWith("WebSocket connection to", StringComparison.Ordinal))
                _faults.Enqueue(message.Text);
        };
        await page.GotoAsync(new Uri(_address, path).ToString());
        return page;
    }

    /// <summary>Takes the network away from the page.</summary>
    public Task GoOfflineAsync() => Page.GoOfflineAsync();

    /// <summary>Gives the network back to it.</summary>
    public Task ComeBackAsync() => Page.ComeBackAsync();

    /// <summary>Sends a message and waits until the page shows it.</summary>
    public async Task SayAsync(string text)
    {
        await Message.FillAsync(text);
        await Message.PressAsync("Enter");
        await Page.Locator("article[data-role=user]").Last.Filter(new() { HasText = text }).WaitForAsync();
    }

    /// <summary>Waits until the last answer is stored as this.</summary>
    public async Task AnswerBecomesAsync(string status)
    {
        // The status comes first; what can be done with a finished answer comes with its final form. Waited for in the page, at
        // each of its frames: an assertion looks once a second.
        await LastAnswer.Locator($":scope[data-status={status}] .actions").WaitForAsync(new() { State = WaitForSelectorState.Attached });
    }

    /// <summary>Watches from now on for what passes by: it may be over when one looks.</summary>
    /// <param name="selector">Which element.</param>
    /// <param name="text">What it says then, among others.</param>
    /// <returns>Waits until it was there.</returns>
    public Task<Func<Task>> WatchForAsync(string selector, string text = "") => WatchForAsync(Page, selector, text);

    /// <summary>The same in another tab.</summary>
    public static async Task<Func<Task>> WatchForAsync(IPage page, string selector, string text = "")
    {
        var (element, words) = (JsonSerializer.Serialize(selector), JsonSerializer.Serialize(text));
        var name = $"seen{Guid.CreateVersion7(TimeProvider.System.GetUtcNow()):N}";
        var watch = $$"""
            (() => {
              window.{{name}} = false;
              const look = () => (window.{{name}} ||= [...document.querySelectorAll({{element}})].some((it) => it.textContent.includes({{words}})));
              new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
            })()
            """;
        // A guest's first message leads to another page.
        await page.AddInitScriptAsync(watch);
        await page.EvaluateAsync(watch);
        return () => page.WaitForFunctionAsync($"() => window.{name}");
    }

    /// <summary>Says something, and has it answered so many times.</summary>
    public async Task HasVersionsAsync(int versions)
    {
        await SayAsync("hello");
        await AnswerBecomesAsync("completed");
        for (var version = 2; version <= versions; version++)
        {
            await Button("Regenerate").ClickAsync();
            await Assertions.Expect(LastAnswer).ToContainTextAsync($"{version}/{version}");
            await AnswerBecomesAsync("completed");
        }
    }

    /// <summary>Loads the page again until the last answer has ended, as somebody without scripts does, and it is complete.</summary>
    public async Task ReloadUntilCompletedAsync()
    {
        await Eventually.TrueAsync(async () =>
        {
            await Page.ReloadAsync();
            return await LastAnswer.GetAttributeAsync("aria-busy") is null;
        });
        await AnswerBecomesAsync("completed");
    }

    /// <summary>The accessibility rules the page breaks now, one per line; empty when it breaks none.</summary>
    public async Task<string> AccessibilityFaultsAsync()
    {
        AxeResult result = await Page.RunAxe();
        return string.Join('\n', result.Violations.Select(v => $"{v.Id}: {string.Join(", ", v.Nodes.Select(n => n.Target))}"));
    }

    public async ValueTask DisposeAsync()
    {
        await _profile.DisposeAsync();
        Assert.Empty(_faults);
    }
}
