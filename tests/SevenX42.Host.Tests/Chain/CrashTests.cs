using System.Diagnostics;
using System.Globalization;
using AngleSharp.Dom;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Chain;

/// <summary>The whole application is killed while an answer is being written, and started again.</summary>
[Collection(nameof(Alone))]
public sealed class CrashTests(PostgresServer postgres, ITestOutputHelper output) : IAsyncLifetime
{
    private const int AnswerNumber = 2;
    private static readonly string Text = MarkdownDocument.OfWords(400, seed: 42);
    private static readonly TimeSpan TokenPause = TimeSpan.FromMilliseconds(2);

    private ScriptedProvider _provider = null!;

    public async ValueTask InitializeAsync()
    {
        _provider = await ScriptedProvider.StartAsync();

        // The first try never comes to its end; whoever asks again gets what is missing.
        _provider.Enqueue("scripted", Script.Answer(Text[..(Text.Length / 2)], seed: 1, TokenPause).Hang());
        _provider.Script("scripted", request => request.Messages switch
        {
            [{ Role: "system" }, ..] => Script.Answer("A title"),
            [.., { Role: "assistant", Content: var written }] => Script.Answer(Text[written.Length..], seed: 2),
            _ => Script.Answer(Text, seed: 3),
        });
    }

    public ValueTask DisposeAsync() => _provider.DisposeAsync();

    [Theory]
    [InlineData("", true)]
    [InlineData("the-only-one", false)]
    public async Task An_answer_is_finished_within_seconds_after_the_process_was_killed(string workerId, bool continues)
    {
        // A worker without a name of its own is waited for as long as its lease lasts; one that has a name is known to be back.
        var lease = TimeSpan.FromSeconds(workerId.Length > 0 ? 60 : 3);
        var settings = await ConfigureAsync(workerId, lease, continues);
        await using var first = await HostProcess.StartAsync(settings);
        using var browser = new ChatBrowser(first.Address);
        var (page, _) = await ReadHalfAsync(first.Address, browser);
        Assert.False(page.AnswerOf(AnswerNumber)!.BeganAgain);

        await first.KillAsync();
        var killed = Stopwatch.GetTimestamp();
        await using var second = await HostProcess.StartAsync(settings);
        var ready = Stopwatch.GetTimestamp();
        await page.LoadAsync();
        await using var reader = new Reader(browser, second.Address, page, pace: 1);
        await reader.ConnectAsync();
        await reader.ReadToEndAsync(AnswerNumber);

        var took = Stopwatch.GetElapsedTime(ready);
        output.WriteLine($"Ready after {Stopwatch.GetElapsedTime(killed, ready).TotalSeconds:F1} s, finished {took.TotalSeconds:F1} s later.");
        Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromSeconds(15));
        await page.ShowsWhatIsStoredAsync(AnswerNumber, Text);
        var asked = _provider.Requests.Where(r => r.Messages[0].Role == "user").ToList();
        Assert.Equal(2, asked.Count);
        Assert.Equal(continues ? "assistant" : "user", asked[1].Messages[^1].Role);
    }

    [Fact]
    public async Task An_answer_that_is_not_tried_again_keeps_its_text_and_offers_to_continue()
    {
        var settings = await ConfigureAsync("the-only-one", TimeSpan.FromSeconds(60), continues: true);
        settings["Generation:MaxAttempts"] = "1";
        await using var first = await HostProcess.StartAsync(settings);
        using var browser = new ChatBrowser(first.Address);
        var (_, conversation) = await ReadHalfAsync(first.Address, browser);

        await first.KillAsync();
        await using var second = await HostProcess.StartAsync(settings);
        var article = (await browser.FinishedAsync(conversation)).QuerySelector("article:last-of-type")!;

        Assert.Equal("interrupted", article.GetAttribute("data-status"));
        var id = article.GetAttribute("data-message");
        var kept = await browser.TextAsync($"/conversations/{conversation:D}/messages/{id}/raw");
        Assert.NotEmpty(kept);
        Assert.StartsWith(kept, Text, StringComparison.Ordinal);
        var go = $"/conversations/{conversation:D}/answers/{id}/continue";
        Assert.Equal("Continue", article.QuerySelector($"button[formaction='{go}']")!.Text().Trim());
        (await browser.PostAsync(go)).Dispose();
        Assert.Equal("completed", (await browser.FinishedAsync(conversation)).QuerySelector("article:last-of-type")!.GetAttribute("data-status"));
        Assert.Equal(Text, await browser.TextAsync($"/conversations/{conversation:D}/messages/{id}/raw"));
    }

    [Fact]
    public async Task Pictures_are_drawn_to_their_end_after_the_process_was_killed_and_none_of_them_twice()
    {
        var data = Directory.CreateTempSubdirectory("7x42-crash-");
        var settings = await ConfigureAsync("the-only-one", TimeSpan.FromSeconds(60), continues: true);
        settings["DataDirectory"] = data.FullName;
        settings["Generation:DemoStepsPerSecond"] = "20";
        await using var first = await HostProcess.StartAsync(settings);
        using var browser = new ChatBrowser(first.Address);
        var conversation = ChatBrowser.NewId();
        (await browser.PostAsync(
            "/conversations", ("messageId", conversation.ToString()), ("text", "a boat"), ("draw", "true"), ("count", "2"), ("steps", "30"), ("seed", "7")))
            .Dispose();

        // One is stored, and the other begun.
        await Eventually.TrueAsync(async () => (await browser.PageAsync($"/c/{conversation}")).QuerySelector("progress[value]") is { } bar
            && int.Parse(bar.GetAttribute("value")!, CultureInfo.InvariantCulture) is > 35 and < 60);
        await first.KillAsync();
        await using (var second = await HostProcess.StartAsync(settings))
        {
            var bar = (await browser.PageAsync($"/c/{conversation}")).QuerySelector("progress[value]");
            Assert.InRange(int.Parse(bar!.GetAttribute("value")!, CultureInfo.InvariantCulture), 30, 60);
            var answer = (await browser.FinishedAsync(conversation)).QuerySelector("article:last-of-type")!;

            Assert.Equal("completed", answer.GetAttribute("data-status"));
            Assert.Equal(2, answer.QuerySelectorAll("img").Select(i => i.GetAttribute("src")).Distinct().Count());
            Assert.Contains("seed 7", answer.TextContent, StringComparison.OrdinalIgnoreCase);
        }

        // The one that was there was not drawn once more.
        await using var database = Npgsql.NpgsqlDataSource.Create(settings["ConnectionStrings:Postgres"]!);
        await using var stored = database.CreateCommand("SELECT string_agg(seed::text, ', ' ORDER BY id) FROM media.assets");
        Assert.Equal("7, 8", await stored.ExecuteScalarAsync(TestContext.Current.CancellationToken));
        data.Delete(recursive: true);
    }

    private async Task<Dictionary<string, string?>> ConfigureAsync(string workerId, TimeSpan lease, bool continues) => new()
    {
        ["Urls"] = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{HostProcess.FreePort()}"),
        ["ConnectionStrings:Postgres"] = await postgres.CreateDatabaseAsync(),
        ["Identity:Guests"] = "true",
        ["Identity:KeyEncryptionSecret"] = "tests-and-nothing-but-tests-f3a9c1e7b5d2",
        ["Generation:Providers:0:Name"] = "test",
        ["Generation:Providers:0:BaseUrl"] = _provider.BaseUrl.ToString(),
        ["Generation:Providers:0:ContinuesAssistantMessage"] = continues.ToString(),
        // However slowly the text is read: it is the kill that ends the first try.
        ["Generation:Providers:0:IdleTimeout"] = "00:05:00",
        ["Generation:WorkerId"] = workerId,
        ["Generation:Lease"] = lease.ToString(),
        ["Generation:Heartbeat"] = "00:00:01",
        ["Generation:CheckpointInterval"] = "00:00:00.25",
    };

    // Reads until a quarter of the text is there, while the provider goes on.
    private static async Task<(LivePage Page, Guid Conversation)> ReadHalfAsync(Uri address, ChatBrowser browser)
    {
        var conversation = await browser.BeginAsync("Write", model: "test/scripted");
        var page = new LivePage(browser, conversation);
        await page.LoadAsync();
        await using var reader = new Reader(browser, address, page, pace: 1);
        await reader.ConnectAsync();
        await reader.ReadAsync(AnswerNumber, Text.Length / 2);
        return (page, conversation);
    }
}
