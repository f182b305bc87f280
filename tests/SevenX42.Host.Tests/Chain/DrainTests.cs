using System.Diagnostics;
using System.Runtime.InteropServices;
using Npgsql;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Chain;

/// <summary>A process of several is told to stop, as an orchestrator does it, and others go on.</summary>
[Collection(nameof(Alone))]
public sealed class DrainTests(PostgresServer postgres) : IAsyncLifetime
{
    private const int AnswerNumber = 2;
    private static readonly string Text = MarkdownDocument.OfWords(200, seed: 3);

    private ScriptedProvider _provider = null!;
    private RedisProcess _redis = null!;
    private Dictionary<string, string?> _settings = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _provider = await ScriptedProvider.StartAsync();
        // The first never comes to its end; whoever asks again gets what is missing.
        _provider.Enqueue("scripted", Script.Stream.Role().Say(Text[..(Text.Length / 2)]).Hang());
        _provider.Script("scripted", request => request.Messages switch
        {
            [{ Role: "system" }, ..] => Script.Answer("A title"),
            [.., { Role: "assistant", Content: var written }] => Script.Answer(Text[written.Length..], seed: 2),
            _ => Script.Answer(Text, seed: 3),
        });
        _redis = await RedisProcess.StartAsync();
        _settings = new()
        {
            ["ConnectionStrings:Postgres"] = await postgres.CreateDatabaseAsync(),
            ["ConnectionStrings:Redis"] = _redis.Address,
            ["Identity:Guests"] = "true",
            ["Identity:KeyEncryptionSecret"] = "tests-and-nothing-but-tests-f3a9c1e7b5d2",
            ["Generation:Providers:0:Name"] = "test",
            ["Generation:Providers:0:BaseUrl"] = _provider.BaseUrl.ToString(),
            ["Generation:Providers:0:ContinuesAssistantMessage"] = "true",
            // However slowly another one starts.
            ["Generation:Providers:0:IdleTimeout"] = "00:05:00",
            ["Generation:Lease"] = "00:10:00",
        };
    }

    public async ValueTask DisposeAsync()
    {
        await _redis.DisposeAsync();
        await _provider.DisposeAsync();
    }

    [Fact]
    public async Task A_worker_that_is_told_to_stop_hands_its_answers_over_at_once()
    {
        await using var web = await StartWebAsync();
        await using var leaving = await StartAsync("Worker");
        using var browser = new ChatBrowser(web);
        var conversation = await browser.BeginAsync("Write", model: "test/scripted");
        var page = new LivePage(browser, conversation);
        await page.LoadAsync();
        await using var reader = new Reader(browser, web.Address, page, pace: 1);
        await reader.ConnectAsync();
        await reader.ReadAsync(AnswerNumber, Text.Length / 4);
        await using var staying = await StartAsync("Worker");

        leaving.Signal(PosixSignal.SIGTERM);
        var told = Stopwatch.GetTimestamp();
        await reader.ReadToEndAsync(AnswerNumber);

        // Nobody waits for the lease, which is ten minutes long.
        Assert.InRange(Stopwatch.GetElapsedTime(told), TimeSpan.Zero, TimeSpan.FromSeconds(10));
        Assert.Equal(0, await leaving.ExitAsync());
        Assert.InRange(Stopwatch.GetElapsedTime(told), TimeSpan.Zero, TimeSpan.FromSeconds(15));
        await page.ShowsWhatIsStoredAsync(AnswerNumber, Text);
        var asked = _provider.Requests.Where(r => r.Messages[0].Role == "user").ToList();
        Assert.Equal((2, "assistant"), (asked.Count, asked[^1].Messages[^1].Role));
    }

    [Fact]
    public async Task A_worker_whose_database_and_redis_hang_ends_within_25_seconds_all_the_same()
    {
        // As k8s/base has it.
        (_settings["Generation:DrainTime"], _settings["shutdownTimeoutSeconds"]) = ("00:00:12", "20");
        await using var web = await StartWebAsync();
        await using var worker = await StartAsync("Worker");
        using var browser = new ChatBrowser(web);
        await browser.BeginAsync("Write", model: "test/scripted");
        await Eventually.TrueAsync(() => _provider.Requests.Any(r => r.Messages[0].Role == "user"));
        await using var database = new NpgsqlConnection(_settings["ConnectionStrings:Postgres"]);
        await database.OpenAsync(Cancel);
        await using var transaction = await database.BeginTransactionAsync(Cancel);
        await using (var command = new NpgsqlCommand("LOCK TABLE generation.jobs IN ACCESS EXCLUSIVE MODE", database, transaction))
            await command.ExecuteNonQueryAsync(Cancel);
        await _redis.HoldUpAsync();

        worker.Signal(PosixSignal.SIGTERM);
        var told = Stopwatch.GetTimestamp();
        var code = await worker.ExitAsync();
        var took = Stopwatch.GetElapsedTime(told);

        await _redis.GoOnAsync();
        await transaction.RollbackAsync(Cancel);
        Assert.Equal(0, code);
        Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromSeconds(25));
    }

    [Fact]
    public async Task A_web_replica_that_is_told_to_stop_is_not_ready_at_once_and_sends_its_people_away_one_after_the_other()
    {
        const int people = 20;
        _settings["Realtime:DrainPeriod"] = "00:00:02";
        _settings["Realtime:ConnectionsPerUser"] = "100";
        await using var web = await StartAsync("Web");
        using var browser = new ChatBrowser(web.Address);
        await browser.BeginAsync("Write", model: "test/scripted");
        var token = await browser.RealtimeTokenAsync();
        var sockets = new List<RealtimeClient>();
        for (var i = 0; i < people; i++)
            sockets.Add(await RealtimeClient.ConnectAsync(web.Address, token));

        var told = Stopwatch.GetTimestamp();
        web.Signal(PosixSignal.SIGTERM);
        var leaving = Task.WhenAll(sockets.Select(async socket =>
        {
            var after = (await socket.NextAsync("bye")).GetProperty("after").GetInt32();
            return (After: after, Code: await socket.ClosedAsync(), At: Stopwatch.GetElapsedTime(told));
        }));
        await Eventually.TrueAsync(async () => !await IsReadyAsync(web), TimeSpan.FromSeconds(1));
        Assert.False(leaving.IsCompleted);
        var left = await leaving;
        Assert.Equal(0, await web.ExitAsync());

        Assert.All(left, l => Assert.Equal(1012, l.Code));
        Assert.All(left, l => Assert.InRange(l.After, 50, 300));
        Assert.InRange(Stopwatch.GetElapsedTime(told), TimeSpan.FromSeconds(1.5), TimeSpan.FromSeconds(15));
        // Half of them are still there when the others have been sent away.
        Assert.InRange(left.Count(l => l.At < TimeSpan.FromSeconds(1.2)), 1, people - 4);
        foreach (var socket in sockets)
            await socket.DisposeAsync();
    }

    private static async Task<bool> IsReadyAsync(HostProcess process)
    {
        using var http = new HttpClient();
        try
        {
            using var response = await http.GetAsync(new Uri(process.Management, "/health/ready"), Cancel);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private Task<HostProcess> StartAsync(string role) => HostProcess.StartAsync(_settings.Append(new("Role", role)));

    private Task<AppHost> StartWebAsync() => AppHost.StartAsync(
        _settings["ConnectionStrings:Postgres"]!, _settings.Append(new("Role", "Web")).Append(new("RateLimits:QueriesPerMinute", "1000000")));
}
