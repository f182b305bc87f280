using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Chain;

/// <summary>
/// An answer of 2,000 words is written at 50 tokens a second while its reader's network fails at random moments; what the
/// reader has in the end is what is stored, every time. By default there are fewer runs, and everything goes ten times faster
/// than life, tokens, outages and polls alike, and the provider sends five tokens at a time. All of them, and at life's own
/// speed and token by token:
/// <code>
/// CUT_RUNS=200 dotnet test tests/SevenX42.Host.Tests --filter FullyQualifiedName~CutRunTests
/// CUT_RUNS=200 CUT_RUNS_SPEED=1 dotnet test tests/SevenX42.Host.Tests --filter FullyQualifiedName~CutRunTests
/// </code>
/// </summary>
[Collection(nameof(Alone))]
public sealed class CutRunTests(PostgresServer postgres, ITestOutputHelper output)
{
    // So few at a time that the readers keep up with their answers at that speed.
    private const int AtOnce = 20;
    private const int Documents = 8;
    private const int AnswerNumber = 2;
    private const int LogReaderEvery = 10;
    private const double TokensPerSecond = 50;

    // Four characters a token, as most tokenizers have it in English.
    private const int CharactersPerToken = 4;

    private static readonly int Runs = (int)Setting("CUT_RUNS", 60);
    private static readonly double Speed = Setting("CUT_RUNS_SPEED", 10);

    private static readonly string[] Texts = [.. Enumerable.Range(0, Documents).Select(seed => MarkdownDocument.OfWords(2_000, seed))];

    private readonly ConcurrentBag<LivePage> _pages = [];

    [Fact]
    public async Task What_a_reader_has_is_what_is_stored_however_the_network_fails()
    {
        await using var provider = await ScriptedProvider.StartAsync();
        var scripts = Texts.Select((text, seed) => Streamed(text, seed)).ToArray();
        provider.Script("scripted", request => request.Messages[0].Role == "system"
            ? Script.Answer("A title")
            : scripts[int.Parse(request.Messages[^1].Content, CultureInfo.InvariantCulture) % Documents]);
        await using var app = await AppHost.StartAsync(await postgres.CreateDatabaseAsync(), new Dictionary<string, string?>
        {
            ["Generation:Providers:0:Name"] = "test",
            ["Generation:Providers:0:BaseUrl"] = provider.BaseUrl.ToString(),
            ["RateLimits:CommandsPerMinute"] = "1000000",
            ["RateLimits:QueriesPerMinute"] = "1000000",
            ["Realtime:PollsPerSecond"] = "1000",
        });
        var first = Random.Shared.Next(1_000_000);
        var started = Stopwatch.GetTimestamp();
        await Parallel.ForEachAsync(
            Enumerable.Range(0, Runs),
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = TestContext.Current.CancellationToken },
            async (run, _) => await RunAsync(app, first + run));

        var byDeltas = _pages.Count(p => p.AnswerOf(AnswerNumber)!.Streamed is not null);
        output.WriteLine(
            $"{Runs} runs in {Stopwatch.GetElapsedTime(started).TotalSeconds:F0} s at {Speed} times life's speed; {byDeltas} assembled by deltas to the end, {Runs - byDeltas} fetched the end.");

        // Or it would be the store that is compared with itself.
        Assert.InRange(byDeltas, Runs / 2, Runs);
    }

    private static double Setting(string variable, double otherwise) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } set ? double.Parse(set, CultureInfo.InvariantCulture) : otherwise;

    private static Script Streamed(string text, int seed)
    {
        var script = Script.Stream.Role();
        var tokens = (int)Math.Max(1, Speed / 2);
        var length = tokens * CharactersPerToken;
        for (var i = 0; i < text.Length; i += length)
            script = script.Say(text.Substring(i, Math.Min(length, text.Length - i))).Pause(TimeSpan.FromSeconds(tokens / TokensPerSecond / Speed));
        return script.Finish().Done().CutBy(seed);
    }

    private async Task RunAsync(AppHost app, int seed)
    {
        try
        {
            await RunAsync(app, seed, new Random(seed));
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"The run with the seed {seed} failed: {e.Message}", e);
        }
    }

    private async Task RunAsync(AppHost app, int seed, Random random)
    {
        var text = Texts[seed % Documents];
        using var browser = new ChatBrowser(app);
        var conversation = await browser.BeginAsync(seed.ToString(CultureInfo.InvariantCulture), model: "test/scripted");
        var page = new LivePage(browser, conversation);
        await page.LoadAsync();
        await using var reader = new Reader(browser, app.Address, page, Speed);
        await reader.ConnectAsync();
        var log = new LogReader(browser, app.Address, page.Channel, page.Position.Split(':')[0]);
        var logRead = seed % LogReaderEvery == 0 ? log.ReadToEndAsync(new Random(seed)) : null;

        // By how much text is there; somewhat beyond its end too.
        var cuts = new Queue<(double At, Cut Cut, int Polls)>(Enumerable.Range(0, random.Next(2, 6))
            .Select(_ => (random.NextDouble() * 1.05 * text.Length, (Cut)random.Next(4), random.Next(1, 60)))
            .OrderBy(c => c.Item1));
        while (page.AnswerOf(AnswerNumber) is not { IsRunning: false })
        {
            await reader.ReadAsync();
            while (cuts.TryPeek(out var next) && Progress(page) >= next.At)
            {
                cuts.Dequeue();
                await reader.SufferAsync(next.Cut, next.Polls);
            }
        }

        _pages.Add(page);
        await page.ShowsWhatIsStoredAsync(AnswerNumber, text);
        if (logRead is not null)
        {
            await logRead;
            Assert.Equal(text, log.Text);
        }
    }

    // HTML to text, about: exact would be costly for every frame and is of no use.
    private static double Progress(LivePage page) => page.LengthOf(AnswerNumber) / 1.9;
}
