using System.Diagnostics;
using System.Text;
using SevenX42.Contracts.Generation;
using SevenX42.Testing;

namespace SevenX42.Modules.Generation.Tests;

/// <summary>What happens when a model server misbehaves: faults 14 to 16 of the promises.</summary>
public sealed class ProviderFaultTests(PostgresServer postgres) : IAsyncLifetime
{
    private ScriptedProvider _server = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _server = await ScriptedProvider.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Fault_14_a_provider_that_hangs_before_the_first_token_fails_with_a_time_limit()
    {
        await using var host = await StartAsync(("FirstTokenTimeout", "00:00:00.300"), ("IdleTimeout", "00:10:00"));
        _server.Script("m", Script.Stream.Role().Hang());
        var (finished, read) = await AnswerAsync(host);
        Assert.Equal((GenerationStatus.Failed, "first_token_timeout", ""), (finished.Status, finished.ErrorCode, finished.Text));
        Assert.Equal((GenerationStatus.Failed, "first_token_timeout"), (read.Done!.Status, read.Done.ErrorCode));
        Assert.Contains("300 milliseconds", finished.ErrorMessage, StringComparison.Ordinal);
        await _server.Requests.Single().ClientHungUp.WaitAsync(TimeSpan.FromSeconds(20), Cancelled);
    }

    [Fact]
    public async Task Fault_14_a_provider_that_hangs_between_tokens_is_interrupted_and_the_text_is_kept()
    {
        await using var host = await StartAsync(("FirstTokenTimeout", "00:10:00"), ("IdleTimeout", "00:00:00.300"));
        _server.Script("m", Script.Stream.Role().Say("The beginning", " of").Hang());
        var (finished, read) = await AnswerAsync(host);
        Assert.Equal((GenerationStatus.Interrupted, "idle_timeout", "The beginning of"), (finished.Status, finished.ErrorCode, finished.Text));
        Assert.Equal(finished.Text, read.Text);
        await _server.Requests.Single().ClientHungUp.WaitAsync(TimeSpan.FromSeconds(20), Cancelled);
    }

    [Fact]
    public async Task Fault_14_an_answer_that_takes_too_long_in_all_is_interrupted()
    {
        await using var host = await StartAsync(("TotalTimeout", "00:00:00.500"));
        var script = Script.Stream;
        for (var i = 0; i < 200; i++)
            script = script.Say("word ").Pause(TimeSpan.FromMilliseconds(20));
        _server.Script("m", script.Finish().Done());
        var (finished, read) = await AnswerAsync(host);
        Assert.Equal((GenerationStatus.Interrupted, "total_timeout"), (finished.Status, finished.ErrorCode));
        Assert.StartsWith("word word ", finished.Text, StringComparison.Ordinal);
        Assert.Equal(finished.Text, read.Text);
    }

    [Theory]
    [InlineData(401, "provider_unauthorized")]
    [InlineData(403, "provider_forbidden")]
    [InlineData(404, "provider_not_found")]
    public async Task Fault_15_a_refusal_is_said_in_one_sentence_and_not_asked_again(int status, string code)
    {
        await using var host = await StartAsync();
        _server.Script("m", Script.Respond(status, "no", "text/plain"));
        var (finished, read) = await AnswerAsync(host);
        Assert.Equal((GenerationStatus.Failed, code), (finished.Status, finished.ErrorCode));
        Assert.Equal(finished.ErrorMessage, read.Done!.ErrorMessage);
        Assert.Single(_server.Requests);
    }

    [Fact]
    public async Task Fault_15_a_rate_limit_is_waited_for_as_long_as_the_provider_asks_and_the_wait_is_shown()
    {
        await using var host = await StartAsync();
        _server.Enqueue("m", Script.Error(429, "slow down").Header("Retry-After", "1"));
        _server.Script("m", Script.Answer("At last."));
        var started = Stopwatch.GetTimestamp();
        var (finished, read) = await AnswerAsync(host);
        Assert.Equal((GenerationStatus.Completed, "At last."), (finished.Status, finished.Text));
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(10));
        Assert.Equal(("rate_limited", 1000), read.Waiting.Select(w => (w.Code, w.RetryMilliseconds)).Single());
    }

    [Fact]
    public async Task Fault_15_a_rate_limit_that_asks_for_too_long_a_wait_fails_at_once()
    {
        await using var host = await StartAsync(("MaxRetryAfter", "00:01:00"));
        _server.Script("m", Script.Error(429, "slow down").Header("Retry-After", "3600"));
        var (finished, read) = await AnswerAsync(host);
        Assert.Equal((GenerationStatus.Failed, "rate_limited"), (finished.Status, finished.ErrorCode));
        Assert.Contains("60 minutes", finished.ErrorMessage, StringComparison.Ordinal);
        Assert.Empty(read.Waiting);
        Assert.Single(_server.Requests);
    }

    [Theory]
    [InlineData(500)]
    [InlineData(503)]
    public async Task Fault_15_a_broken_provider_is_asked_again_a_few_times_and_no_more(int status)
    {
        await using var host = await StartAsync(("MaxTries", "3"), ("RetryDelay", "00:00:00.010"));
        _server.Script("m", Script.Error(status, "the GPU is on fire"));
        var (finished, read) = await AnswerAsync(host);
        Assert.Equal((GenerationStatus.Failed, "provider_unavailable"), (finished.Status, finished.ErrorCode));
        Assert.Contains("the GPU is on fire", finished.ErrorMessage, StringComparison.Ordinal);
        Assert.Equal(2, read.Waiting.Count());
        Assert.Equal(3, _server.Requests.Count);
    }

    [Fact]
    public async Task Fault_15_nothing_is_asked_again_after_the_first_token()
    {
        await using var host = await StartAsync(("RetryDelay", "00:00:00.010"));
        _server.Script("m", Script.Stream.Say("One").Data("""{"error":{"message":"busy","code":503}}"""));
        var (finished, _) = await AnswerAsync(host);
        Assert.Equal((GenerationStatus.Interrupted, "provider_unavailable", "One"), (finished.Status, finished.ErrorCode, finished.Text));
        Assert.Single(_server.Requests);
    }

    [Fact]
    public async Task A_provider_that_comes_back_is_found_again_within_the_tries()
    {
        var port = _server.BaseUrl.Port;
        await using var host = await StartAsync(("RetryDelay", "00:00:01"));
        await _server.DisposeAsync();
        var request = await host.DeliverAsync(GenerationHost.Request(model: "scripted/m"));
        await host.UntilReadAsync(request, r => r.Waiting.Any(w => w.Code == "provider_unreachable"), "the wait is shown");
        _server = await ScriptedProvider.StartAsync(port: port);
        _server.Script("m", Script.Answer("Back."));
        Assert.Equal((GenerationStatus.Completed, "Back."), Of(await host.FinishAsync(request)));
    }

    public static TheoryData<string, Script, string> Broken { get; } = new()
    {
        { "half-close without the end mark", Script.Stream.Role().Say("Kept"), "stream_broken" },
        { "broken connection", Script.Stream.Role().Say("Kept").Pause(TimeSpan.FromMilliseconds(200)).Cut(), "stream_broken" },
        { "malformed event", Script.Stream.Role().Say("Kept").Data("{\"choices\":[{"), "provider_malformed" },
        { "enormous event", Script.Stream.Role().Say("Kept").Raw("data: " + new string('x', 3_000_000)), "provider_too_much" },
        { "error inside", Script.Stream.Role().Say("Kept").Data("""{"error":{"message":"out of memory"}}"""), "provider_error" },
        { "limit of length", Script.Stream.Role().Say("Kept").Finish("length").Done(), "length_limit" },
        { "content filter", Script.Stream.Role().Say("Kept").Finish("content_filter").Done(), "content_filter" },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public async Task Fault_16_a_stream_that_breaks_is_interrupted_with_its_text_and_never_complete(string what, Script script, string code)
    {
        await using var host = await StartAsync();
        for (var seed = 0; seed < 3; seed++)
        {
            _server.Script("m", script.CutBy(seed));
            var (finished, read) = await AnswerAsync(host);
            Assert.Equal((what, GenerationStatus.Interrupted, code, "Kept"), (what, finished.Status, finished.ErrorCode, finished.Text));
            Assert.Equal("Kept", read.Text);
        }
    }

    public static TheoryData<string, Script, string> BrokenAtOnce { get; } = new()
    {
        { "nothing", Script.Stream, "stream_broken" },
        { "a page", Script.Respond(200, "<html>Sign in</html>", "text/html"), "provider_html" },
        { "malformed event", Script.Stream.Role().Data("{"), "provider_malformed" },
        { "an end without a beginning", Script.Stream.Role().Finish().Usage(1, 0).Done(), "empty_answer" },
    };

    [Theory]
    [MemberData(nameof(BrokenAtOnce))]
    public async Task Fault_16_a_stream_that_breaks_before_any_text_fails(string what, Script script, string code)
    {
        await using var host = await StartAsync(("RetryDelay", "00:00:00.010"));
        _server.Script("m", script);
        var (finished, read) = await AnswerAsync(host);
        Assert.Equal((what, GenerationStatus.Failed, code, ""), (what, finished.Status, finished.ErrorCode, finished.Text));
        Assert.Equal("", read.Text);
    }

    [Fact]
    public async Task Two_hundred_answers_cut_at_random_are_stored_as_they_are_read()
    {
        await using var host = await StartAsync();
        const string Text = "# Títle\n\n- a **b** `c`\n- 👩‍🚀 x\n\n| 1 | 2 |\n|---|---|\n| \"q\" | \\ |\n\n```cs\nvar x = '<';\n```\n";
        _server.Script("m", r => Script.Answer(Text, int.Parse(r.Messages[0].Content, System.Globalization.CultureInfo.InvariantCulture)));
        var requests = new List<Contracts.Chat.AnswerRequested>();
        for (var seed = 0; seed < 200; seed++)
            requests.Add(await host.DeliverAsync(GenerationHost.Request($"{seed}", "scripted/m")));
        foreach (var request in requests)
        {
            Assert.Equal((GenerationStatus.Completed, Text), Of(await host.FinishAsync(request)));
            var read = await host.UntilReadAsync(request, r => r.Done is not null, "the end is in the log");
            Assert.Equal(Text, read.Text);
        }
    }

    public static TheoryData<string, Script, string, string> Unreadable { get; } = new()
    {
        { "half a character", Script.Respond(503, """{"error":{"message":"cut here \ud800"}}"""), "provider_unavailable", "cut here" },
        { "Latin-1", Script.Respond(401, """{"error":{"message":"clé refusée"}}""") with { Encoding = Encoding.Latin1 }, "provider_unauthorized", "ApiKey" },
        { "Latin-1 in words", Script.Respond(400, """{"error":{"message":"clé refusée"}}""") with { Encoding = Encoding.Latin1 }, "provider_rejected", "refus" },
        { "half a character in the code", Script.Respond(400, """{"error":{"code":"\udc00","message":"maximum context length"}}"""), "context_too_long", "longer than" },
        { "JSON instead of a stream", Script.Respond(200, """{"error":{"message":"no \ud83d","code":503}}"""), "provider_unavailable", "no" },
        { "inside the stream", Script.Stream.Data("""{"error":{"message":"no \ud83d","code":503}}"""), "provider_unavailable", "no" },
        { "inside the stream, Latin-1", Script.Stream.Data("""{"error":{"message":"désolé","code":503}}""") with { Encoding = Encoding.Latin1 }, "provider_unavailable", "problem" },
    };

    [Theory]
    [MemberData(nameof(Unreadable))]
    public async Task An_error_with_characters_that_are_none_says_what_it_means(string what, Script script, string code, string words)
    {
        await using var host = await StartAsync(("MaxTries", "1"));
        _server.Script("m", script);
        var (finished, _) = await AnswerAsync(host);
        Assert.Equal((what, GenerationStatus.Failed, code), (what, finished.Status, finished.ErrorCode));
        Assert.Contains(words, finished.ErrorMessage, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_finish_whose_stream_stays_open_is_an_end()
    {
        await using var host = await StartAsync();
        _server.Script("m", Script.Stream.Say("Done.").Finish().Hang());
        var (finished, _) = await AnswerAsync(host);
        Assert.Equal((GenerationStatus.Completed, "Done."), Of(finished));
        await _server.Requests.Single().ClientHungUp.WaitAsync(TimeSpan.FromSeconds(20), Cancelled);
    }

    [Fact]
    public async Task An_answer_without_end_is_cut_at_its_limit()
    {
        await using var host = await StartAsync(("MaxOutputCharacters", "1000"));
        var script = Script.Stream;
        for (var i = 0; i < 100; i++)
            script = script.Say(new string('x', 50));
        _server.Script("m", script.Hang());
        var (finished, read) = await AnswerAsync(host);
        Assert.Equal((GenerationStatus.Interrupted, "output_limit"), (finished.Status, finished.ErrorCode));
        Assert.InRange(finished.Text.Length, 1000, 5000);
        Assert.Equal(finished.Text, read.Text);
        await _server.Requests.Single().ClientHungUp.WaitAsync(TimeSpan.FromSeconds(20), Cancelled);
    }

    [Fact]
    public async Task However_long_a_model_thinks_about_a_title_it_gives_one()
    {
        await using var host = await StartAsync();
        _server.Script("m", Script.Stream.Think("reasoning_content", [.. Enumerable.Repeat("What is it about? ", 200)]).Say("Rye bread").Finish().Done());
        var request = await host.DeliverAsync(GenerationHost.Request(model: "scripted/m", purpose: "title"));
        var finished = await host.FinishAsync(request);
        Assert.Equal((GenerationStatus.Completed, "Rye bread"), Of(finished));
    }

    [Fact]
    public async Task A_model_that_is_not_here_any_more_fails_at_once()
    {
        await using var host = await StartAsync();
        var request = await host.DeliverAsync(GenerationHost.Request(model: "gone/m"));
        var finished = await host.FinishAsync(request);
        Assert.Equal((GenerationStatus.Failed, "unknown_model"), (finished.Status, finished.ErrorCode));
    }

    [Fact]
    public async Task Text_that_postgres_cannot_hold_is_stored_and_read_the_same()
    {
        await using var host = await StartAsync();
        _server.Script("m", Script.Stream.Say("a\0b", "\ud83d", "\ude00", "\ud83d", "x", "\udc00", "\ud83d").Finish().Done());
        var request = await host.DeliverAsync(GenerationHost.Request("nul \0 and half \ud83d", "scripted/m"));
        var finished = await host.FinishAsync(request);
        var read = await host.UntilReadAsync(request, r => r.Done is not null, "the end is in the log");
        Assert.Equal("a\uFFFDb😀\uFFFDx\uFFFD\uFFFD", finished.Text);
        Assert.Equal(finished.Text, read.Text);
        Assert.Equal("nul \uFFFD and half \uFFFD", _server.Requests.Single().Messages[0].Content);
    }

    private static (string Status, string Text) Of(GenerationFinished finished) => (finished.Status, finished.Text);

    private static async Task<(GenerationFinished Finished, ReadAnswer Read)> AnswerAsync(GenerationHost host)
    {
        var request = await host.DeliverAsync(GenerationHost.Request(model: "scripted/m"));
        var finished = await host.FinishAsync(request);
        return (finished, await host.UntilReadAsync(request, r => r.Done is not null, "the end is in the log"));
    }

    private async Task<GenerationHost> StartAsync(params (string Key, string Value)[] settings) =>
        await GenerationHost.StartAsync(await postgres.CreateDatabaseAsync(), GenerationHost.Settings(_server, settings));
}
