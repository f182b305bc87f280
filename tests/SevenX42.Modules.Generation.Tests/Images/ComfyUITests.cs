using SevenX42.Modules.Generation.Domain.Images;
using SevenX42.Modules.Generation.Infrastructure.Providers.Images;
using SevenX42.Testing.ImageServers;

namespace SevenX42.Modules.Generation.Tests.Images;

/// <summary>Pictures from ComfyUI.</summary>
public sealed class ComfyUITests : IAsyncLifetime
{
    private ComfyUIServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await ComfyUIServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Its_own_steps_and_previews_are_told_and_every_picture_has_its_seed()
    {
        _server.Preview = step => step == 3 ? _server.Picture : null;
        await using var drawing = Draw(new("v1-5.safetensors", "a boat", new(768, 512), Count: 2, Seed: 42, NegativePrompt: "people", Steps: 5));
        _server.Allow(10);
        var updates = await drawing.EndAsync();
        Assert.Equal(Enumerable.Range(1, 10).Select(s => (s, 10)), updates.OfType<ImageStep>().Select(s => (s.Step, s.Steps)));
        Assert.Equal([(0, "image/png"), (1, "image/png")], updates.OfType<ImagePreview>().Select(p => (p.Index, p.MediaType)));
        Assert.Equal([(0, 42L, "image/png"), (1, 43L, "image/png")], updates.OfType<ImageResult>().Select(r => (r.Index, r.Seed!.Value, r.MediaType)));
        Assert.Equal(_server.Picture, updates.OfType<ImageResult>().First().Bytes.ToArray());
        var graph = _server.Bodies[0].GetProperty("prompt");
        Assert.Equal(
            (42, 5, "v1-5.safetensors", 768, 512, "a boat", "people"),
            (Input("3", "seed").GetInt32(), Input("3", "steps").GetInt32(), Input("4", "ckpt_name").GetString(), Input("5", "width").GetInt32(),
                Input("5", "height").GetInt32(), Input("6", "text").GetString(), Input("7", "text").GetString()));
        Assert.DoesNotContain("POST /interrupt", _server.Calls);

        System.Text.Json.JsonElement Input(string node, string name) => graph.GetProperty(node).GetProperty("inputs").GetProperty(name);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Cancelling_interrupts_the_server_within_a_second(bool knowsIds)
    {
        _server.KnowsIds = knowsIds;
        await using var drawing = Draw();
        _server.Allow(5);
        await drawing.UntilAsync<ImageStep>(s => s.Step == 5);
        var asked = _server.UntilAskedAsync("POST /interrupt", TimeSpan.FromSeconds(1));
        await drawing.CancelAsync();
        await asked;
        Assert.True(_server.IsInterrupted);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_prompt_that_waits_tells_its_place_and_leaves_the_queue_when_it_is_cancelled(bool knowsIds)
    {
        _server.KnowsIds = knowsIds;
        using (await _server.OccupyAsync())
        {
            await using var drawing = Draw();
            Assert.Equal(new ImageQueued(1), await drawing.NextAsync());
            await drawing.CancelAsync();
            await _server.UntilAskedAsync("POST /queue", TimeSpan.FromSeconds(1));
            Assert.False(_server.IsInterrupted);
        }

        await using var next = Draw();
        _server.Allow(20);
        Assert.IsType<ImageResult>((await next.EndAsync())[^1]);
        Assert.Equal(20, next.Seen.OfType<ImageStep>().Count());
    }

    [Fact]
    public async Task A_server_that_hangs_at_step_7_is_given_up_and_interrupted()
    {
        await using var drawing = Draw(idle: TimeSpan.FromSeconds(2));
        _server.Allow(7);
        var failure = await drawing.FailAsync();
        Assert.Equal(("idle_timeout", 7), (failure.Code, drawing.Seen.OfType<ImageStep>().Last().Step));
        Assert.Contains("POST /interrupt", _server.Calls);
    }

    [Fact]
    public async Task A_server_that_dies_in_the_middle_fails_with_a_sentence()
    {
        await using var drawing = Draw();
        _server.Allow(3);
        await drawing.UntilAsync<ImageStep>(s => s.Step == 3);
        _server.Die();
        Assert.Equal("stream_broken", (await drawing.FailAsync()).Code);
    }

    [Fact]
    public async Task Its_own_error_is_told_without_its_traceback()
    {
        _server.FailsAfter = 3;
        await using var drawing = Draw();
        _server.Allow(3);
        var failure = await drawing.FailAsync();
        Assert.Equal("provider_unavailable", failure.Code);
        Assert.Contains("Allocation on device 0 would exceed allowed memory", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("execution.py", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_picture_that_somebody_else_interrupted_is_not_a_result()
    {
        await using var drawing = Draw();
        _server.Allow(3);
        await drawing.UntilAsync<ImageStep>(s => s.Step == 3);
        using var other = new HttpClient { BaseAddress = _server.BaseUrl };
        using var content = new StringContent("{}", System.Text.Encoding.UTF8, "application/json");
        using var response = await other.PostAsync("interrupt", content, TestContext.Current.CancellationToken);
        Assert.Equal("provider_stopped", (await drawing.FailAsync()).Code);
    }

    [Fact]
    public async Task A_preview_that_is_no_picture_is_left_out_and_a_picture_that_is_none_fails()
    {
        _server.Preview = step => step == 2 ? [] : "<svg onload=alert(1)>"u8.ToArray();
        _server.Picture = "<html>"u8.ToArray();
        await using var drawing = Draw();
        _server.Allow(20);
        Assert.Equal("not_an_image", (await drawing.FailAsync()).Code);
        Assert.Empty(drawing.Seen.OfType<ImagePreview>());
        Assert.Equal(20, drawing.Seen.OfType<ImageStep>().Count());
    }

    public static TheoryData<string, int, string, string, string, string> Refusals { get; } = new()
    {
        {
            "a checkpoint it has not", 400, "application/json",
            """{"error":{"type":"prompt_outputs_failed_validation","message":"Prompt outputs failed validation","details":"","extra_info":{}},"node_errors":{"4":{"errors":[{"type":"value_not_in_list","message":"Value not in list","details":"ckpt_name: 'x' not in []","extra_info":{}}],"dependent_outputs":["9"],"class_type":"CheckpointLoaderSimple"}}}""",
            "provider_rejected", "Value not in list: ckpt_name"
        },
        { "a page", 200, "text/html", "<html>Sign in</html>", "provider_html", "web page" },
        { "no id", 200, "application/json", "{}", "provider_malformed", "unreadable" },
        { "a fault", 500, "text/plain", "500 Internal Server Error", "provider_unavailable", "problem" },
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
        Assert.Equal(("v1-5-pruned-emaonly.safetensors", "v1-5-pruned-emaonly"), (model.Model, model.Name));
    }

    private ComfyUIProvider Provider(TimeSpan? idle = null) => new(Drawing.Options(_server, idle), Drawing.Connections.Handler, TimeProvider.System);

    private Drawing Draw(ImageRequest? request = null, TimeSpan? idle = null) =>
        new(Provider(idle), request ?? new ImageRequest("v1-5.safetensors", "a boat", new(512, 512), Seed: 1, Steps: 20));
}
