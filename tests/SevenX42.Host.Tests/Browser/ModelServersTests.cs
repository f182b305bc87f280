using Microsoft.Playwright;
using SevenX42.Testing;
using static Microsoft.Playwright.Assertions;

namespace SevenX42.Host.Tests.Browser;

/// <summary>Why a model is missing is said where one looks for it, with what to change.</summary>
public sealed class ModelServersTests(Chromium chromium, PostgresServer postgres) : IAsyncLifetime
{
    private const string Key = "sk-canary-8f21c6d0";
    private const string Refused = "mine does not accept the configured key. Check its ApiKey.";

    private ScriptedProvider _server = null!;
    private AppHost _app = null!;

    public static TheoryData<bool> Screens => [false, true];

    public async ValueTask InitializeAsync()
    {
        _server = await ScriptedProvider.StartAsync();
        _server.ModelsScript = Script.Error(401, $"Incorrect API key provided: {Key}");
        _app = await AppHost.StartAsync(
            await postgres.CreateDatabaseAsync(),
            [
                new("Generation:Providers:0:Name", "mine"),
                new("Generation:Providers:0:BaseUrl", _server.BaseUrl.ToString()),
                new("Generation:Providers:0:ApiKey", Key),
                new("Generation:DemoTokensPerSecond", "500"),
            ]);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Theory]
    [MemberData(nameof(Screens))]
    public async Task A_refused_key_stands_on_the_first_page_and_where_the_picker_leads_with_what_to_change(bool phone)
    {
        await using var person = await Person.ArriveAsync(chromium, _app.Address, options: phone ? Person.Phone : Person.Desktop);
        await Expect(person.Page.Locator("#main")).ToContainTextAsync(Refused);

        await person.Page.GetByRole(AriaRole.Link, new() { Name = "Models: one server is not available" }).ClickAsync();

        await Expect(person.Page).ToHaveURLAsync(new Uri(_app.Address, "/models").ToString());
        await Expect(person.Page).ToHaveTitleAsync("Models · 7x42");
        var server = person.Page.GetByRole(AriaRole.Listitem).Filter(new() { Has = person.Page.GetByRole(AriaRole.Heading, new() { Name = "mine" }) });
        await Expect(server).ToContainTextAsync("Not available");
        await Expect(server).ToContainTextAsync(Refused);
        await Expect(server).ToContainTextAsync("Generation__Providers__0__");
        Assert.DoesNotContain(Key, await person.Page.ContentAsync(), StringComparison.Ordinal);
        Assert.Equal("", await person.AccessibilityFaultsAsync());
        Assert.Equal(0, await person.Page.EvaluateAsync<int>("Math.max(0, document.documentElement.scrollWidth - innerWidth)"));
    }

    [Fact]
    public async Task Looking_again_finds_what_was_mended()
    {
        await using var person = await Person.ArriveAsync(chromium, _app.Address);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");
        await person.Page.GetByRole(AriaRole.Link, new() { Name = "Models: one server is not available" }).ClickAsync();
        await Expect(person.Page.Locator("#main")).ToContainTextAsync(Refused);

        _server.ModelsScript = null;
        await person.Button("Look again").ClickAsync();

        await Expect(person.Page.Locator("#main")).ToContainTextAsync("1 model");
        await Expect(person.Page.Locator("#main")).Not.ToContainTextAsync(Refused);
        await person.Page.GotoAsync(_app.Address.ToString());
        await Expect(person.Page.Locator("#main")).Not.ToContainTextAsync(Refused);
        await Expect(person.Page.GetByRole(AriaRole.Link, new() { Name = "Models", Exact = true })).ToBeVisibleAsync();
        await Expect(person.Page.GetByLabel("Model", new() { Exact = true })).ToContainTextAsync("scripted");
    }

    [Fact]
    public async Task Without_scripts_it_can_be_read_and_looked_at_again()
    {
        await using var person = await Person.ArriveAsync(chromium, _app.Address, options: Person.WithoutScripts);
        await person.Message.FillAsync("hello");
        await person.Send.ClickAsync();
        await person.Page.GetByRole(AriaRole.Link, new() { Name = "Models: one server is not available" }).ClickAsync();
        await Expect(person.Page.Locator("#main")).ToContainTextAsync(Refused);

        _server.ModelsScript = Script.Respond(200, "<html>Welcome</html>", "text/html");
        await person.Button("Look again").ClickAsync();

        await Expect(person.Page).ToHaveURLAsync(new Uri(_app.Address, "/models").ToString());
        await Expect(person.Page.Locator("#main")).ToContainTextAsync("mine answered with a web page");
    }

    [Fact]
    public async Task Whoever_is_nobody_yet_reads_it_and_has_nobody_asked()
    {
        await using var person = await Person.ArriveAsync(chromium, _app.Address, "/models");
        await Expect(person.Page.Locator("#main")).ToContainTextAsync(Refused);
        await Expect(person.Button("Look again")).ToHaveCountAsync(0);
    }
}
