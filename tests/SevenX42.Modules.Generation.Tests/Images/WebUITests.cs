using SevenX42.Modules.Generation.Domain.Images;
using SevenX42.Modules.Generation.Infrastructure.Providers.Images;
using SevenX42.Testing.ImageServers;

namespace SevenX42.Modules.Generation.Tests.Images;

/// <summary>Pictures from a server with the API of the Stable Diffusion WebUI.</summary>
public sealed class WebUITests : IAsyncLifetime
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    private WebUIServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await WebUIServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Its_own_steps_and_previews_are_told_and_every_picture_has_its_seed()
    {
        _server.Preview = step => step == 3 ? ImageServerHost.Png : null;
        await using var drawing = Draw(new("v1-5", "a boat", new(768, 512), Count: 2, Seed: 42, NegativePrompt: "people", Steps: 5));
        _server.Allow(3);
        await drawing.UntilAsync<ImageStep>(s => s is { Step: 3, Steps: 10 });
        var preview = await drawing.UntilAsync<ImagePreview>(_ => true);
        Assert.Equal((0, "image/png"), (preview.Index, preview.MediaType));
        _server.Allow(4);
        await drawing.UntilAsync<ImageStep>(s => s is { Step: 7, Steps: 10 });
        _server.Allow(3);
        var results = (await drawing.EndAsync()).OfType<ImageResult>().ToList();
        Assert.Equal([(0, 42L, "image/png"), (1, 43L, "image/png")], results.Select(r => (r.Index, r.Seed!.Value, r.MediaType)));
        Assert.Equal(Convert.FromBase64String(ImageServerHost.Png), results[0].Bytes.ToArray());
        Assert.Single(drawing.Seen.OfType<ImagePreview>());
        var asked = _server.Bodies.Single(b => b.TryGetProperty("prompt", out _));
        Assert.Equal(
            ("a boat", "people", 768, 512, 2, 1, 42, 5, "v1-5"),
            (asked.GetProperty("prompt").GetString(), asked.GetProperty("negative_prompt").GetString(), asked.GetProperty("width").GetInt32(),
                asked.GetProperty("height").GetInt32(), asked.GetProperty("n_iter").GetInt32(), asked.GetProperty("batch_size").GetInt32(),
                asked.GetProperty("seed").GetInt32(), asked.GetProperty("steps").GetInt32(),
                asked.GetProperty("override_settings").GetProperty("sd_model_checkpoint").GetString()));
        Assert.DoesNotContain("POST /sdapi/v1/interrupt", _server.Calls);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Cancelling_interrupts_the_server_within_a_second(bool knowsTasks)
    {
        _server.KnowsTasks = knowsTasks;
        await using var drawing = Draw();
        _server.Allow(5);
        await drawing.UntilAsync<ImageStep>(s => s.Step == 5);
        var asked = _server.UntilAskedAsync("POST /sdapi/v1/interrupt", TimeSpan.FromSeconds(1));
        await drawing.CancelAsync();
        await asked;
        Assert.True(_server.IsInterrupted);
    }

    [Fact]
    public async Task Somebody_elses_picture_is_waited_for_and_neither_shown_nor_interrupted()
    {
        using (await _server.OccupyAsync())
        {
            await using var drawing = Draw();
            Assert.Equal(new ImageQueued(null), await drawing.NextAsync());
            await drawing.CancelAsync();
            Assert.False(_server.IsInterrupted);
            Assert.Equal([new ImageQueued(null)], drawing.Seen);
        }
    }

    [Fact]
    public async Task A_server_that_hangs_at_step_7_is_given_up_and_interrupted()
    {
        await using var drawing = Draw(idle: TimeSpan.FromSeconds(2));
        _server.Allow(7);
        var failure = await drawing.FailAsync();
        Assert.Equal(("idle_timeout", 7), (failure.Code, drawing.Seen.OfType<ImageStep>().Last().Step));
        Assert.Contains("painter went silent for 2 seconds", failure.Message, StringComparison.Ordinal);
        await _server.UntilAskedAsync("POST /sdapi/v1/interrupt", Soon);
    }

    [Fact]
    public async Task A_server_that_dies_in_the_middle_fails_with_a_sentence()
    {
        await using var drawing = Draw();
        _server.Allow(3);
        await drawing.UntilAsync<ImageStep>(s => s.Step == 3);
        _server.Die();
        var failure = await drawing.FailAsync();
        Assert.Equal("stream_broken", failure.Code);
        Assert.Empty(drawing.Seen.OfType<ImageResult>());
    }

    [Fact]
    public async Task A_picture_that_somebody_else_interrupted_is_not_a_result()
    {
        await using var drawing = Draw();
        _server.Allow(3);
        await drawing.UntilAsync<ImageStep>(s => s.Step == 3);
        using var other = new HttpClient { BaseAddress = _server.BaseUrl };
        using var response = await other.PostAsync("sdapi/v1/interrupt", null, TestContext.Current.CancellationToken);
        Assert.Equal("provider_stopped", (await drawing.FailAsync()).Code);
        Assert.Empty(drawing.Seen.OfType<ImageResult>());
    }

    [Fact]
    public async Task A_preview_that_is_no_picture_is_left_out_and_a_grid_is_no_picture_of_ours()
    {
        _server.Preview = step => step == 2 ? "not base64!" : Convert.ToBase64String("<svg onload=alert(1)>"u8.ToArray());
        _server.HasGrid = true;
        await using var drawing = Draw(new("", "a boat", new(512, 512), Count: 1, Seed: 1, Steps: 4));
        _server.Allow(2);
        await drawing.UntilAsync<ImageStep>(s => s.Step == 2);
        _server.Allow(1);
        await drawing.UntilAsync<ImageStep>(s => s.Step == 3);
        _server.Allow(1);
        Assert.Equal([0], (await drawing.EndAsync()).OfType<ImageResult>().Select(r => r.Index));
        Assert.Empty(drawing.Seen.OfType<ImagePreview>());
    }

    public static TheoryData<string, int, string, string, string, string> Refusals { get; } = new()
    {
        { "its own error", 500, "application/json", """{"error":"OutOfMemoryError","detail":"","body":"","errors":"CUDA out of memory."}""", "provider_unavailable", "CUDA out of memory" },
        { "what it can't read", 422, "application/json", """{"detail":[{"loc":["body","steps"],"msg":"value is not a valid integer","type":"type_error"}]}""", "provider_rejected", "value is not a valid integer" },
        { "a password", 401, "application/json", """{"detail":"Incorrect username or password"}""", "provider_unauthorized", "ApiKey" },
        { "started without --api", 404, "application/json", """{"detail":"Not Found"}""", "provider_not_found", "no image API" },
        { "a page", 200, "text/html", "<html>Sign in</html>", "provider_html", "web page" },
        { "no JSON", 200, "application/json", "{", "provider_malformed", "unreadable" },
        { "no pictures", 200, "application/json", """{"images":[],"info":""}""", "image_missing", "fewer pictures" },
        { "a picture that is none", 200, "application/json", """{"images":["PGh0bWw+"],"info":"{}"}""", "not_an_image", "not a picture" },
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public async Task A_refusal_is_a_sentence_with_its_reason(string what, int status, string contentType, string body, string code, string words)
    {
        _server.Refusal = (status, contentType, body);
        await using var drawing = Draw();
        var failure = await drawing.FailAsync();
        Assert.Equal((what, code), (what, failure.Code));
        Assert.Contains(words, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Its_checkpoints_are_its_models()
    {
        var model = Assert.Single(await Provider().ListModelsAsync(TestContext.Current.CancellationToken));
        Assert.Equal(("v1-5-pruned-emaonly.safetensors [6ce0161689]", "v1-5-pruned-emaonly"), (model.Model, model.Name));
    }

    private WebUIProvider Provider(TimeSpan? idle = null) => new(Drawing.Options(_server, idle), Drawing.Connections.Handler, TimeProvider.System);

    private Drawing Draw(ImageRequest? request = null, TimeSpan? idle = null) =>
        new(Provider(idle), request ?? new ImageRequest("", "a boat", new(512, 512), Seed: 1, Steps: 20));
}
