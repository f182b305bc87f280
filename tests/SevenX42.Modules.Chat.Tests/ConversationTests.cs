using System.Net;
using AngleSharp.Dom;
using SevenX42.Testing;

namespace SevenX42.Modules.Chat.Tests;

/// <summary>A conversation from its first message to its deletion: every test as somebody new.</summary>
public sealed class ConversationTests(RunningApp running) : IClassFixture<RunningApp>, IDisposable
{
    private readonly AppHost _app = running.Host;
    private readonly ChatBrowser _browser = new(running.Host);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _browser.Dispose();

    [Fact]
    public async Task A_first_message_makes_a_conversation_with_an_answer()
    {
        var id = await _browser.BeginAsync("What are you?");
        var page = await _browser.FinishedAsync(id);
        var messages = page.QuerySelectorAll("article");
        Assert.Equal(["user", "assistant"], messages.Select(m => m.GetAttribute("data-role")));
        Assert.Contains("What are you?", messages[0].TextContent, StringComparison.Ordinal);
        Assert.Equal("completed", messages[1].GetAttribute("data-status"));
        Assert.Contains("not a language model", messages[1].QuerySelector("[data-blocks]")!.TextContent, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Sending_the_same_message_twice_sends_it_once()
    {
        var message = ChatBrowser.NewId();
        var id = await _browser.BeginAsync("Hello", message);
        Assert.Equal(id, await _browser.BeginAsync("Hello", message));
        var page = await _browser.FinishedAsync(id);
        Assert.Equal(2, page.QuerySelectorAll("article").Length);
    }

    [Fact]
    public async Task Sending_the_same_message_at_the_same_time_sends_it_once()
    {
        var id = await _browser.BeginAsync("Hello");
        await _browser.FinishedAsync(id);
        // The token first: what follows must race on the message alone.
        (await _browser.PostAsync($"/conversations/{id}/pin")).Dispose();
        var message = ChatBrowser.NewId().ToString();
        var responses = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ =>
            _browser.PostAsync($"/conversations/{id}/messages", ("messageId", message), ("text", "Again"))));
        Assert.All(responses, r => Assert.Equal(HttpStatusCode.OK, r.StatusCode));
        var page = await _browser.FinishedAsync(id);
        Assert.Equal(4, page.QuerySelectorAll("article").Length);
    }

    [Theory]
    [InlineData("", "Write a message first")]
    [InlineData("   \n ", "Write a message first")]
    [InlineData("bell \u0007", "control characters")]
    public async Task A_message_that_can_not_be_sent_is_refused_with_a_sentence(string text, string sentence)
    {
        using var response = await _browser.PostAsync("/conversations", ("messageId", ChatBrowser.NewId().ToString()), ("text", text));
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains(sentence, await response.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_message_of_200_KB_is_refused_with_its_limit()
    {
        using var response = await _browser.PostAsync(
            "/conversations", ("messageId", ChatBrowser.NewId().ToString()), ("text", new string('x', 200_000)));
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("too long", await response.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_model_is_refused_by_name()
    {
        using var response = await _browser.PostAsync(
            "/conversations", ("messageId", ChatBrowser.NewId().ToString()), ("text", "Hello"), ("model", "nobody/nothing"));
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("nobody/nothing", await response.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_message_to_a_branch_that_is_not_there_is_refused_and_nothing_is_lost()
    {
        var id = await _browser.BeginAsync("Hello");
        await _browser.FinishedAsync(id);
        var mine = ChatBrowser.NewId().ToString();
        foreach (var parent in (string[])[ChatBrowser.NewId().ToString(), id.ToString()])
        {
            using var refused = await _browser.PostAsync($"/conversations/{id}/messages", ("messageId", mine), ("parentId", parent), ("text", "My text"));
            Assert.Equal(HttpStatusCode.Conflict, refused.StatusCode);
            Assert.Contains("your text is kept", await refused.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
        }

        using var branch = await _browser.PostAsync($"/conversations/{id}/branch", ("messageId", mine));
        Assert.Equal(HttpStatusCode.Conflict, branch.StatusCode);
        Assert.Equal(2, (await _browser.PageAsync($"/c/{id}")).QuerySelectorAll("article").Length);

        // The same text, under the same id, goes where the conversation is now.
        using var sent = await _browser.PostAsync($"/conversations/{id}/messages", ("messageId", mine), ("text", "My text"));
        Assert.Equal(HttpStatusCode.OK, sent.StatusCode);
        Assert.Equal(4, (await _browser.FinishedAsync(id)).QuerySelectorAll("article").Length);
    }

    [Fact]
    public async Task A_conversation_is_watched_by_its_one_name_and_by_nobody_else()
    {
        var id = await _browser.BeginAsync("Hello");
        using var stranger = new ChatBrowser(_app);
        await stranger.BeginAsync("I am somebody else");
        await using var mine = await RealtimeClient.ConnectAsync(_app.Address, await _browser.RealtimeTokenAsync());
        await using var other = await RealtimeClient.ConnectAsync(_app.Address, await stranger.RealtimeTokenAsync());

        await mine.SubscribedAsync($"conversation/{id:D}");
        foreach (var (client, channel) in ((RealtimeClient, string)[])[(mine, $"conversation/{id.ToString("D").ToUpperInvariant()}"), (other, $"conversation/{id:D}")])
        {
            await client.SubscribeAsync(channel);
            await client.NextAsync("denied");
        }
    }

    [Fact]
    public async Task A_stranger_finds_nothing_of_a_conversation()
    {
        var id = await _browser.BeginAsync("Secret");
        using var stranger = new ChatBrowser(_app);
        await stranger.BeginAsync("I am somebody else");
        foreach (var path in (string[])[$"/c/{id}", $"/conversations/{id}/transcript", $"/conversations/{id}/messages/{id}", $"/conversations/{id}/messages/{id}/raw"])
        {
            using var response = await stranger.GetAsync(path);
            Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        }

        foreach (var path in (string[])["messages", "delete", "restore", "title", "pin", "settings", "branch"])
        {
            using var response = await stranger.PostAsync(
                $"/conversations/{id}/{path}", ("messageId", ChatBrowser.NewId().ToString()), ("text", "Mine?"), ("title", "Mine"));
            Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        }

        Assert.DoesNotContain("Secret", (await stranger.PageAsync("/search?q=secret")).QuerySelector("#main")!.TextContent.Replace("“secret”", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Editing_a_message_keeps_the_old_branch()
    {
        var id = await _browser.BeginAsync("First wording");
        await _browser.FinishedAsync(id);
        using (var edited = await _browser.PostAsync($"/conversations/{id}/messages/{id}/edit", ("newMessageId", ChatBrowser.NewId().ToString()), ("text", "Second wording")))
            Assert.Equal(HttpStatusCode.OK, edited.StatusCode);
        var page = await _browser.FinishedAsync(id);
        Assert.Contains("Second wording", page.QuerySelector("article")!.TextContent, StringComparison.Ordinal);
        Assert.Contains("2/2", page.QuerySelector("article")!.TextContent, StringComparison.Ordinal);

        (await _browser.PostAsync($"/conversations/{id}/branch", ("messageId", id.ToString()))).Dispose();
        page = await _browser.PageAsync($"/c/{id}");
        Assert.Contains("First wording", page.QuerySelector("article")!.TextContent, StringComparison.Ordinal);
        Assert.Equal(2, page.QuerySelectorAll("article").Length);
    }

    [Fact]
    public async Task Stopping_keeps_what_was_written_and_continuing_goes_on_from_there()
    {
        var id = await _browser.BeginAsync("Write something long, please: a long text");
        var answer = await AnswerWithTextAsync(id);
        (await _browser.PostAsync($"/conversations/{id}/answers/{answer}/stop")).Dispose();
        var page = await _browser.FinishedAsync(id);
        var stopped = page.QuerySelectorAll("article")[^1];
        Assert.Equal("stopped", stopped.GetAttribute("data-status"));
        var before = await RawAsync(id, answer);
        Assert.NotEmpty(before);

        (await _browser.PostAsync($"/conversations/{id}/answers/{answer}/continue")).Dispose();
        await AnswerWithTextAsync(id);
        (await _browser.PostAsync($"/conversations/{id}/answers/{answer}/stop")).Dispose();
        await _browser.FinishedAsync(id);
        Assert.StartsWith(before, await RawAsync(id, answer), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_deleted_conversation_is_gone_until_it_is_restored()
    {
        var id = await _browser.BeginAsync("Keep me");
        await _browser.FinishedAsync(id);
        (await _browser.PostAsync($"/conversations/{id}/delete")).Dispose();
        using (var gone = await _browser.GetAsync($"/c/{id}"))
            Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
        Assert.DoesNotContain($"/c/{id}", (await _browser.PageAsync("/")).QuerySelector("#sidebar")!.InnerHtml, StringComparison.Ordinal);
        (await _browser.PostAsync($"/conversations/{id}/restore")).Dispose();
        Assert.Contains("Keep me", (await _browser.PageAsync($"/c/{id}")).QuerySelector("article")!.TextContent, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Search_finds_words_and_their_beginnings_and_marks_them()
    {
        var id = await _browser.BeginAsync("Tell me about <b>hippopotamuses</b> in rivers");
        await _browser.FinishedAsync(id);
        var page = await _browser.PageAsync("/search?q=hippopot");
        var hit = Assert.Single(page.QuerySelectorAll($"#main a[href^=\"/c/{id}\"]"));
        Assert.Equal("hippopotamuses", hit.QuerySelector("mark")!.TextContent);
        Assert.Null(hit.QuerySelector("b"));
    }

    [Theory]
    [InlineData("title", "t\u0002itle", "control characters")]
    [InlineData("title", "one\ntwo", "line breaks")]
    [InlineData("title", "\u001b[31mred", "control characters")]
    [InlineData("title", " ", "needs a name")]
    [InlineData("instructions", "Be \u001b[1mbold", "control characters")]
    public async Task A_name_or_instructions_that_are_no_text_are_refused_with_a_sentence(string field, string value, string sentence)
    {
        var id = await _browser.BeginAsync("Hello");
        foreach (var path in field == "title" ? (string[])["title", "settings"] : ["settings"])
        {
            using var refused = await _browser.PostAsync($"/conversations/{id}/{path}", (field, value));
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
            Assert.Contains(sentence, await refused.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Instructions_may_have_lines_and_tabs()
    {
        var id = await _browser.BeginAsync("Hello");
        using (var saved = await _browser.PostAsync($"/conversations/{id}/settings", ("instructions", "One\r\n\ttwo")))
            Assert.Equal(HttpStatusCode.NoContent, saved.StatusCode);
        Assert.Equal("One\n\ttwo", (await _browser.PageAsync($"/conversations/{id}/settings")).QuerySelector("[name=instructions]")!.TextContent);
    }

    private async Task<string> AnswerWithTextAsync(Guid id)
    {
        IElement? answer = null;
        await Eventually.TrueAsync(async () =>
        {
            answer = (await _browser.PageAsync($"/c/{id}")).QuerySelector("article[aria-busy=true]");
            return answer?.QuerySelector("[data-blocks]") is { } blocks && blocks.TextContent.Trim().Length > 20;
        });
        return answer!.GetAttribute("data-message")!;
    }

    private async Task<string> RawAsync(Guid id, string message)
    {
        using var response = await _browser.GetAsync($"/conversations/{id}/messages/{message}/raw");
        return await response.Content.ReadAsStringAsync(Cancellation);
    }
}
