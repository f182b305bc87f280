using System.Text;
using SevenX42.Modules.Generation.Domain.Images;
using SevenX42.Modules.Generation.Infrastructure;
using SevenX42.Modules.Generation.Infrastructure.Providers.Images;
using SevenX42.Testing;
using SevenX42.Testing.ImageServers;

namespace SevenX42.Modules.Generation.Tests.Images;

/// <summary>Pictures from a server with OpenAI's image API.</summary>
public sealed class OpenAIImageTests : IAsyncLifetime
{
    private const string Route = "/v1/images/generations";

    private static readonly GuardedConnections Elsewhere = new();

    private ScriptedProvider _server = null!;

    public async ValueTask InitializeAsync() => _server = await ScriptedProvider.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task A_model_that_streams_shows_partial_pictures_and_draws_one_after_the_other()
    {
        _server.Routes[Route] = Script.Stream.Event("image_generation.partial_image", Partial(0)).Event("image_generation.partial_image", Partial(1)).Event("image_generation.completed", Completed);
        await using var drawing = Draw("gpt-image-1", count: 2);
        var updates = await drawing.EndAsync();
        Assert.Equal([0, 0, 1, 1], updates.OfType<ImagePreview>().Select(p => p.Index));
        Assert.Equal([(0, (long?)null, "image/png"), (1, null, "image/png")], updates.OfType<ImageResult>().Select(r => (r.Index, r.Seed, r.MediaType)));
        Assert.Empty(updates.OfType<ImageStep>());
        Assert.Equal(2, _server.AllRequests.Count);
        var asked = _server.AllRequests[0];
        Assert.Equal(
            ("gpt-image-1", "a boat", 1, "1024x1024", true, 3, false, "Bearer the-key"),
            (asked.Model, asked.Json.GetProperty("prompt").GetString(), asked.Json.GetProperty("n").GetInt32(), asked.Json.GetProperty("size").GetString(),
                asked.Json.GetProperty("stream").GetBoolean(), asked.Json.GetProperty("partial_images").GetInt32(),
                asked.Json.TryGetProperty("response_format", out _), asked.Headers["Authorization"]));
    }

    [Fact]
    public async Task Pictures_come_as_base64_or_from_a_url_of_the_server_itself()
    {
        var png = Convert.FromBase64String(ImageServerHost.Png);
        _server.Routes["/files/boat.png"] = Script.Respond(200, Encoding.Latin1.GetString(png), "image/png") with { Encoding = Encoding.Latin1 };
        _server.Routes[Route] = Answer($$"""{"b64_json":"{{ImageServerHost.Png}}"}""", $$"""{"url":"{{_server.BaseUrl}}files/boat.png"}""");
        await using var drawing = Draw("dall-e-2", count: 2);
        var results = (await drawing.EndAsync()).OfType<ImageResult>().ToList();
        Assert.Equal([0, 1], results.Select(r => r.Index));
        Assert.All(results, r => Assert.Equal(png, r.Bytes.ToArray()));
        Assert.Equal((2, "b64_json"), (_server.AllRequests[0].Json.GetProperty("n").GetInt32(), _server.AllRequests[0].Json.GetProperty("response_format").GetString()));
    }

    [Theory]
    [InlineData("http://127.0.0.1:{0}/files/boat.png")]
    [InlineData("http://localhost:{0}/files/boat.png")]
    [InlineData("http://[::ffff:127.0.0.1]:{0}/files/boat.png")]
    [InlineData("http://2130706433:{0}/files/boat.png")]
    [InlineData("file:///etc/passwd")]
    public async Task Nothing_is_fetched_from_an_address_inside_this_network(string url)
    {
        await using var inside = await ScriptedProvider.StartAsync();
        _server.Routes[Route] = Answer($$"""{"url":"{{string.Format(System.Globalization.CultureInfo.InvariantCulture, url, inside.BaseUrl.Port)}}"}""");
        await using var drawing = Draw("dall-e-3");
        Assert.Equal(url.StartsWith("file", StringComparison.Ordinal) ? "not_an_image" : "image_address", (await drawing.FailAsync()).Code);
        Assert.Empty(inside.AllRequests);
    }

    [Fact]
    public async Task Cancelling_closes_the_request_within_a_second()
    {
        _server.Routes[Route] = Script.Stream.Event("image_generation.partial_image", Partial(0)).Hang();
        await using var drawing = Draw("gpt-image-1");
        await drawing.UntilAsync<ImagePreview>(_ => true);
        await drawing.CancelAsync();
        await _server.AllRequests.Single().ClientHungUp.WaitAsync(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken);
    }

    public static TheoryData<string, Script, string, string> Failures { get; } = new()
    {
        {
            "a refused prompt",
            Script.Respond(400, """{"error":{"message":"Your request was rejected by the safety system.","type":"image_generation_user_error","param":null,"code":"moderation_blocked"}}"""),
            "prompt_refused", "refused this prompt: Your request was rejected by the safety system"
        },
        {
            "a prompt that is refused on the way",
            Script.Stream.Event("image_generation.partial_image", Partial(0)).Event("error", """{"type":"error","error":{"type":"image_generation_user_error","code":"moderation_blocked","message":"Not this.","param":null}}"""),
            "prompt_refused", "refused this prompt: Not this"
        },
        { "a page", Script.Respond(200, "<html>Sign in</html>", "text/html"), "provider_html", "web page" },
        { "no JSON", Script.Respond(200, "{", "application/json"), "provider_malformed", "unreadable" },
        { "nothing", Script.Respond(200, """{"data":[]}"""), "image_missing", "fewer pictures" },
        { "no picture", Script.Stream.Event("image_generation.completed", """{"type":"image_generation.completed","b64_json":"PGh0bWw+"}"""), "not_an_image", "not a picture" },
        { "an end without a picture", Script.Stream.Event("image_generation.partial_image", Partial(0)), "stream_broken", "broke off" },
        { "death", Script.Stream.Event("image_generation.partial_image", Partial(0)).Pause(TimeSpan.FromMilliseconds(100)).Cut(), "stream_broken", "broke off" },
        { "silence", Script.Stream.Event("image_generation.partial_image", Partial(0)).Hang(), "idle_timeout", "went silent" },
        { "a preview that is no picture, and nothing more", Script.Stream.Event("image_generation.partial_image", """{"type":"image_generation.partial_image","b64_json":"!"}"""), "stream_broken", "broke off" },
    };

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task A_failure_is_a_sentence_with_its_reason(string what, Script script, string code, string words)
    {
        _server.Routes[Route] = script;
        await using var drawing = Draw("gpt-image-1", idle: code == "idle_timeout" ? TimeSpan.FromSeconds(2) : null);
        var failure = await drawing.FailAsync();
        Assert.Equal((what, code), (what, failure.Code));
        Assert.Contains(words, failure.Message, StringComparison.Ordinal);
        Assert.Empty(drawing.Seen.OfType<ImageResult>());
    }

    private static string Completed { get; } = $$"""{"type":"image_generation.completed","b64_json":"{{ImageServerHost.Png}}","background":"opaque","created_at":1700000000,"output_format":"png","quality":"low","usage":{"input_tokens":1,"output_tokens":1,"input_tokens_details":{"text_tokens":1,"image_tokens":0},"total_tokens":2},"size":"1024x1024"}""";

    private static string Partial(int index) =>
        $$"""{"type":"image_generation.partial_image","b64_json":"{{ImageServerHost.Png}}","background":"opaque","created_at":1700000000,"output_format":"png","partial_image_index":{{index}},"quality":"low","size":"1024x1024"}""";

    private static Script Answer(params string[] images) => Script.Respond(200, $$"""{"created":1700000000,"data":[{{string.Join(',', images)}}]}""");

    private Drawing Draw(string model, int count = 1, TimeSpan? idle = null) => new(
        new OpenAIImageProvider(
            new ProviderOptions
            {
                Name = "painter",
                BaseUrl = _server.BaseUrl.ToString(),
                ApiKey = "the-key",
                FirstTokenTimeout = idle ?? TimeSpan.FromSeconds(30),
                IdleTimeout = TimeSpan.FromMilliseconds(1),
            },
            new Uri(_server.BaseUrl, "v1"),
            Drawing.Connections.Handler,
            Elsewhere.Handler,
            TimeProvider.System),
        new ImageRequest(model, "a boat", new(1024, 1024), count));
}
