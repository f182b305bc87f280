using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.AI;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Infrastructure;
using SevenX42.Modules.Generation.Infrastructure.Providers.OpenAI;
using SevenX42.Testing;

namespace SevenX42.Modules.Generation.Tests;

/// <summary>The client of a real HTTP server, byte by byte: what servers send, and what the module gets of it.</summary>
public sealed class WireTests : IAsyncLifetime
{
    private const string Secret = "sk-canary-0123456789abcdef";

    private readonly ProviderConnections _connections = new();
    private ScriptedProvider _server = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _server = await ScriptedProvider.StartAsync();

    public async ValueTask DisposeAsync()
    {
        _connections.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task A_whole_answer_has_text_usage_and_an_end()
    {
        var heard = await HearAsync(Script.Stream.Role().Say("Hel", "lo").Finish().Usage(7, 2).Done());
        Assert.Equal(("Hello", "", ChatFinishReason.Stop), (heard.Text, heard.Reasoning, heard.Finish));
        Assert.Equal((7, 2), (heard.Usage!.InputTokenCount, heard.Usage.OutputTokenCount));
    }

    [Fact]
    public async Task The_request_streams_asks_for_usage_and_carries_the_key_and_nothing_else()
    {
        await HearAsync(Script.Answer("ok"));
        var request = _server.Requests.Single();
        Assert.Equal("/v1/chat/completions", request.Path);
        Assert.Equal($"Bearer {Secret}", request.Headers["Authorization"]);
        Assert.Equal(["messages", "model", "stream", "stream_options"], request.Json.EnumerateObject().Select(p => p.Name).Order());
        Assert.True(request.Json.GetProperty("stream_options").GetProperty("include_usage").GetBoolean());
        Assert.Equal([("user", "Hi")], request.Messages);
    }

    [Fact]
    public async Task A_server_without_a_key_gets_none()
    {
        await HearAsync(Script.Answer("ok"), key: null);
        Assert.False(_server.Requests.Single().Headers.ContainsKey("Authorization"));
    }

    [Theory]
    [InlineData("reasoning_content")]
    [InlineData("reasoning")]
    public async Task Reasoning_is_heard_whatever_its_field_is_called(string field)
    {
        var heard = await HearAsync(Script.Stream.Role().Think(field, "Let me ", "see.").Say("42").Finish().Done());
        Assert.Equal(("42", "Let me see."), (heard.Text, heard.Reasoning));
    }

    [Theory]
    [InlineData("reasoning_content")]
    [InlineData("reasoning")]
    public async Task Reasoning_is_heard_beside_text_in_one_chunk(string field)
    {
        var heard = await HearAsync(Script.Stream
            .Delta($$"""{"role":"assistant","content":"4","{{field}}":"Let me see."}""")
            .Delta($$"""{"content":"2","{{field}}":null}""")
            .Finish().Done());
        Assert.Equal(("42", "Let me see."), (heard.Text, heard.Reasoning));
    }

    [Fact]
    public async Task Reasoning_that_is_sent_under_both_names_is_heard_once()
    {
        var heard = await HearAsync(Script.Stream
            .Delta("""{"role":"assistant","content":"","reasoning":"hm","reasoning_content":"hm"}""").Say("42").Finish().Done());
        Assert.Equal(("42", "hm"), (heard.Text, heard.Reasoning));
    }

    [Fact]
    public async Task Empty_choices_comments_carriage_returns_and_missing_usage_do_no_harm()
    {
        var script = Script.Stream.Comment("OPENROUTER PROCESSING").NoChoices().Role().Say("a").Comment("").NoChoices().Say("b").Finish().Done()
            with
        { NewLine = "\r\n" };
        var heard = await HearAsync(script);
        Assert.Equal(("ab", ChatFinishReason.Stop), (heard.Text, heard.Finish));
        Assert.Null(heard.Usage);
    }

    [Theory]
    [InlineData("eos", "stop")]
    [InlineData("end_turn", "stop")]
    [InlineData("max_tokens", "length")]
    [InlineData("length", "length")]
    [InlineData("content_filter", "content_filter")]
    public async Task Finish_reasons_of_all_servers_are_understood(string said, string meant)
    {
        var heard = await HearAsync(Script.Stream.Say("a").Finish(said).Usage(1, 1).Done());
        Assert.Equal(("a", meant), (heard.Text, heard.Finish!.Value.Value));
        Assert.NotNull(heard.Usage);
    }

    [Fact]
    public async Task A_finish_without_the_end_mark_is_an_end() =>
        Assert.Equal(ChatFinishReason.Stop, (await HearAsync(Script.Stream.Say("a").Finish())).Finish);

    [Fact]
    public async Task The_end_mark_without_a_finish_is_an_end() =>
        Assert.Equal(ChatFinishReason.Stop, (await HearAsync(Script.Stream.Say("a").Done())).Finish);

    [Fact]
    public async Task An_answer_is_the_same_however_its_bytes_are_cut()
    {
        const string Text = "Grüße, \"Welt\"!\n\n| a | b |\n|---|---|\n👩‍🚀 日本語 \\ \t end";
        for (var seed = 0; seed < 40; seed++)
        {
            var heard = await HearAsync(Script.Answer(Text, seed) with { NewLine = seed % 2 == 0 ? "\n" : "\r\n" });
            Assert.Equal((Text, ChatFinishReason.Stop), (heard.Text, heard.Finish));
        }
    }

    [Theory]
    [InlineData("{\"id\":")]
    [InlineData("not json at all")]
    [InlineData("[1,2,3]")]
    [InlineData("{\"choices\":\"none\"}")]
    public async Task Malformed_events_are_a_failure_and_not_an_end(string data)
    {
        var heard = await HearAsync(Script.Stream.Say("a").Data(data).Say("b").Finish().Done());
        Assert.Equal("provider_malformed", heard.Failure?.Code);
        Assert.Equal("a", heard.Text);
    }

    [Fact]
    public async Task A_stream_that_just_ends_is_a_failure()
    {
        var heard = await HearAsync(Script.Stream.Role().Say("a", "b"));
        Assert.Equal(("ab", "stream_broken"), (heard.Text, heard.Failure?.Code));
    }

    [Fact]
    public async Task A_connection_that_breaks_is_a_failure()
    {
        var heard = await HearAsync(Script.Stream.Role().Say("a", "b").Cut());
        Assert.Equal("stream_broken", heard.Failure?.Code);
    }

    [Fact]
    public async Task An_enormous_line_ends_the_stream_before_it_fills_the_memory()
    {
        var heard = await HearAsync(Script.Stream.Say("a").Raw("data: " + new string('x', 8_000_000)).Say("b").Finish().Done());
        Assert.Equal(("a", "provider_too_much"), (heard.Text, heard.Failure?.Code));
    }

    [Fact]
    public async Task A_stream_without_end_is_cut()
    {
        var script = Script.Stream;
        for (var i = 0; i < 200; i++)
            script = script.Comment(new string('x', 100_000));
        var heard = await HearAsync(script, options => options.MaxOutputCharacters = 100);
        Assert.Equal("provider_too_much", heard.Failure?.Code);
    }

    [Theory]
    [InlineData("""{"error":{"message":"the GPU is on fire","type":"server_error","code":500}}""", "provider_unavailable")]
    [InlineData("""{"error":"the GPU is on fire"}""", "provider_error")]
    [InlineData("""{"id":"1","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":"502","message":"the GPU is on fire"}}""", "provider_unavailable")]
    [InlineData("""{"error":{"message":"This model's maximum context length is 8192 tokens."}}""", "context_too_long")]
    public async Task An_error_inside_a_stream_is_a_failure(string data, string code)
    {
        var heard = await HearAsync(Script.Stream.Say("a").Data(data));
        Assert.Equal(("a", code), (heard.Text, heard.Failure?.Code));
    }

    [Fact]
    public async Task Text_that_speaks_of_errors_is_text()
    {
        const string Text = """{"error":"none"} and "error": true, [DONE], data: [DONE]""";
        Assert.Equal(Text, (await HearAsync(Script.Answer(Text))).Text);
    }

    [Fact]
    public async Task A_null_error_is_none() =>
        Assert.Equal("ab", (await HearAsync(Script.Stream
            .Say("a")
            .Data("""{"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"b"},"finish_reason":null}],"error":null}""")
            .Finish().Done())).Text);

    [Theory]
    [InlineData(401, "{}", "provider_unauthorized", false)]
    [InlineData(402, "{}", "provider_quota", false)]
    [InlineData(403, """{"error":{"message":"country not supported"}}""", "provider_forbidden", false)]
    [InlineData(404, """{"error":{"message":"no such model","code":"model_not_found"}}""", "unknown_model", false)]
    [InlineData(404, "404 page not found", "provider_not_found", false)]
    [InlineData(400, """{"error":{"message":"bad","code":"context_length_exceeded"}}""", "context_too_long", false)]
    [InlineData(400, """{"error":{"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error","n_ctx":4096}}""", "context_too_long", false)]
    [InlineData(400, """{"error":{"message":"temperature must be 1"}}""", "provider_rejected", false)]
    [InlineData(400, """{"error":{"message":"flagged","code":"content_filter"}}""", "content_filter", false)]
    [InlineData(429, """{"error":{"message":"slow down"}}""", "rate_limited", true)]
    [InlineData(429, """{"error":{"message":"pay","code":"insufficient_quota"}}""", "provider_quota", false)]
    [InlineData(500, "oops", "provider_unavailable", true)]
    [InlineData(502, "<html>bad gateway</html>", "provider_unavailable", true)]
    [InlineData(503, """{"error":{"message":"loading model"}}""", "provider_unavailable", true)]
    [InlineData(504, "", "provider_unavailable", true)]
    [InlineData(302, "", "provider_redirects", false)]
    public async Task Every_refusal_has_its_code_and_a_sentence(int status, string body, string code, bool retry)
    {
        var heard = await HearAsync(Script.Respond(status, body).Header("Location", "http://elsewhere.example/v1/chat/completions"));
        Assert.Equal((code, retry), (heard.Failure!.Code, heard.Failure.Retry));
        Assert.Matches(@"^\S.{20,}[.…]$", heard.Failure.Message);
        Assert.Single(_server.Requests);
    }

    [Theory]
    [InlineData("text/html", "<html>Sign in</html>", "provider_html")]
    [InlineData("application/json", """{"error":{"message":"no"}}""", "provider_error")]
    [InlineData("application/json", """{"hello":"world"}""", "provider_malformed")]
    [InlineData("text/plain", "hello", "stream_broken")]
    public async Task An_answer_with_status_200_that_is_none_is_a_failure(string type, string body, string code) =>
        Assert.Equal(code, (await HearAsync(Script.Respond(200, body, type))).Failure?.Code);

    [Fact]
    public async Task A_server_that_is_not_there_is_unreachable()
    {
        await _server.DisposeAsync();
        var heard = await HearAsync(null);
        Assert.Equal(("provider_unreachable", true), (heard.Failure!.Code, heard.Failure.Retry));
        _server = await ScriptedProvider.StartAsync();
    }

    [Fact]
    public async Task A_server_that_does_not_even_refuse_a_connection_is_unreachable()
    {
        using var full = new Socket(SocketType.Stream, ProtocolType.Tcp);
        full.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        full.Listen(0);
        var waiting = new List<Socket>();
        do
            waiting.Add(new Socket(SocketType.Stream, ProtocolType.Tcp));
        while (await IsAcceptedAsync(waiting[^1]));

        _connections.Handler.ConnectTimeout = TimeSpan.FromMilliseconds(100);
        var options = new ProviderOptions { Name = "scripted", BaseUrl = $"http://{full.LocalEndPoint}" };
        using var listing = new ModelListing(_connections);
        var listed = await listing.FetchAsync(options, TimeSpan.FromMinutes(1), new ProviderErrors("scripted", null, TimeProvider.System), Cancelled);
        var heard = await HearAsync(null, o => o.BaseUrl = options.BaseUrl);
        waiting.ForEach(s => s.Dispose());
        Assert.Equal(("provider_unreachable", true), (listed.Failure!.Code, listed.Failure.Retry));
        Assert.Equal(("provider_unreachable", true), (heard.Failure!.Code, heard.Failure.Retry));

        async Task<bool> IsAcceptedAsync(Socket socket)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(300), TimeProvider.System);
            try
            {
                await socket.ConnectAsync(full.LocalEndPoint!, limit.Token);
                return true;
            }
            catch (OperationCanceledException)
            {
                return false;
            }
        }
    }

    [Theory]
    [InlineData("Retry-After", "7", 7)]
    [InlineData("retry-after-ms", "1500", 1.5)]
    [InlineData("Retry-After", "Wed, 21 Oct 2026 07:28:30 GMT", 30)]
    public async Task The_wait_that_a_server_asks_for_is_known(string header, string value, double seconds)
    {
        var heard = await HearAsync(Script.Error(429, "slow").Header(header, value).Header("Date", "Wed, 21 Oct 2026 07:28:00 GMT"));
        Assert.Equal(TimeSpan.FromSeconds(seconds), heard.Failure!.RetryAfter);
    }

    [Fact]
    public async Task No_sentence_holds_a_key_a_page_or_more_than_a_few_words()
    {
        var hostile = $"key {Secret} or sk-proj-AbCdEfGh12345678 or Bearer abcdefghijkl\r\n\u0007\u202e" + new string('x', 10_000);
        var heard = await HearAsync(Script.Error(400, hostile));
        var message = heard.Failure!.Message;
        Assert.DoesNotContain("canary", message, StringComparison.Ordinal);
        Assert.DoesNotContain("AbCdEfGh", message, StringComparison.Ordinal);
        Assert.DoesNotContain("abcdefghijkl", message, StringComparison.Ordinal);
        Assert.DoesNotContain(message, char.IsControl);
        Assert.InRange(message.Length, 20, 400);
    }

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("/v1")]
    [InlineData("/v1/")]
    public async Task The_address_may_end_with_v1_or_not(string end)
    {
        var heard = await HearAsync(Script.Answer("ok"), options => options.BaseUrl = _server.BaseUrl.ToString().TrimEnd('/') + end);
        Assert.Equal("ok", heard.Text);
        Assert.Equal("/v1/chat/completions", _server.Requests.Single().Path);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Giving_up_closes_the_connection_at_once(bool afterText)
    {
        _server.Script("m", (afterText ? Script.Stream.Say("a") : Script.Stream).Hang());
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        var reading = ReadAsync(Client(), stop.Token);
        var request = await _server.UntilAskedAsync(1, Cancelled);
        if (afterText)
            await WaitAsync(() => reading.Heard.Text == "a");
        var stopped = System.Diagnostics.Stopwatch.GetTimestamp();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading.Task);
        var closed = await request.ClientHungUp.WaitAsync(TimeSpan.FromSeconds(10), Cancelled);
        Assert.InRange(System.Diagnostics.Stopwatch.GetElapsedTime(stopped, closed), TimeSpan.Zero, TimeSpan.FromSeconds(1));
    }

    private static async Task WaitAsync(Func<bool> holds)
    {
        for (var i = 0; !holds() && i < 5000; i++)
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, Cancelled);
        Assert.True(holds());
    }

    private OpenAIProvider Provider(Action<ProviderOptions>? configure = null, string? key = Secret)
    {
        var options = new ProviderOptions { Name = "scripted", BaseUrl = _server.BaseUrl.ToString(), ApiKey = key };
        configure?.Invoke(options);
        return new OpenAIProvider(options, ModelListing.Candidates(options.BaseUrl)[0], _connections.Handler, TimeProvider.System);
    }

    private IChatClient Client() => Provider().CreateClient("m");

    private async Task<Heard> HearAsync(Script? script, Action<ProviderOptions>? configure = null, string? key = Secret)
    {
        if (script is not null)
            _server.Script("m", script);
        var provider = Provider(configure, key);
        using var client = provider.CreateClient("m");
        var (heard, task) = ReadAsync(client, Cancelled);
        try
        {
            await task;
        }
        catch (Exception e) when (!Cancelled.IsCancellationRequested)
        {
            heard.Failure = provider.Explain(e, "m");
        }

        return heard;
    }

    private static (Heard Heard, Task Task) ReadAsync(IChatClient client, CancellationToken cancellationToken)
    {
        var heard = new Heard();
        return (heard, ReadAsync());

        async Task ReadAsync()
        {
            var (text, reasoning) = (new StreamedText(), new StringBuilder());
            await foreach (var update in client.GetStreamingResponseAsync([new ChatMessage(ChatRole.User, "Hi")], null, cancellationToken))
            {
                heard.Finish ??= update.FinishReason;
                foreach (var content in update.Contents)
                {
                    heard.Usage = (content as UsageContent)?.Details ?? heard.Usage;
                    if (content is TextReasoningContent thought)
                        reasoning.Append(thought.Text);
                    else if (content is TextContent said)
                        text.Append(said.Text);
                }

                (heard.Text, heard.Reasoning) = (text.ToString(), reasoning.ToString());
            }
        }
    }

    private sealed class Heard
    {
        public string Text { get; set; } = "";

        public string Reasoning { get; set; } = "";

        public ChatFinishReason? Finish { get; set; }

        public UsageDetails? Usage { get; set; }

        public GenerationFailure? Failure { get; set; }
    }
}
