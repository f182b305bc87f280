using System.Globalization;
using System.Net;
using AngleSharp.Dom;
using AngleSharp.Html.Parser;
using SevenX42.Testing;

namespace SevenX42.Modules.Chat.Tests;

/// <summary>Which part of a conversation a page shows, and how it goes on from there.</summary>
public sealed class TranscriptTests(PostgresServer postgres) : IAsyncLifetime
{
    private ScriptedChat _chat = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private ChatBrowser Browser => _chat.Browser;

    public async ValueTask InitializeAsync()
    {
        _chat = await ScriptedChat.StartAsync(postgres);
        await Browser.FinishedAsync(await Browser.BeginAsync("Hello"));
    }

    public ValueTask DisposeAsync() => _chat.DisposeAsync();

    [Theory]
    [InlineData(3, 1, 28)]
    [InlineData(100, 75, 125)]
    [InlineData(151, 126, 200)]
    [InlineData(200, 175, 200)]
    public async Task A_message_far_from_the_end_is_shown_with_what_stands_around_it(int number, int first, int last)
    {
        var id = await _chat.ConverseAsync(200);

        var page = await Browser.PageAsync($"/c/{id}?message={number}#m-{number}");

        Assert.Equal(Range(first, last), Numbers(page));
        Assert.NotNull(page.QuerySelector($"#m-{number}"));
        Assert.Equal(first == 1, page.QuerySelector("[data-earlier]:not([hidden])") is null);
        Assert.Equal(last == 200, page.QuerySelector("[data-later]") is null);
    }

    [Fact]
    public async Task From_a_message_in_the_middle_one_scrolls_to_both_ends()
    {
        var id = await _chat.ConverseAsync(230);
        var page = await Browser.PageAsync($"/c/{id}?message=100");
        var numbers = Numbers(page).ToList();

        for (var part = page; part.QuerySelector("[data-earlier]:not([hidden])") is { } earlier;)
        {
            part = await Browser.PageAsync(earlier.GetAttribute("hx-get")!);
            Assert.Null(part.QuerySelector("[data-later]"));
            numbers.InsertRange(0, Numbers(part));
        }

        for (var part = page; part.QuerySelector("[data-later]") is { } later;)
        {
            part = await Browser.PageAsync(later.GetAttribute("hx-get")!);
            Assert.Null(part.QuerySelector("[data-earlier]"));
            numbers.AddRange(Numbers(part));
        }

        Assert.Equal(Range(1, 230), numbers);
    }

    [Fact]
    public async Task What_a_page_has_loaded_stays_when_it_asks_again()
    {
        var id = await _chat.ConverseAsync(200);
        var page = await Browser.PageAsync($"/c/{id}");
        Assert.Equal(Range(151, 200), Numbers(page));
        var earlier = await Browser.PageAsync(page.QuerySelector("[data-earlier]")!.GetAttribute("hx-get")!);
        Assert.Equal(Range(101, 150), Numbers(earlier));
        var from = Kept(earlier, "from");

        Assert.Equal(Range(101, 200), Numbers(await Browser.PageAsync($"/conversations/{id}/transcript?from={from}")));

        // So it does after what is done on the page.
        using var sent = await Browser.PostAsync(
            $"/conversations/{id}/messages", ("messageId", ChatBrowser.NewId().ToString()), ("text", "More"), ("from", from));
        Assert.Equal(Range(101, 202), Numbers(await ParseAsync(sent)));
        await Browser.FinishedAsync(id);
        foreach (var (path, field) in ((string, string)[])[("branch", "messageId"), ($"answers/{Id(page, 180)}/regenerate", "model")])
        {
            using var done = await Browser.PostAsync($"/conversations/{id}/{path}", (field, field == "messageId" ? Id(page, 180) : ""), ("from", from));
            Assert.Equal(101, Numbers(await ParseAsync(done))[0]);
        }
    }

    [Fact]
    public async Task All_of_a_conversation_stays_loaded_to_its_first_message()
    {
        var id = await _chat.ConverseAsync(80);
        var earlier = await Browser.PageAsync((await Browser.PageAsync($"/c/{id}")).QuerySelector("[data-earlier]")!.GetAttribute("hx-get")!);
        Assert.Null(earlier.QuerySelector("[data-earlier]:not([hidden])"));

        Assert.Equal(Range(1, 80), Numbers(await Browser.PageAsync($"/conversations/{id}/transcript?from={Kept(earlier, "from")}")));
    }

    [Fact]
    public async Task A_page_in_the_middle_asks_again_for_just_that()
    {
        var id = await _chat.ConverseAsync(200);
        var page = await Browser.PageAsync($"/c/{id}?message=100");

        var again = await Browser.PageAsync($"/conversations/{id}/transcript?from={Kept(page, "from")}&to={Kept(page, "to")}");

        Assert.Equal(Numbers(page), Numbers(again));
        Assert.Equal(page.QuerySelector("[data-later]")!.OuterHtml, again.QuerySelector("[data-later]")!.OuterHtml);
        Assert.Equal(page.QuerySelector("[data-earlier]")!.OuterHtml, again.QuerySelector("[data-earlier]")!.OuterHtml);
    }

    [Theory]
    [InlineData("message=0")]
    [InlineData("message=-1")]
    [InlineData("message=999")]
    [InlineData("message=2147483647")]
    public async Task A_message_that_is_not_there_is_no_fault(string query)
    {
        var id = await _chat.ConverseAsync(80);
        Assert.NotEmpty(Numbers(await Browser.PageAsync($"/c/{id}?{query}")));
    }

    [Fact]
    public async Task How_much_a_page_asks_for_again_is_bounded()
    {
        var id = await _chat.ConverseAsync(1_200);
        foreach (var query in (string[])["from=1", "from=-5", "from=1&to=1200", "to=1200"])
            Assert.Equal(Range(201, 1_200), Numbers(await Browser.PageAsync($"/conversations/{id}/transcript?{query}")));
    }

    [Fact]
    public async Task A_message_of_another_branch_is_shown_with_its_branch_and_answered_there()
    {
        var id = await Browser.BeginAsync("First wording");
        var first = await Browser.FinishedAsync(id);
        var oldAnswer = first.QuerySelectorAll("article")[^1].GetAttribute("data-message")!;
        await EditAsync(id, id, "Second wording");
        Assert.Equal(["Second wording", "An answer."], await _chat.TextsAsync(id));

        var page = await Browser.PageAsync($"/c/{id}?message=1");
        Assert.Equal(["First wording", "An answer."], Texts(page));
        Assert.Equal("1", Kept(page, "message"));
        // Having looked chose nothing.
        Assert.Equal(["Second wording", "An answer."], await _chat.TextsAsync(id));
        // And what the page asks for again is what it shows.
        var again = await Browser.PageAsync($"/conversations/{id}/transcript?message={Kept(page, "message")}&from={Kept(page, "from")}");
        Assert.Equal(["First wording", "An answer."], Texts(again));

        // What is said here goes on here.
        var parent = page.QuerySelector("#transcript [name=parentId][form=composer]")!.GetAttribute("value")!;
        Assert.Equal(oldAnswer, parent);
        using var sent = await Browser.PostAsync(
            $"/conversations/{id}/messages", ("messageId", ChatBrowser.NewId().ToString()), ("parentId", parent), ("text", "More"));
        Assert.Equal(HttpStatusCode.OK, sent.StatusCode);
        page = await Browser.FinishedAsync(id);
        Assert.Equal(["First wording", "An answer.", "More", "An answer."], Texts(page));
        Assert.Null(page.QuerySelector("[name=parentId], [name=message]"));
    }

    [Fact]
    public async Task Without_scripts_the_links_lead_through_a_whole_conversation()
    {
        var id = await _chat.ConverseAsync(160);
        var seen = new HashSet<int>();
        var page = await Browser.PageAsync($"/c/{id}");
        while (true)
        {
            seen.UnionWith(Numbers(page));
            if (page.QuerySelector("[data-earlier]:not([hidden]) a") is not { } link)
                break;
            page = await Browser.PageAsync(link.GetAttribute("href")!);
        }

        Assert.Equal(Range(1, 160), seen.Order());
        while (page.QuerySelector("[data-later] a") is { } link)
            page = await Browser.PageAsync(link.GetAttribute("href")!);
        Assert.Equal(160, Numbers(page)[^1]);
    }

    [Fact]
    public async Task Messages_of_a_deleted_conversation_are_gone_with_it()
    {
        var id = await Browser.BeginAsync("Hello");
        await Browser.FinishedAsync(id);
        (await Browser.PostAsync($"/conversations/{id}/delete")).Dispose();

        foreach (var path in (string[])["transcript", $"earlier?before={id}", $"later?after=1&leaf={id}", "settings", $"messages/{id}", $"messages/{id}/raw", $"messages/{id}/edit"])
        {
            using var gone = await Browser.GetAsync($"/conversations/{id}/{path}");
            Assert.True(gone.StatusCode == HttpStatusCode.NotFound, $"{path} answered {gone.StatusCode}");
        }
    }

    private async Task EditAsync(Guid conversation, Guid message, string text)
    {
        using var edited = await Browser.PostAsync(
            $"/conversations/{conversation}/messages/{message}/edit", ("newMessageId", ChatBrowser.NewId().ToString()), ("text", text));
        Assert.Equal(HttpStatusCode.OK, edited.StatusCode);
        await Browser.FinishedAsync(conversation);
    }

    private static async Task<IDocument> ParseAsync(HttpResponseMessage response)
    {
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await new HtmlParser().ParseDocumentAsync(await response.Content.ReadAsStringAsync(Cancel));
    }

    private static IEnumerable<int> Range(int first, int last) => Enumerable.Range(first, last - first + 1);

    private static List<int> Numbers(IParentNode page) =>
        [.. page.QuerySelectorAll("article").Select(a => int.Parse(a.Id!["m-".Length..], CultureInfo.InvariantCulture))];

    private static string Id(IParentNode page, int number) => page.QuerySelector($"#m-{number}")!.GetAttribute("data-message")!;

    private static string Kept(IParentNode page, string name) => page.QuerySelector($"[data-range][name={name}]")!.GetAttribute("value")!;

    private static IEnumerable<string> Texts(IParentNode page) => page.QuerySelectorAll("[data-source], [data-blocks]").Select(e => e.TextContent.Trim());
}
