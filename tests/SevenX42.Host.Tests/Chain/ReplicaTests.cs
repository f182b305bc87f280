using System.Diagnostics;
using System.Net;
using SevenX42.Host.Realtime;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Chain;

/// <summary>Several processes are one application: they share a database and a Redis, and nothing else.</summary>
[Collection(nameof(Alone))]
public sealed class ReplicaTests(PostgresServer postgres) : IAsyncLifetime
{
    private const int AnswerNumber = 2;
    private static readonly string Text = MarkdownDocument.OfWords(400, seed: 7);

    private ScriptedProvider _provider = null!;
    private RedisProcess _redis = null!;
    private string _database = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _provider = await ScriptedProvider.StartAsync();
        _provider.Script("scripted", request => request.Messages[0].Role == "system"
            ? Script.Answer("A title")
            : Script.Answer(Text, seed: 1, TimeSpan.FromMilliseconds(2)));
        _redis = await RedisProcess.StartAsync();
        _database = await postgres.CreateDatabaseAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _redis.DisposeAsync();
        await _provider.DisposeAsync();
    }

    [Fact]
    public async Task Whoever_watches_on_another_replica_gets_every_token_as_it_is_stored()
    {
        await using var here = await StartAsync("Web");
        await using var there = await StartAsync("Web");
        await using var worker = await StartAsync("Worker");
        using var browser = new ChatBrowser(here);
        var conversation = await browser.BeginAsync("Write", model: "test/scripted");
        var page = new LivePage(browser, conversation);
        await page.LoadAsync();
        await using var reader = new Reader(browser, there.Address, page, pace: 1);
        await reader.ConnectAsync();
        var log = new LogReader(browser, there.Address, page.Channel, page.Position.Split(':')[0]);
        var logRead = log.ReadToEndAsync(new Random(1));

        await reader.ReadToEndAsync(AnswerNumber);
        await logRead;

        Assert.Equal(Text, log.Text);
        await page.ShowsWhatIsStoredAsync(AnswerNumber, Text);
        // By deltas, not by fetching what is stored.
        Assert.NotNull(page.AnswerOf(AnswerNumber)!.Streamed);
        Assert.Equal(1, page.Loads);
    }

    [Fact]
    public async Task Stop_in_one_of_two_tabs_ends_the_model_s_request_within_a_second_wherever_all_of_them_are()
    {
        _provider.Script("scripted", request => request.Messages[0].Role == "system"
            ? Script.Answer("A title")
            : Script.Stream.Role().Say(Text[..600]).Hang());
        await using var here = await StartAsync("Web");
        await using var there = await StartAsync("Web");
        await using var worker = await StartAsync("Worker");
        using var browser = new ChatBrowser(here);
        var conversation = await browser.BeginAsync("Write", model: "test/scripted");
        var tabs = new[] { here, there }.Select(_ => new LivePage(browser, conversation)).ToArray();
        await Task.WhenAll(tabs.Select(t => t.LoadAsync()));
        await using var first = new Reader(browser, here.Address, tabs[0], pace: 1);
        await using var second = new Reader(browser, there.Address, tabs[1], pace: 1);
        await first.ReadAsync(AnswerNumber, length: 100);
        await second.ReadAsync(AnswerNumber, length: 100);
        var request = await _provider.UntilAskedAsync(1, Cancel);

        var pressed = Stopwatch.GetTimestamp();
        using var stopped = await browser.PostAsync($"/conversations/{conversation:D}/answers/{tabs[0].AnswerOf(AnswerNumber)!.Id}/stop");
        var ended = await request.ClientHungUp.WaitAsync(TimeSpan.FromSeconds(20), Cancel);

        Assert.InRange(Stopwatch.GetElapsedTime(pressed, ended), TimeSpan.Zero, TimeSpan.FromSeconds(1));
        await first.ReadToEndAsync(AnswerNumber);
        await second.ReadToEndAsync(AnswerNumber);
        Assert.Equal(["stopped", "stopped"], tabs.Select(t => t.AnswerOf(AnswerNumber)!.Status));
        Assert.Equal(tabs[0].AnswerOf(AnswerNumber)!.Html, tabs[1].AnswerOf(AnswerNumber)!.Html);
    }

    [Fact]
    public async Task A_worker_serves_its_health_and_nothing_else_and_says_when_redis_is_away()
    {
        await _redis.KillAsync();
        await using var worker = await StartAsync("Worker");
        using var http = worker.CreateClient();

        Assert.Equal(HttpStatusCode.OK, await StatusAsync("/health/live"));
        Assert.Equal("Degraded", await http.GetStringAsync(new Uri("/health/ready", UriKind.Relative), Cancel));
        foreach (var path in (string[])["/", "/signin", "/realtime/poll"])
            Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(path));

        await _redis.StartAgainAsync();

        await Eventually.TrueAsync(async () => await http.GetStringAsync(new Uri("/health/ready", UriKind.Relative), Cancel) == "Healthy");

        async Task<HttpStatusCode> StatusAsync(string path)
        {
            using var response = await http.GetAsync(new Uri(path, UriKind.Relative), Cancel);
            return response.StatusCode;
        }
    }

    [Fact]
    public async Task An_answer_is_completed_without_redis_and_shown_when_it_is_back()
    {
        await using var app = await StartAsync("All");
        using var browser = new ChatBrowser(app);
        var conversation = await browser.BeginAsync("Write", model: "test/scripted");
        var page = new LivePage(browser, conversation);
        await page.LoadAsync();
        await using var reader = new Reader(browser, app.Address, page, pace: 1);
        await reader.ConnectAsync();
        await reader.ReadAsync(AnswerNumber, Text.Length / 4);
        var raw = $"/conversations/{conversation:D}/messages/{page.AnswerOf(AnswerNumber)!.Id}/raw";

        await _redis.KillAsync();
        await Eventually.TrueAsync(async () => await browser.TextAsync(raw) == Text);
        Assert.Equal("Degraded", await browser.TextAsync("/health/ready"));
        await _redis.StartAgainAsync();

        await reader.ReadToEndAsync(AnswerNumber);
        await page.ShowsWhatIsStoredAsync(AnswerNumber, Text);
    }

    [Fact]
    public async Task Without_redis_a_message_is_sent_and_its_answer_comes_in_larger_steps()
    {
        _provider.Script("scripted", request => request.Messages[0].Role == "system" ? Script.Answer("A title") : Script.Answer(Text, seed: 2, TimeSpan.FromMilliseconds(20)));
        await using var app = await StartAsync("All");
        using var browser = new ChatBrowser(app);
        await _redis.KillAsync();

        var conversation = await browser.BeginAsync("Write", model: "test/scripted");
        var page = new LivePage(browser, conversation);
        await page.LoadAsync();
        await using var socket = await RealtimeClient.ConnectAsync(app.Address, await browser.RealtimeTokenAsync());
        await socket.SubscribeAsync(page.Channel, page.Position);
        // This is what has a page fetched from time to time.
        Assert.Equal("unavailable", (await socket.NextAsync("denied")).GetProperty("code").GetString());
        var lengths = new HashSet<int>();
        await Eventually.TrueAsync(
            async () =>
            {
                await page.LoadAsync();
                lengths.Add(page.LengthOf(AnswerNumber));
                return page.AnswerOf(AnswerNumber) is { IsRunning: false };
            },
            TimeSpan.FromMinutes(1));

        Assert.True(lengths.Count > 3, $"The page showed so many characters, one time after the other: {string.Join(", ", lengths)}");
        await page.ShowsWhatIsStoredAsync(AnswerNumber, Text);
    }

    [Fact]
    public async Task Requests_and_attempts_are_counted_over_all_replicas()
    {
        (string, string)[] limits = [("RateLimits:CommandsPerMinute", "4"), ("Identity:RateLimits:SignInsPerAccount", "1")];
        await using var here = await StartAsync("Web", limits);
        await using var there = await StartAsync("Web", limits);
        using var one = new ChatBrowser(here);
        using var two = new ChatBrowser(there);

        var (first, second, third) = (await SignInAsync(one), await SignInAsync(two), await SignInAsync(one));

        Assert.Contains("Email or password is wrong.", first.Text, StringComparison.Ordinal);
        Assert.Contains("Too many tries.", second.Text, StringComparison.Ordinal);
        // Half a minute's commands at once, and one more each fifteen seconds.
        Assert.Equal(HttpStatusCode.TooManyRequests, third.Status);
        Assert.Contains("That was a lot at once.", third.Text, StringComparison.Ordinal);
        Assert.InRange(third.RetryAfter!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(15));

        static async Task<(HttpStatusCode Status, TimeSpan? RetryAfter, string Text)> SignInAsync(ChatBrowser browser)
        {
            using var response = await browser.PostAsync("/signin", ("email", "ada@example.org"), ("password", "not the right password"));
            return (response.StatusCode, response.Headers.RetryAfter?.Delta, await response.Content.ReadAsStringAsync(Cancel));
        }
    }

    [Fact]
    public async Task A_person_has_so_many_connections_on_all_replicas_together()
    {
        (string, string) limit = ("Realtime:ConnectionsPerUser", "2");
        await using var here = await StartAsync("Web", limit);
        await using var there = await StartAsync("Web", limit);
        using var browser = new ChatBrowser(here);
        await browser.BeginAsync("Hello");
        var token = await browser.RealtimeTokenAsync();
        await using var first = await RealtimeClient.ConnectAsync(here.Address, token);
        await using var second = await RealtimeClient.ConnectAsync(there.Address, token);

        foreach (var replica in (AppHost[])[here, there])
            Assert.Equal(HttpStatusCode.TooManyRequests, (await RealtimeClient.TryConnectAsync(replica.Address, token)).Status);
        using var poll = await browser.GetAsync("/realtime/poll?ch=conversation/x&pos=");
        Assert.Equal(HttpStatusCode.TooManyRequests, poll.StatusCode);

        await first.DisposeAsync();
        RealtimeClient? again = null;
        await Eventually.TrueAsync(async () => ((again, _) = await RealtimeClient.TryConnectAsync(there.Address, token)).again is not null);
        await again!.DisposeAsync();
    }

    [Fact]
    public async Task Who_signs_out_at_one_replica_is_signed_out_at_all_of_them_and_loses_sockets_within_five_seconds()
    {
        await using var here = await StartAsync("Web");
        await using var there = await StartAsync("Web");
        using var browser = new ChatBrowser(here);
        await browser.SignUpAsync("ada@example.org");
        using var elsewhere = new ChatBrowser(there);
        await elsewhere.SignInAsync("ada@example.org");
        var token = await browser.RealtimeTokenAsync();
        await using var socket = await RealtimeClient.ConnectAsync(there.Address, token);
        await using var other = await RealtimeClient.ConnectAsync(here.Address, await elsewhere.RealtimeTokenAsync());
        Assert.Equal(HttpStatusCode.OK, await AccountAsync());

        var began = Stopwatch.GetTimestamp();
        using (var response = await browser.PostAsync("/signout"))
            Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode}");

        Assert.Equal(RealtimeCloseCodes.SignedOut, await socket.ClosedAsync());
        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(5));
        Assert.Equal(HttpStatusCode.Unauthorized, (await RealtimeClient.TryConnectAsync(there.Address, token)).Status);
        Assert.NotEqual(HttpStatusCode.OK, await AccountAsync());
        // The person's other session goes on.
        await other.SubscribeAsync("conversation/00000000-0000-7000-8000-000000000000");
        await other.NextAsync("denied");

        // With the cookies that the first replica gave.
        async Task<HttpStatusCode> AccountAsync()
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(there.Address, "/account"));
            using var response = await browser.SendAsync(request);
            return response.StatusCode;
        }
    }

    private Task<AppHost> StartAsync(string role, params (string Key, string Value)[] settings) => AppHost.StartAsync(_database, new Dictionary<string, string?>(
        settings.Select(s => KeyValuePair.Create(s.Key, (string?)s.Value)))
    {
        ["Role"] = role,
        ["ConnectionStrings:Redis"] = _redis.Address,
        ["Generation:Providers:0:Name"] = "test",
        ["Generation:Providers:0:BaseUrl"] = _provider.BaseUrl.ToString(),
        ["RateLimits:QueriesPerMinute"] = "1000000",
    });
}
