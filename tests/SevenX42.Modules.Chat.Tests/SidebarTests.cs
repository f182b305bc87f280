using System.Net;
using AngleSharp.Dom;
using AngleSharp.Html.Parser;
using Npgsql;
using SevenX42.Testing;

namespace SevenX42.Modules.Chat.Tests;

/// <summary>The list of conversations: whose days they are grouped by, and how it goes on.</summary>
public sealed class SidebarTests(PostgresServer postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Conversations_are_grouped_by_the_days_of_whoever_looks()
    {
        var database = await postgres.CreateDatabaseAsync();
        await using var app = await AppHost.StartAsync(database);
        using var browser = new ChatBrowser(app);
        var id = await browser.BeginAsync("hello");
        await browser.FinishedAsync(id);
        await ExecuteAsync(database, "UPDATE chat.conversations SET updated_at = now() - interval '12 hours'");

        // Half a day apart, so that at any moment it is before noon in exactly one of them. (Their signs are reversed.)
        var east = await GroupsAsync(browser, "Etc/GMT-12");
        var middle = await GroupsAsync(browser, "Etc/GMT");
        var unknown = await GroupsAsync(browser, "Nowhere/Land");

        Assert.Equal(["Today", "Yesterday"], ((string[])[.. east, .. middle]).Order());
        Assert.Equal(middle, unknown);
    }

    [Fact]
    public async Task The_next_page_goes_on_under_the_name_that_the_first_has_given()
    {
        var database = await postgres.CreateDatabaseAsync();
        await using var app = await AppHost.StartAsync(database);
        using var browser = new ChatBrowser(app);
        var id = await browser.BeginAsync("hello");
        await browser.FinishedAsync(id);
        await ExecuteAsync(database, """
            INSERT INTO chat.conversations (id, owner_id, title, title_source, model, instructions, last_number, created_at, updated_at)
            SELECT gen_random_uuid(), owner_id, 'Of long ago ' || n, 'FirstMessage', '', '', 0, now(), timestamptz '2020-05-17 12:00Z' - n * interval '1 minute'
            FROM chat.conversations, generate_series(1, 60) n
            """);

        var first = await browser.PageAsync("/conversations");
        var rest = await browser.PageAsync(first.QuerySelector("[hx-trigger^=revealed]")!.GetAttribute("hx-get")!);

        Assert.Equal(["Today", "May 2020"], Names(first));
        Assert.Empty(Names(rest));
        var all = Links(first).Concat(Links(rest)).ToList();
        Assert.Equal(61, all.Distinct().Count());
        Assert.Equal(61, all.Count);
        Assert.Null(rest.QuerySelector("[hx-trigger^=revealed]"));

        // Without scripts it is a link, to a page.
        using var followed = new HttpRequestMessage(HttpMethod.Get, first.QuerySelector("[hx-trigger^=revealed] a")!.GetAttribute("href"));
        followed.Headers.Accept.ParseAdd("text/html");
        using var response = await browser.SendAsync(followed);
        var page = new HtmlParser().ParseDocument(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.Equal("Older conversations", page.QuerySelector("main h1")!.TextContent);
        Assert.Equal(Links(rest), Links(page.QuerySelector("main")!));
    }

    [Fact]
    public async Task What_a_page_has_loaded_stays_when_it_asks_again()
    {
        var database = await postgres.CreateDatabaseAsync();
        await using var app = await AppHost.StartAsync(database);
        using var browser = new ChatBrowser(app);
        await browser.FinishedAsync(await browser.BeginAsync("hello"));
        await ExecuteAsync(database, """
            INSERT INTO chat.conversations (id, owner_id, title, title_source, model, instructions, last_number, created_at, updated_at)
            SELECT gen_random_uuid(), owner_id, 'Of long ago ' || n, 'FirstMessage', '', '', 0, now(), timestamptz '2020-05-17 12:00Z' - n * interval '1 minute'
            FROM chat.conversations, generate_series(1, 99) n
            """);
        var page = await browser.PageAsync("/conversations");
        var shown = Links(page).ToList();
        Assert.Equal(40, shown.Count);
        for (var i = 0; i < 2; i++)
        {
            page = await browser.PageAsync(page.QuerySelector("[hx-trigger^=revealed]")!.GetAttribute("hx-get")!);
            shown.AddRange(Links(page));
            var loaded = page.QuerySelector("[name=loaded]")!.GetAttribute("value");
            Assert.Equal(shown, Links(await browser.PageAsync($"/conversations?loaded={loaded}")));
        }

        Assert.Equal(100, shown.Count);
        foreach (var loaded in (string[])["-1", "0", "7"])
            Assert.Equal(40, Links(await browser.PageAsync($"/conversations?loaded={loaded}")).Count());
        Assert.Equal(100, Links(await browser.PageAsync("/conversations?loaded=2147483647")).Count());
    }

    [Fact]
    public async Task Pinned_conversations_stand_above_all_others_the_last_pinned_first()
    {
        await using var app = await AppHost.StartAsync(await postgres.CreateDatabaseAsync());
        using var browser = new ChatBrowser(app);
        var ids = new List<Guid>();
        foreach (var name in (string[])["one", "two", "three"])
        {
            ids.Add(await browser.BeginAsync(name));
            await browser.FinishedAsync(ids[^1]);
        }

        await PinAsync(ids[1], "true");
        await PinAsync(ids[0], "true");

        var list = await browser.PageAsync("/conversations");
        Assert.Equal(["Pinned", "Today"], Names(list));
        Assert.Equal([Link(ids[0]), Link(ids[1]), Link(ids[2])], Links(list));
        Assert.Equal(2, list.QuerySelectorAll("li:has(.sr-only)").Length);
        Assert.Equal("false", (await browser.PageAsync($"/conversations/{ids[0]}/settings")).QuerySelector("[name=pinned]")!.GetAttribute("value"));

        await PinAsync(ids[0], "false");
        await PinAsync(ids[1], "false");

        list = await browser.PageAsync("/conversations");
        Assert.Equal(["Today"], Names(list));
        Assert.Equal([Link(ids[2]), Link(ids[1]), Link(ids[0])], Links(list));

        async Task PinAsync(Guid id, string pinned)
        {
            using var done = await browser.PostAsync($"/conversations/{id}/pin", ("pinned", pinned));
            Assert.Equal(HttpStatusCode.NoContent, done.StatusCode);
        }

        static string Link(Guid id) => $"/c/{id}";
    }

    private static async Task<List<string>> GroupsAsync(ChatBrowser browser, string zone)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/conversations");
        request.Headers.Add("Cookie", $"tz={zone}");
        using var response = await browser.SendAsync(request);
        return Names(await new HtmlParser().ParseDocumentAsync(await response.Content.ReadAsStringAsync(Cancel)));
    }

    private static List<string> Names(IParentNode page) => [.. page.QuerySelectorAll("h2").Select(h => h.TextContent)];

    private static IEnumerable<string> Links(IParentNode page) => page.QuerySelectorAll("li > a").Select(a => a.GetAttribute("href")!);

    private static async Task ExecuteAsync(string database, string sql)
    {
        await using var connection = new NpgsqlConnection(database);
        await connection.OpenAsync(Cancel);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Cancel);
    }
}
