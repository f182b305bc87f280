using System.Diagnostics;
using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using AngleSharp.Html.Dom;
using SevenX42.Contracts.Generation;
using SevenX42.Testing;
using SevenX42.Testing.ImageServers;

namespace SevenX42.Modules.Chat.Tests;

/// <summary>Pictures as answers: asked for, told of, shown, drawn again, stopped, refused.</summary>
public sealed partial class PictureTests(PostgresServer postgres) : IAsyncLifetime
{
    private const string Demo = "demo-images/demo";

    private static readonly (string Field, string Value, string Sentence)[] BadInput =
    [
        ("text", "/image", "Say what the picture shall show."),
        ("text", "/image " + new string('x', 20_000), "The prompt has 20,000 characters; this model reads at most 10,000."),
        ("size", "0x0", "This model does not draw 0×0 pixels"),
        ("size", "20000x20000", "This model does not draw 20000×20000 pixels"),
        // Numbers that would be others, and fine, if they were cut off.
        ("size", "4294967808x512", "This model does not draw 2147483647×512 pixels"),
        ("size", "large", "A size is a width and a height, such as 512x512."),
        ("count", "5", "Ask for 1 to 4 pictures."),
        ("count", "4294967297", "Ask for 1 to 4 pictures."),
        ("count", "some", "Ask for 1 to 4 pictures."),
        ("seed", "99999999999", "A seed is a number from 0 to 4294967295."),
        ("seed", "99999999999999999999", "A seed is a number from 0 to 4294967295."),
        ("seed", "-1", "A seed is a whole number that is not negative."),
        ("steps", "0", "This model takes 1 to 50 steps."),
        ("steps", "1000", "This model takes 1 to 50 steps."),
        ("steps", "4294967297", "This model takes 1 to 50 steps."),
        ("steps", "99999999999999999999", "This model takes 1 to 50 steps."),
        ("steps", "some", "The number of steps is a whole number."),
        ("negative", "people", "This model can't be told what to leave out."),
        ("negative", "\u0001", "What to leave out holds control characters, which can't be stored."),
        ("imageModel", "nowhere/model", "The model nowhere/model is not available now. Choose another one."),
    ];

    private ScriptedChat _chat = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() =>
        _chat = await ScriptedChat.StartAsync(postgres, ("Generation:Demo", "true"), ("Generation:DemoStepsPerSecond", "40"));

    public ValueTask DisposeAsync() => _chat.DisposeAsync();

    [Fact]
    public async Task The_command_draws_a_picture_that_is_shown_served_and_told_to_models_that_write()
    {
        var conversation = await _chat.Browser.BeginAsync("/image a red boat");
        var page = await _chat.Browser.FinishedAsync(conversation);

        Assert.Equal("a red boat", page.QuerySelector("[data-role=user] [data-source]")!.TextContent);
        var picture = (IHtmlImageElement)page.QuerySelector("[data-role=assistant] img")!;
        Assert.Equal(("512", "512", "a red boat"), (picture.GetAttribute("width"), picture.GetAttribute("height"), picture.GetAttribute("alt")));
        Assert.Contains("?w=320&v=", picture.GetAttribute("srcset")!, StringComparison.Ordinal);
        using var served = await _chat.Browser.GetAsync(picture.GetAttribute("src")!);
        Assert.Equal((HttpStatusCode.OK, "image/png"), (served.StatusCode, served.Content.Headers.ContentType!.MediaType));
        Assert.NotNull(page.QuerySelector("[data-role=assistant] a[download]"));

        await SendAsync(conversation, ("text", "What is it?"));
        await _chat.Browser.FinishedAsync(conversation);
        var asked = _chat.Provider.Requests.Last(r => !ScriptedChat.IsForTitle(r));
        Assert.Equal([("user", "a red boat"), ("assistant", "(A picture.)"), ("user", "What is it?")], asked.Messages);

        // Sent once more, it is the message that is stored, though its model may be gone since.
        using var again = await _chat.Browser.PostAsync(
            "/conversations", ("messageId", conversation.ToString()), ("text", "a red boat"), ("draw", "true"), ("imageModel", "nowhere/model"));
        Assert.Equal($"/c/{conversation:D}", ChatBrowser.LedTo(again));
        Assert.Equal(4L, await _chat.ScalarAsync<long>("SELECT count(*) FROM chat.messages"));
    }

    [Fact]
    public async Task What_is_chosen_is_drawn_and_again_is_a_sibling_with_another_seed_and_an_edit_a_branch()
    {
        var conversation = await BeginAsync("a boat", ("size", "512x768"), ("count", "2"), ("seed", "5"), ("steps", "3"));
        var page = await _chat.Browser.FinishedAsync(conversation);
        Assert.Equal(["512", "512"], page.QuerySelectorAll("[data-role=assistant] img").Select(i => i.GetAttribute("width")));
        Assert.Contains("512×768 · 2 pictures · 3 steps · seed 5", page.QuerySelector("[data-role=assistant]")!.TextContent, StringComparison.Ordinal);

        // Whoever goes on drawing finds what was chosen.
        Assert.False(((IHtmlInputElement)page.QuerySelector("#draw")!).IsChecked);
        Assert.Equal("512x768", ((IHtmlSelectElement)page.QuerySelector("#composer [name=size]")!).Value);

        var answer = page.QuerySelector("[data-role=assistant]")!.GetAttribute("data-message")!;
        using var again = await _chat.Browser.PostAsync($"/conversations/{conversation}/answers/{answer}/regenerate");
        again.EnsureSuccessStatusCode();
        page = await _chat.Browser.FinishedAsync(conversation);
        var other = page.QuerySelector("[data-role=assistant]")!.TextContent;
        Assert.Contains("2/2", other, StringComparison.Ordinal);
        Assert.NotEqual("5", Seed().Match(other).Groups[1].Value);

        var question = page.QuerySelector("[data-role=user]")!.GetAttribute("data-message")!;
        using var edited = await _chat.Browser.PostAsync(
            $"/conversations/{conversation}/messages/{question}/edit",
            ("newMessageId", ChatBrowser.NewId().ToString()),
            ("text", "a ship" + new string('!', 300)));
        edited.EnsureSuccessStatusCode();
        page = await _chat.Browser.FinishedAsync(conversation);
        var alt = "a ship" + new string('!', 194) + "…";
        Assert.Equal([alt, alt], page.QuerySelectorAll("[data-role=assistant] img").Select(i => i.GetAttribute("alt")));
        Assert.Equal(6L, await _chat.ScalarAsync<long>("SELECT count(*) FROM media.assets"));
    }

    [Fact]
    public async Task A_page_that_is_loaded_meanwhile_shows_how_far_it_is_and_the_preview_to_nobody_else()
    {
        var conversation = await BeginAsync("a boat", ("steps", "50"), ("count", "4"));
        IHtmlDocument? page = null;
        await Eventually.TrueAsync(async () =>
        {
            page = await _chat.Browser.PageAsync($"/c/{conversation}");
            return page.QuerySelector(".drawing img") is not null;
        });
        var bar = page!.QuerySelector(".drawing progress")!;
        Assert.Equal("200", bar.GetAttribute("max"));
        Assert.InRange(int.Parse(bar.GetAttribute("value")!, System.Globalization.CultureInfo.InvariantCulture), 1, 199);
        Assert.Contains($"Step {bar.GetAttribute("value")} of 200", page.QuerySelector(".drawing")!.TextContent, StringComparison.Ordinal);
        var preview = page.QuerySelector(".drawing img")!.GetAttribute("src")!;
        using var shown = await _chat.Browser.GetAsync(preview);
        Assert.Equal("image/png", shown.Content.Headers.ContentType!.MediaType);
        using var stranger = new ChatBrowser(_chat.App);
        await stranger.BeginAsync("Hello");
        using var hidden = await stranger.GetAsync(preview);
        Assert.Equal(HttpStatusCode.NotFound, hidden.StatusCode);

        var answer = page.QuerySelector("[data-role=assistant]")!.GetAttribute("data-message")!;
        using var again = await _chat.Browser.PostAsync($"/conversations/{conversation}/answers/{answer}/regenerate");
        Assert.Equal(HttpStatusCode.Conflict, again.StatusCode);
        Assert.Contains("This is being drawn already.", await again.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
        (await _chat.Browser.PostAsync($"/conversations/{conversation}/answers/{answer}/stop")).Dispose();
        page = await _chat.Browser.FinishedAsync(conversation);
        Assert.Equal("stopped", page.QuerySelector("[data-role=assistant]")!.GetAttribute("data-status"));
        var kept = page.QuerySelectorAll("[data-role=assistant] img").Length;
        Assert.InRange(kept, 0, 3);
        Assert.Equal(kept, await _chat.ScalarAsync<long>("SELECT count(*) FROM media.assets"));
    }

    [Fact]
    public async Task Programs_follow_a_drawing_on_a_channel_of_its_own_at_most_ten_times_a_second_and_nobody_else_s()
    {
        var began = Stopwatch.GetTimestamp();
        var conversation = await BeginAsync("a boat", ("steps", "50"), ("count", "2"));
        await using var program = await RealtimeClient.ConnectAsync(_chat.App.Address, await _chat.Browser.RealtimeTokenAsync());
        var (page, _, _) = await program.SubscribedAsync($"conversation/{conversation}", raw: true);
        var id = Guid.Empty;
        while (id == Guid.Empty)
        {
            foreach (var e in await program.EventsAsync(page))
            {
                if (e.Type == GenerationEvents.Image)
                    id = e.Data.GetProperty("g").GetGuid();
            }
        }

        var channel = $"image/{id}";
        var (number, position, _) = await program.SubscribedAsync(channel);
        var told = new List<RealtimeEvent>();
        while (told is not [.., { Type: GenerationEvents.Done }])
            told.AddRange(await program.EventsAsync(number));
        var progress = ProgressIn(told);
        Assert.InRange(progress.Count, 2, 2 + (int)(10 * Stopwatch.GetElapsedTime(began).TotalSeconds));
        Assert.Equal((2, 100, 100), (progress[^1].Done, progress[^1].Step, progress[^1].Steps));
        Assert.Equal(progress.Select(p => p.Step).Order(), progress.Select(p => p.Step));
        var polled = await PollAsync(_chat.Browser, channel, position);
        Assert.Equal(progress, ProgressIn(RealtimeClient.EventsIn(polled.GetProperty("ev").EnumerateArray())));

        // To others it is as if there were none, and to everybody a drawing is one and has one name.
        using var other = new ChatBrowser(_chat.App);
        var answer = await other.BeginAsync("Hello");
        await other.FinishedAsync(answer);
        var written = await _chat.ScalarAsync<Guid>("SELECT id FROM generation.jobs WHERE conversation_id = $1 AND purpose = 'answer'", answer);
        await using var stranger = await RealtimeClient.ConnectAsync(_chat.App.Address, await other.RealtimeTokenAsync());
        foreach (var (client, denied) in new[] { (stranger, channel), (stranger, $"image/{written}"), (program, $"image/{id:N}") })
        {
            var asked = await client.SubscribeAsync(denied);
            Assert.Equal((asked, "not_found"), await AnsweredAsync(client));
        }

        Assert.Equal("not_found", (await PollAsync(other, channel, position)).GetProperty("code").GetString());

        static async Task<(int Id, string? Code)> AnsweredAsync(RealtimeClient client)
        {
            var message = await client.NextAsync(m => RealtimeClient.OpOf(m) is "subbed" or "denied");
            return (message.GetProperty("id").GetInt32(), message.TryGetProperty("code", out var code) ? code.GetString() : null);
        }

        static async Task<JsonElement> PollAsync(ChatBrowser who, string channel, string position) =>
            (await who.JsonAsync($"/realtime/poll?ch={channel}&pos={position}")).GetProperty("channels")[0];

        static List<ImageProgress> ProgressIn(IEnumerable<RealtimeEvent> events) =>
            [.. events.Where(e => e.Type == GenerationEvents.Image).Select(e => e.Data.Deserialize(GenerationEventsJson.Wire.ImageProgressData)!.Progress)];
    }

    [Fact]
    public async Task What_can_not_be_drawn_is_refused_in_a_sentence_and_nothing_is_stored()
    {
        var conversation = await _chat.Browser.BeginAsync("Hello");
        await _chat.Browser.FinishedAsync(conversation);
        var before = await _chat.ScalarAsync<long>("SELECT count(*) FROM chat.messages");
        foreach (var (field, value, sentence) in BadInput)
        {
            var form = new Dictionary<string, string> { ["messageId"] = ChatBrowser.NewId().ToString(), ["text"] = "a boat", ["draw"] = "true", [field] = value };
            using var response = await _chat.Browser.PostAsync($"/conversations/{conversation}/messages", [.. form.Select(f => (f.Key, f.Value))]);
            var text = WebUtility.HtmlDecode(await response.Content.ReadAsStringAsync(Cancel));
            Assert.True(response.StatusCode == HttpStatusCode.BadRequest && text.Contains(sentence, StringComparison.Ordinal), $"{field}={value}: {response.StatusCode} {text}");
        }

        Assert.Equal(before, await _chat.ScalarAsync<long>("SELECT count(*) FROM chat.messages"));
        Assert.Equal(0L, await _chat.ScalarAsync<long>("SELECT count(*) FROM generation.jobs WHERE image IS NOT NULL"));
    }

    [Fact]
    public async Task A_refusal_is_said_in_place_of_the_picture_and_retry_draws_it_there()
    {
        await using var server = await WebUIServer.StartAsync();
        server.Refusal = (422, "application/json", """{"detail":"Not in this house"}""");
        await using var chat = await ScriptedChat.StartAsync(
            postgres,
            ("Generation:Providers:1:Kind", "WebUI"),
            ("Generation:Providers:1:Name", "painter"),
            ("Generation:Providers:1:BaseUrl", server.BaseUrl.ToString()));
        var conversation = await BeginAsync(chat, "painter/v1-5-pruned-emaonly.safetensors [6ce0161689]", "a boat", ("seed", "5"));
        var page = await chat.Browser.FinishedAsync(conversation);
        Assert.Contains("Not in this house", page.QuerySelector("[data-role=assistant] [role=alert]")!.TextContent, StringComparison.Ordinal);
        Assert.Equal(0L, await chat.ScalarAsync<long>("SELECT count(*) FROM media.assets"));
        var retry = page.QuerySelector("[data-role=assistant] [formaction$=retry]")!.GetAttribute("formaction")!;

        server.Refusal = null;
        server.Allow(20);
        (await chat.Browser.PostAsync(retry)).EnsureSuccessStatusCode();
        page = await chat.Browser.FinishedAsync(conversation);
        Assert.NotNull(page.QuerySelector("[data-role=assistant][data-status=completed] img"));
        Assert.Equal(2, page.QuerySelectorAll("article").Length);
        Assert.DoesNotContain("/2", page.QuerySelector("[data-role=assistant] .actions")!.TextContent, StringComparison.Ordinal);
        Assert.Equal([5L, 5L], server.Bodies.Where(b => b.TryGetProperty("seed", out _)).Select(b => b.GetProperty("seed").GetInt64()));
    }

    [Fact]
    public async Task A_drawing_that_broke_off_or_got_lost_is_not_called_an_answer()
    {
        var conversation = await BeginAsync("a boat", ("steps", "1"));
        await _chat.Browser.FinishedAsync(conversation);
        await _chat.ExecuteAsync("UPDATE chat.messages SET status = 'Interrupted' WHERE role = 'Assistant'");
        Assert.Contains("This drawing broke off.", await SaidAsync(), StringComparison.Ordinal);

        await _chat.ExecuteAsync("UPDATE chat.messages SET status = 'Pending' WHERE role = 'Assistant'");
        Assert.Equal(1, await _chat.EndAbandonedAsync(TimeSpan.FromHours(25)));
        Assert.Contains("This drawing got lost on its way. Try again.", await SaidAsync(), StringComparison.Ordinal);

        async Task<string> SaidAsync() =>
            (await _chat.Browser.PageAsync($"/c/{conversation}")).QuerySelector("[data-role=assistant] [role=alert]")!.TextContent;
    }

    [Fact]
    public async Task Only_what_a_model_can_be_told_is_offered()
    {
        var page = await _chat.Browser.PageAsync("/");
        Assert.Equal(["512x512", "768x512", "512x768"], page.QuerySelectorAll("#composer [name=size] option").Select(o => o.GetAttribute("value")));
        Assert.NotNull(page.QuerySelector("#composer [name=seed]"));
        Assert.Null(page.QuerySelector("#composer [name=negative]"));
        Assert.False(((IHtmlInputElement)page.QuerySelector("#draw")!).IsChecked);
        using var fragment = await _chat.Browser.GetAsync($"/composer/picture?imageModel={Demo}");
        Assert.Contains("id=\"drawing-options\"", await fragment.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
    }

    [GeneratedRegex("seed ([0-9]+)")]
    private static partial Regex Seed();

    private Task<Guid> BeginAsync(string prompt, params (string Name, string Value)[] choice) => BeginAsync(_chat, Demo, prompt, choice);

    private static async Task<Guid> BeginAsync(ScriptedChat chat, string model, string prompt, params (string Name, string Value)[] choice)
    {
        var id = ChatBrowser.NewId();
        using var response = await chat.Browser.PostAsync(
            "/conversations", [("messageId", id.ToString()), ("text", prompt), ("draw", "true"), ("imageModel", model), .. choice]);
        Assert.Equal($"/c/{id:D}", ChatBrowser.LedTo(response));
        chat.Browser.ForgetToken();
        return id;
    }

    private async Task SendAsync(Guid conversation, params (string Name, string Value)[] form)
    {
        using var response = await _chat.Browser.PostAsync(
            $"/conversations/{conversation}/messages", [("messageId", ChatBrowser.NewId().ToString()), .. form]);
        response.EnsureSuccessStatusCode();
    }
}
