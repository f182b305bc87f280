using System.Net;
using AngleSharp.Html.Dom;
using SevenX42.Testing;
using SevenX42.Testing.ImageServers;

namespace SevenX42.Modules.Chat.Tests;

/// <summary>The studio: one for everybody, in nobody's list, with what was drawn last at hand.</summary>
public sealed class StudioTests(PostgresServer postgres) : IAsyncLifetime
{
    private const string Painter = "painter/v1-5-pruned-emaonly.safetensors [6ce0161689]";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private ScriptedChat _chat = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() =>
        _chat = await ScriptedChat.StartAsync(postgres, ("Generation:Demo", "true"), ("Generation:DemoStepsPerSecond", "100"));

    public ValueTask DisposeAsync() => _chat.DisposeAsync();

    [Fact]
    public async Task The_first_drawing_makes_the_one_studio_also_when_two_come_at_once()
    {
        // Nobody yet: the page is there, and whoever has something drawn there is a guest from then on.
        var page = await _chat.Browser.PageAsync("/studio");
        Assert.NotNull(page.QuerySelector("#composer [data-fill], #stage [data-fill]"));
        await _chat.Browser.FinishedAsync(await _chat.Browser.BeginAsync("Hello"));
        Assert.Null((await _chat.Browser.PageAsync("/studio")).QuerySelector("#stage [data-channel]"));

        var (first, second) = (ChatBrowser.NewId(), ChatBrowser.NewId());
        Task<HttpResponseMessage>[] both;
        await using (await _chat.HoldAsync("SELECT FROM chat.owners FOR UPDATE"))
        {
            both = [PostAsync("a boat", first), PostAsync("a fox", second)];
            await _chat.WaitingAsync(2);
        }

        // One is drawn, and the other is to wait for it.
        var statuses = (await Task.WhenAll(both)).Select(r => r.StatusCode).Order();
        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.Conflict], statuses);
        Assert.Equal(1L, await _chat.ScalarAsync<long>("SELECT count(*) FROM chat.conversations WHERE is_studio"));
        await DrawnAsync();
        foreach (var (prompt, id) in (IEnumerable<(string, Guid)>)[("a boat", first), ("a fox", second)])
        {
            // What was drawn is not drawn again.
            using var again = await PostAsync(prompt, id);
            Assert.Equal(HttpStatusCode.OK, again.StatusCode);
            page = await DrawnAsync();
        }

        Assert.Equal(1L, await _chat.ScalarAsync<long>("SELECT count(*) FROM chat.conversations WHERE is_studio"));
        Assert.Equal(4, await _chat.ScalarAsync<int>("SELECT last_number FROM chat.conversations WHERE is_studio"));
        // The stage shows the newest drawing and no other.
        Assert.Equal(2, page.QuerySelectorAll("#transcript article").Length);
        Assert.NotNull(page.QuerySelector("#transcript [data-role=assistant] img"));
        Assert.True(page.QuerySelector("[data-earlier]")!.HasAttribute("hidden"));

        // Whoever is nobody is led to a page of their own, and a form without scripts to where its picture appears.
        using var nobody = new ChatBrowser(_chat.App);
        using var led = await nobody.PostAsync("/studio", ("messageId", ChatBrowser.NewId().ToString()), ("text", "a tree"));
        Assert.Equal("/studio", ChatBrowser.LedTo(led));
        using var plain = await _chat.Browser.SendAsync(HttpMethod.Post, "/studio", ("text", "a house"), ("draw", "true"), ("steps", "1"));
        Assert.Equal((HttpStatusCode.Redirect, "/studio"), (plain.StatusCode, plain.Headers.Location?.OriginalString));
        Assert.Equal("a house", (await DrawnAsync()).QuerySelector("#transcript [data-source]")!.TextContent);
    }

    [Fact]
    public async Task The_studio_is_in_no_list_and_no_search_takes_no_text_and_is_nobody_else_s()
    {
        await DrawAsync("a lantern");
        // Pages with the list hear nothing of it.
        var position = await ListPositionAsync();
        await DrawAsync("a lantern");
        Assert.Equal(position, await ListPositionAsync());
        var conversation = await _chat.Browser.BeginAsync("/image a lantern");
        await _chat.Browser.FinishedAsync(conversation);
        await Eventually.TrueAsync(async () => await ListPositionAsync() != position);
        var asked = _chat.Provider.Requests.Count;
        var id = await _chat.ScalarAsync<Guid>("SELECT id FROM chat.conversations WHERE is_studio");
        var path = $"/conversations/{id}";

        foreach (var list in (string[])["/conversations", "/search?q=lantern", "/search?q=studio", "/"])
            Assert.DoesNotContain(id.ToString(), await _chat.Browser.TextAsync(list), StringComparison.Ordinal);
        Assert.Contains(conversation.ToString(), await _chat.Browser.TextAsync("/search?q=lantern"), StringComparison.Ordinal);
        Assert.Contains(conversation.ToString(), await _chat.Browser.TextAsync("/conversations"), StringComparison.Ordinal);

        // Links to the conversation lead to its page.
        using var page = await _chat.Browser.GetAsync($"/c/{id}?message=1");
        Assert.Equal((HttpStatusCode.Redirect, "/studio"), (page.StatusCode, page.Headers.Location?.OriginalString));
        using var link = new HttpRequestMessage(HttpMethod.Get, $"/c/{id}") { Headers = { { "HX-Request", "true" } } };
        using var boosted = await _chat.Browser.SendAsync(link);
        Assert.Equal("/studio", ChatBrowser.LedTo(boosted));
        Assert.Contains("id=\"stage\"", await boosted.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);

        // There is nothing to be set, and it is not deleted.
        foreach (var action in (string[])["title", "pin", "settings", "delete", "restore"])
        {
            using var refused = await _chat.Browser.PostAsync($"{path}/{action}", ("title", "Mine"), ("pinned", "true"));
            Assert.True(refused.StatusCode == HttpStatusCode.NotFound, action);
        }

        using var settings = await _chat.Browser.GetAsync($"{path}/settings");
        Assert.Equal(HttpStatusCode.NotFound, settings.StatusCode);

        // Whatever is said there is drawn, and no model that writes hears of it.
        using var said = await _chat.Browser.PostAsync($"{path}/messages", ("messageId", ChatBrowser.NewId().ToString()), ("text", " a candle "));
        said.EnsureSuccessStatusCode();
        Assert.Equal("a candle", (await DrawnAsync()).QuerySelector("#transcript [data-role=assistant] img")!.GetAttribute("alt"));
        Assert.Equal(asked, _chat.Provider.Requests.Count);
        Assert.Equal("Studio", await _chat.ScalarAsync<string>("SELECT title FROM chat.conversations WHERE is_studio"));

        using var stranger = new ChatBrowser(_chat.App);
        await stranger.BeginAsync("Hello");
        foreach (var hidden in (string[])[$"/c/{id}", $"{path}/transcript"])
        {
            using var response = await stranger.GetAsync(hidden);
            Assert.True(response.StatusCode == HttpStatusCode.NotFound, hidden);
        }

        using var sent = await stranger.PostAsync($"{path}/messages", ("messageId", ChatBrowser.NewId().ToString()), ("text", "mine"));
        Assert.Equal(HttpStatusCode.NotFound, sent.StatusCode);
        var theirs = await stranger.TextAsync("/studio");
        Assert.DoesNotContain("candle", theirs, StringComparison.Ordinal);
        Assert.DoesNotContain(id.ToString(), theirs, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_studio_that_a_version_without_one_deleted_is_empty_and_drawing_brings_it_back()
    {
        await DrawAsync("a boat");
        await _chat.ExecuteAsync("UPDATE chat.conversations SET deleted_at = now() WHERE is_studio");
        using var page = await _chat.Browser.GetAsync("/studio");
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
        Assert.Empty((await _chat.Browser.PageAsync("/studio")).QuerySelectorAll("#stage article"));

        await DrawAsync("a fox");
        Assert.Equal(1L, await _chat.ScalarAsync<long>("SELECT count(*) FROM chat.conversations WHERE is_studio AND deleted_at IS NULL"));
        Assert.Equal(["a fox", "a boat"], await PromptsAsync());
        Assert.Equal("a fox", (await _chat.Browser.PageAsync("/studio")).QuerySelector("#transcript [data-source]")!.TextContent);
    }

    [Fact]
    public async Task Recent_prompts_are_each_there_once_the_newest_first_those_of_conversations_too()
    {
        await DrawAsync("a boat");
        var conversation = await _chat.Browser.BeginAsync("/image a tree");
        await _chat.Browser.FinishedAsync(conversation);
        await _chat.Browser.FinishedAsync(await _chat.Browser.BeginAsync("No picture"));
        await DrawAsync("a fox");
        await DrawAsync("a boat");
        Assert.Equal(["a boat", "a fox", "a tree"], await PromptsAsync());

        (await _chat.Browser.PostAsync($"/conversations/{conversation}/delete")).EnsureSuccessStatusCode();
        Assert.Equal(["a boat", "a fox"], await PromptsAsync());
        foreach (var number in Enumerable.Range(1, 7))
            await DrawAsync($"number {number}");
        Assert.Equal([.. Enumerable.Range(1, 7).Reverse().Select(n => $"number {n}"), "a boat"], await PromptsAsync());
    }

    [Fact]
    public async Task The_address_fills_the_form_and_a_refusal_is_said_on_the_stage_where_retry_draws()
    {
        await using var server = await WebUIServer.StartAsync();
        server.Refusal = (422, "application/json", """{"detail":"Not in this house"}""");
        await using var chat = await ScriptedChat.StartAsync(
            postgres,
            ("Generation:Demo", "true"),
            ("Generation:Providers:1:Kind", "WebUI"),
            ("Generation:Providers:1:Name", "painter"),
            ("Generation:Providers:1:BaseUrl", server.BaseUrl.ToString()));
        var page = await chat.Browser.PageAsync(
            $"/studio?prompt=a+%3Cboat%3E&negative=people&seed=5&steps=7&size=512x768&model={Uri.EscapeDataString(Painter)}");
        Assert.Equal(
            ("a <boat>", Painter, "512x768", "5", "7", "people"),
            (page.QuerySelector("#composer textarea")!.TextContent, Chosen("imageModel"), Chosen("size"), Typed("seed"), Typed("steps"), Typed("negative")));
        // Whoever comes back to the page is not told what to draw once more.
        using var link = new HttpRequestMessage(HttpMethod.Get, "/studio?prompt=a+boat") { Headers = { { "HX-Request", "true" }, { "HX-Target", "main#main" } } };
        using var followed = await chat.Browser.SendAsync(link);
        Assert.Equal("/studio", ChatBrowser.LedTo(followed));
        // Another model takes over what it can be told.
        page = await chat.Browser.PageAsync("/composer/picture?imageModel=demo-images/demo&size=512x768&seed=5&negative=people");
        Assert.Equal(("512x768", "5"), (Chosen("size"), Typed("seed")));
        Assert.Null(page.QuerySelector("[name=negative]"));

        using var sent = await chat.Browser.PostAsync(
            "/studio",
            ("messageId", ChatBrowser.NewId().ToString()),
            ("text", "a boat"),
            ("draw", "true"),
            ("imageModel", Painter),
            ("size", "512x768"),
            ("negative", "people"));
        Assert.Equal("/studio", ChatBrowser.LedTo(sent));
        chat.Browser.ForgetToken();
        page = await DrawnAsync(chat);
        Assert.Contains("Not in this house", page.QuerySelector("#stage [role=alert]")!.TextContent, StringComparison.Ordinal);
        // The next drawing is made as the last one was meant.
        Assert.Equal((Painter, "512x768", "", "people"), (Chosen("imageModel"), Chosen("size"), Typed("seed"), Typed("negative")));

        server.Refusal = null;
        server.Allow(20);
        (await chat.Browser.PostAsync(page.QuerySelector("#stage [formaction$=retry]")!.GetAttribute("formaction")!)).EnsureSuccessStatusCode();
        page = await DrawnAsync(chat);
        Assert.NotNull(page.QuerySelector("#stage [data-status=completed] img"));

        string? Chosen(string name) => ((IHtmlSelectElement)page.QuerySelector($"[name={name}]")!).Value;
        string? Typed(string name) => page.QuerySelector($"input[name={name}]")!.GetAttribute("value");
    }

    [Fact]
    public async Task Where_nothing_draws_the_page_says_how_to_connect_a_model()
    {
        await using var chat = await ScriptedChat.StartAsync(postgres);
        var page = await chat.Browser.PageAsync("/studio");
        Assert.Contains("No model that draws is connected yet", page.QuerySelector("#stage")!.TextContent, StringComparison.Ordinal);
        Assert.Null(page.QuerySelector("#composer"));
    }

    private Task<HttpResponseMessage> PostAsync(string prompt, Guid id) =>
        _chat.Browser.PostAsync("/studio", ("messageId", id.ToString()), ("text", prompt), ("draw", "true"), ("steps", "1"));

    private async Task DrawAsync(string prompt)
    {
        using var response = await PostAsync(prompt, ChatBrowser.NewId());
        response.EnsureSuccessStatusCode();
        if (ChatBrowser.LedTo(response) is not null)
            _chat.Browser.ForgetToken();
        await DrawnAsync();
    }

    private Task<IHtmlDocument> DrawnAsync() => DrawnAsync(_chat);

    /// <summary>The studio's page once its newest drawing has ended.</summary>
    private static async Task<IHtmlDocument> DrawnAsync(ScriptedChat chat)
    {
        IHtmlDocument? page = null;
        await Eventually.TrueAsync(
            async () =>
            {
                page = await chat.Browser.PageAsync("/studio");
                return page.QuerySelector("#stage [data-role=assistant]") is { } answer && !answer.HasAttribute("aria-busy");
            },
            Limit);
        return page!;
    }

    private async Task<string?> ListPositionAsync() =>
        (await _chat.Browser.PageAsync("/conversations")).QuerySelector("#conversations")!.GetAttribute("data-pos");

    private async Task<IEnumerable<string?>> PromptsAsync() =>
        (await _chat.Browser.PageAsync("/studio/prompts")).QuerySelectorAll("[data-fill]").Select(b => b.GetAttribute("data-fill"));
}
