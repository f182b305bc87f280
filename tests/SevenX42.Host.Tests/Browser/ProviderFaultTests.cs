using Microsoft.Playwright;
using SevenX42.Testing;
using static Microsoft.Playwright.Assertions;

namespace SevenX42.Host.Tests.Browser;

/// <summary>What a person sees when a model server fails, and what they can do about it.</summary>
public sealed class ProviderFaultTests(Chromium chromium, ProviderFaultTests.AppWithProvider app) : IClassFixture<ProviderFaultTests.AppWithProvider>
{
    private readonly ScriptedProvider _provider = app.Provider;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string, string> Refusals => new()
    {
        { "silence", "did not begin to answer" },
        { "401", "key" },
        { "500", "test" },
        { "a page", "test" },
        { "nonsense", "test" },
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public async Task A_failure_before_the_first_word_is_said_in_a_sentence_and_can_be_tried_again(string fault, string said)
    {
        _provider.Script("scripted", fault switch
        {
            "silence" => Script.Stream.Role().Hang(),
            "401" => Script.Error(401, "no such key", "invalid_api_key"),
            "500" => Script.Error(500, "out of memory"),
            "a page" => Script.Respond(200, "<!doctype html><title>Log in</title>", "text/html"),
            _ => Script.Stream.Raw("data: {{{\n\n"),
        });
        await using var person = await Person.ArriveAsync(chromium, app.Address);

        await person.SayAsync("Hello");

        await person.AnswerBecomesAsync("failed");
        await Expect(person.LastAnswer.GetByRole(AriaRole.Alert)).ToContainTextAsync(said);
        await Expect(person.LastAnswer.GetByRole(AriaRole.Alert)).Not.ToContainTextAsync("Exception");
        await Expect(person.Send).ToBeVisibleAsync();
        _provider.Script("scripted", Script.Answer("Here I am again."));
        await person.Button("Retry").ClickAsync();
        await Expect(person.LastAnswer).ToContainTextAsync("Here I am again.");
        await person.AnswerBecomesAsync("completed");
        await Expect(person.Page.Locator("article")).ToHaveCountAsync(2);
    }

    [Theory]
    [InlineData("silence")]
    [InlineData("half closed")]
    [InlineData("cut")]
    [InlineData("nonsense")]
    [InlineData("error inside")]
    public async Task A_failure_in_the_middle_keeps_the_text_and_never_calls_it_complete(string fault)
    {
        var begun = Script.Stream.Role().Say("The **beginning**", " of it.");
        _provider.Script("scripted", fault switch
        {
            "silence" => begun.Hang(),
            "half closed" => begun,
            "cut" => begun.Cut(),
            "nonsense" => begun.Raw("data: {\"choices\":[{\n\n"),
            _ => begun.Data("""{"error":{"message":"the GPU is on fire","code":502}}"""),
        });
        await using var person = await Person.ArriveAsync(chromium, app.Address);

        await person.SayAsync("Hello");

        await person.AnswerBecomesAsync("interrupted");
        await Expect(person.LastAnswer.Locator("[data-blocks]")).ToHaveTextAsync("The beginning of it.");
        await Expect(person.LastAnswer.GetByRole(AriaRole.Alert)).ToBeVisibleAsync();
        await Expect(person.Button("Continue")).ToBeVisibleAsync();
        _provider.Script("scripted", Script.Answer("Whole."));
        await person.Button("Retry").ClickAsync();
        await Expect(person.LastAnswer).ToContainTextAsync("2/2");
        await person.AnswerBecomesAsync("completed");
        await Expect(person.LastAnswer).ToContainTextAsync("Whole.");
        await person.Button("Previous version").ClickAsync();
        await Expect(person.LastAnswer.Locator("[data-blocks]")).ToHaveTextAsync("The beginning of it.");
    }

    [Fact]
    public async Task A_busy_provider_is_waited_for_and_the_wait_is_seen()
    {
        var asked = 0;
        _provider.Script("scripted", r => r.Messages[0].Role != "system" && asked++ == 0
            ? Script.Error(429, "slow down").Header("Retry-After", "2")
            : Script.Answer("Now."));
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        var waits = await person.WatchForAsync("article[data-role=assistant]", "The provider is busy. It is asked again in 2 s");

        await person.SayAsync("Hello");

        await waits();
        await person.AnswerBecomesAsync("completed");
        await Expect(person.LastAnswer).ToContainTextAsync("Now.");
    }

    [Fact]
    public async Task A_doubled_click_sends_one_message_and_asks_once()
    {
        _provider.Script("scripted", Script.Answer("Once."));
        await using var person = await Person.ArriveAsync(chromium, app.Address);

        await person.Message.FillAsync("Once?");
        await person.Send.DblClickAsync();

        await person.AnswerBecomesAsync("completed");
        await person.Page.ReloadAsync();
        await Expect(person.Page.Locator("article")).ToHaveCountAsync(2);
        Assert.Single(_provider.Requests, r => r.Messages is [{ Role: "user", Content: "Once?" }]);
    }

    [Fact]
    public async Task Stop_in_one_tab_stops_in_the_other_and_closes_the_request_within_a_second()
    {
        _provider.Script("scripted", Enumerable.Range(0, 300).Aggregate(
            Script.Stream.Role().Say("The beginning"), (script, i) => script.Say($" {i}").Pause(TimeSpan.FromMilliseconds(100))));
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("Count!");
        var other = await person.OpenTabAsync(new Uri(person.Page.Url).AbsolutePath);
        await Expect(other.Locator("article").Last).ToContainTextAsync("The beginning");

        await other.GetByRole(AriaRole.Button, new() { Name = "Stop", Exact = true }).ClickAsync();

        await _provider.Requests.Single(r => r.Messages is [{ Role: "user", Content: "Count!" }]).ClientHungUp.WaitAsync(TimeSpan.FromSeconds(1), Cancel);
        await person.AnswerBecomesAsync("stopped");
        await Expect(other.Locator("article").Last).ToHaveAttributeAsync("data-status", "stopped");
        await Expect(person.LastAnswer.Locator("[data-blocks]")).ToHaveTextAsync(await other.Locator("article").Last.Locator("[data-blocks]").InnerTextAsync());
    }

    /// <summary>The application with a model server whose answers a test writes.</summary>
    public sealed class AppWithProvider(PostgresServer postgres) : IAsyncLifetime
    {
        private AppHost _host = null!;

        public ScriptedProvider Provider { get; private set; } = null!;

        public Uri Address => _host.Address;

        public async ValueTask InitializeAsync()
        {
            Provider = await ScriptedProvider.StartAsync();
            _host = await AppHost.StartAsync(
                await postgres.CreateDatabaseAsync(),
                new Dictionary<string, string?>
                {
                    ["Generation:Demo"] = "false",
                    ["Generation:Providers:0:Name"] = "test",
                    ["Generation:Providers:0:BaseUrl"] = Provider.BaseUrl.ToString(),
                    ["Generation:Providers:0:FirstTokenTimeout"] = "00:00:03",
                    ["Generation:Providers:0:IdleTimeout"] = "00:00:03",
                    ["Generation:Providers:0:RetryDelay"] = "00:00:00.01",
                    ["RateLimits:CommandsPerMinute"] = "100000",
                    ["RateLimits:QueriesPerMinute"] = "100000",
                });
        }

        public async ValueTask DisposeAsync()
        {
            await _host.DisposeAsync();
            await Provider.DisposeAsync();
        }
    }
}
