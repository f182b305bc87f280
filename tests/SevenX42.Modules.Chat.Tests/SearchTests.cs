using System.Text;
using AngleSharp.Dom;
using SevenX42.Modules.Chat.Domain;
using SevenX42.Testing;

namespace SevenX42.Modules.Chat.Tests;

/// <summary>What was said is found by what one remembers of it.</summary>
public sealed class SearchTests(PostgresServer postgres) : IAsyncLifetime
{
    private ScriptedChat _chat = null!;

    private ChatBrowser Browser => _chat.Browser;

    public async ValueTask InitializeAsync() => _chat = await ScriptedChat.StartAsync(postgres);

    public ValueTask DisposeAsync() => _chat.DisposeAsync();

    [Fact]
    public async Task What_developers_write_is_found_whole_and_by_its_parts()
    {
        var id = await Browser.BeginAsync(
            "We use node.js and `Program.cs`, see https://example.com/docs?id=7 or ask ada@example.org. Since v1.2.3 pi is 3.14; look into "
            + "src/Host/app.js, C:\\Temp\\x.log, my_variable, foo-bar, AT&T, <b>bold</b>, “quoted”, „Ärger“, 你好，世界！ हिन्दी। naïve thanks🙏🏽 it’s");
        await Browser.FinishedAsync(id);

        foreach (var (query, marked) in ((string, string)[])
        [
            ("node.js", "node.js"), ("node", "node"), ("js", "js"), ("nod", "node"), ("node.j", "node.js"),
            ("Program.cs", "Program.cs"), ("program", "Program"), ("example.com", "example.com"), ("example.com/docs", "example.com/docs"),
            ("ada@example.org", "ada@example.org"), ("v1.2.3", "v1.2.3"), ("3.14", "3.14"), ("3.1", "3.14"), ("src/Host/app.js", "src/Host/app.js"),
            ("Host/app", "Host/app"), ("C:\\Temp", "C:\\Temp"), ("my_variable", "my_variable"), ("variable", "variable"), ("foo-bar", "foo-bar"),
            ("at&t", "AT&T"), ("<b>bold", "b>bold"), ("quoted", "quoted"), ("ärger", "Ärger"), ("ÄRGER", "Ärger"), ("世界", "世界"), ("हिन्दी", "हिन्दी"),
            ("naï", "naïve"), ("thanks", "thanks"), ("it's", "it’s"), ("docs node", "node"), ("'node' | !js & (", "node"),
        ])
        {
            var hits = await HitsAsync(query);
            Assert.True(hits.Count == 1, $"{query} was found {hits.Count} times.");
            var marks = hits[0].QuerySelectorAll("mark").Select(m => m.TextContent).ToList();
            Assert.True(marks.Contains(marked), $"{query} marked {string.Join(" | ", marks)} and not {marked}.");
            Assert.Empty(hits[0].QuerySelectorAll("b"));
        }

        foreach (var query in (string[])["node.ts", "js.node", "app.js/Host", "example.net", "3.15", "oolean", "...", "- & | '", ""])
            Assert.True((await HitsAsync(query)).Count == 0, $"{query} was found.");
    }

    [Fact]
    public async Task The_newest_come_first_and_none_of_them_is_crowded_out()
    {
        await Browser.FinishedAsync(await Browser.BeginAsync("Hello"));
        // A conversation that says it more often than there are hits, and more conversations than are shown.
        var loud = await _chat.ConverseAsync(300);
        var others = new List<Guid>();
        for (var i = 0; i < 40; i++)
            others.Add(await _chat.ConverseAsync(2));
        await _chat.ScalarAsync<int>("UPDATE chat.messages SET created_at = now() - interval '1 hour' WHERE conversation_id = $1 RETURNING 1", loud);
        foreach (var (conversation, age) in others.Select((c, i) => (c, i)))
        {
            await _chat.ScalarAsync<int>(
                "UPDATE chat.messages SET created_at = now() - $2 * interval '1 minute' WHERE conversation_id = $1 RETURNING 1", conversation, (age * 37 % 40) + 70);
        }

        var found = (await HitsAsync("message")).Select(h => Guid.Parse(h.GetAttribute("href")!["/c/".Length..].Split('?')[0])).ToList();

        Guid[] expected = [loud, .. others.Select((c, i) => (Id: c, Age: i * 37 % 40)).OrderBy(c => c.Age).Select(c => c.Id)];
        Assert.Equal(expected.Take(30), found);
        Assert.Equal("The newest 30 of more conversations with “message”. Add a word to find fewer.", await SentenceAsync("message"));
        await _chat.ScalarAsync<int>("UPDATE chat.conversations SET deleted_at = now() WHERE id = ANY ($1) RETURNING 1", others.Take(11).ToArray());
        Assert.Equal("30 conversations with “message”", await SentenceAsync("message"));
    }

    [Fact]
    public async Task Words_of_titles_are_found_and_marked()
    {
        var id = await Browser.BeginAsync("Hello");
        await Browser.FinishedAsync(id);
        (await Browser.PostAsync($"/conversations/{id}/title", ("title", "About node.js & <friends>"))).Dispose();

        var hit = Assert.Single(await HitsAsync("node.js"));

        Assert.Equal($"/c/{id}", hit.GetAttribute("href"));
        Assert.Equal("About <mark>node.js</mark> &amp; &lt;friends&gt;", hit.QuerySelector("span")!.InnerHtml);
    }

    [Fact]
    public async Task What_stands_deep_in_a_long_message_is_shown_and_marked()
    {
        var id = await Browser.BeginAsync(string.Join(' ', Enumerable.Range(0, 12_000).Select(i => $"w{i}")) + " the needle is here");
        await Browser.FinishedAsync(id);

        var hit = Assert.Single(await HitsAsync("needle here"));

        var snippet = hit.QuerySelectorAll("span")[1];
        Assert.Equal(["needle", "here"], snippet.QuerySelectorAll("mark").Select(m => m.TextContent));
        Assert.StartsWith("… ", snippet.TextContent, StringComparison.Ordinal);
        Assert.InRange(snippet.TextContent.Length, 20, 220);
    }

    [Fact]
    public async Task A_hit_leads_to_its_message_wherever_it_stands()
    {
        var edited = await Browser.BeginAsync("The first wording tells of hippopotamuses");
        await Browser.FinishedAsync(edited);
        (await Browser.PostAsync($"/conversations/{edited}/messages/{edited}/edit", ("newMessageId", ChatBrowser.NewId().ToString()), ("text", "The second does not"))).Dispose();
        await Browser.FinishedAsync(edited);
        var longOne = await _chat.ConverseAsync(200);
        await _chat.ScalarAsync<int>("UPDATE chat.messages SET content = 'It tells of hippopotamuses' WHERE conversation_id = $1 AND number = 9 RETURNING 1", longOne);

        var hits = await HitsAsync("hippopot");

        Assert.Equal(2, hits.Count);
        foreach (var hit in hits)
        {
            var href = hit.GetAttribute("href")!;
            var message = (await Browser.PageAsync(href)).QuerySelector(href[href.IndexOf('#', StringComparison.Ordinal)..]);
            Assert.Contains("hippopotamuses", message!.TextContent, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Application_and_database_agree_on_what_a_sign_is()
    {
        var signs = await _chat.ScalarAsync<int[]>(
            "SELECT array_agg(n ORDER BY n) FROM generate_series(1, 0x2ffff) n WHERE n NOT BETWEEN 0xd800 AND 0xdfff AND chat.searchable(chr(n)) = ' '");
        Assert.Equal(Enumerable.Range(1, 0x2ffff).Where(n => Rune.IsValid(n) && (SearchWords.IsSign(new Rune(n)) || n == ' ')), signs);
    }

    private async Task<string> SentenceAsync(string query) =>
        (await Browser.PageAsync($"/search?q={Uri.EscapeDataString(query)}")).QuerySelector("#main [role=status]")!.TextContent;

    private async Task<List<IElement>> HitsAsync(string query) =>
        [.. (await Browser.PageAsync($"/search?q={Uri.EscapeDataString(query)}")).QuerySelectorAll("#main a[href^='/c/']")];
}
