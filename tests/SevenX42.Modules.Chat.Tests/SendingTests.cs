using System.Net;
using SevenX42.Testing;

namespace SevenX42.Modules.Chat.Tests;

/// <summary>What a person sends is there once, whatever tabs, networks and ids do; and nothing else is taken for it.</summary>
public sealed class SendingTests(PostgresServer postgres) : IAsyncLifetime
{
    private ScriptedChat _chat = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private ChatBrowser Browser => _chat.Browser;

    public async ValueTask InitializeAsync() => _chat = await ScriptedChat.StartAsync(postgres);

    public ValueTask DisposeAsync() => _chat.DisposeAsync();

    [Fact]
    public async Task Every_composer_has_an_id_of_its_own_for_its_message()
    {
        var conversation = await Browser.BeginAsync("Hello");
        var ids = new HashSet<Guid>();
        foreach (var path in (string[])["/", "/", $"/c/{conversation}", $"/c/{conversation}"])
            ids.Add(Guid.Parse((await Browser.PageAsync(path)).QuerySelector("#composer [name=messageId]")!.GetAttribute("value")!));
        Assert.Equal(4, ids.Count);
    }

    [Fact]
    public async Task A_first_message_that_is_refused_makes_nobody_and_can_be_sent_again_by_the_same_page()
    {
        using var visitor = new ChatBrowser(_chat.App);
        var id = ChatBrowser.NewId();
        using (var refused = await visitor.PostAsync("/conversations", ("messageId", id.ToString()), ("text", "")))
        {
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
            Assert.False(refused.Headers.Contains("Set-Cookie"));
        }

        // With the token that it has.
        Assert.Equal(id, await visitor.BeginAsync("Hello", id));
    }

    [Fact]
    public async Task Another_first_message_under_a_known_id_begins_another_conversation()
    {
        var id = await Browser.BeginAsync("The first tab's");

        var other = await BeginAsync("The second tab's", id);

        Assert.NotEqual(id, other);
        Assert.Equal(["The first tab's", "An answer."], await _chat.TextsAsync(id));
        Assert.Equal(["The second tab's", "An answer."], await _chat.TextsAsync(other));
        // Sent again, each is what it was.
        Assert.Equal(other, await BeginAsync("The second tab's", id));
        Assert.Equal(id, await BeginAsync("The first tab's", id));
        Assert.Equal(2L, await _chat.ScalarAsync<long>("SELECT count(*) FROM chat.conversations"));
        Assert.Equal(4L, await _chat.ScalarAsync<long>("SELECT count(*) FROM chat.messages"));
    }

    [Fact]
    public async Task Another_text_under_a_known_id_is_another_message()
    {
        var conversation = await Browser.BeginAsync("Hello");
        await Browser.FinishedAsync(conversation);
        var id = ChatBrowser.NewId();
        foreach (var text in (string[])["One", "Two", "Two", "One", "Two"])
        {
            await SendAsync(conversation, text, id);
            await Browser.FinishedAsync(conversation);
        }

        Assert.Equal(["Hello", "An answer.", "One", "An answer.", "Two", "An answer."], await _chat.TextsAsync(conversation));
    }

    [Fact]
    public async Task A_send_whose_database_connection_ends_in_its_midst_is_to_be_tried_again_and_is_stored_once()
    {
        var conversation = await Browser.BeginAsync("Hello");
        await Browser.FinishedAsync(conversation);
        var id = ChatBrowser.NewId();
        await using (await _chat.HoldAsync("LOCK TABLE chat.messages IN EXCLUSIVE MODE"))
        {
            var sending = Browser.PostAsync($"/conversations/{conversation}/messages", ("messageId", id.ToString()), ("text", "Again"));
            await _chat.WaitingAsync(1);
            Assert.Equal(1L, await _chat.ScalarAsync<long>(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"));

            using var refused = await sending;

            Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
            Assert.NotNull(refused.Headers.RetryAfter);
            Assert.Contains("try again in a moment", await refused.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
        }

        await SendAsync(conversation, "Again", id);

        Assert.Equal(["Hello", "An answer.", "Again", "An answer."], await _chat.TextsAsync(conversation));
    }

    [Fact]
    public async Task An_id_of_another_conversation_sends_the_message_where_it_was_written()
    {
        var one = await Browser.BeginAsync("Hello");
        var two = await Browser.BeginAsync("Hello");
        await Browser.FinishedAsync(one);
        await Browser.FinishedAsync(two);
        var id = ChatBrowser.NewId();

        await SendAsync(one, "Thanks", id);
        await SendAsync(two, "Thanks", id);
        await SendAsync(two, "Thanks", id);

        Assert.Equal(["Hello", "An answer.", "Thanks", "An answer."], await _chat.TextsAsync(one));
        Assert.Equal(["Hello", "An answer.", "Thanks", "An answer."], await _chat.TextsAsync(two));
    }

    [Fact]
    public async Task A_first_message_sent_many_times_at_once_begins_one_conversation()
    {
        // Somebody from here on: a visitor would be as many guests as requests.
        await Browser.BeginAsync("Hello");
        (await Browser.GetAsync("/")).Dispose();
        await Browser.RealtimeTokenAsync();
        var id = ChatBrowser.NewId();

        var conversations = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => BeginAsync("At once", id)));

        Assert.All(conversations, c => Assert.Equal(id, c));
        Assert.Equal(["At once", "An answer."], await _chat.TextsAsync(id));
    }

    [Fact]
    public async Task People_who_use_the_same_id_at_once_have_a_conversation_each()
    {
        var people = Enumerable.Range(0, 4).Select(_ => new ChatBrowser(_chat.App)).ToList();
        foreach (var person in people)
            await person.GetAsync("/");
        var id = ChatBrowser.NewId();

        var conversations = await Task.WhenAll(people.Select((person, i) => BeginAsync($"Mine: {i}", id, person)));

        Assert.Equal(4, conversations.Distinct().Count());
        for (var i = 0; i < people.Count; i++)
        {
            Assert.Contains($"Mine: {i}", (await people[i].FinishedAsync(conversations[i])).QuerySelector("article")!.TextContent, StringComparison.Ordinal);
            people[i].Dispose();
        }
    }

    [Fact]
    public async Task The_id_of_a_strangers_conversation_tells_nothing_and_takes_nothing_over()
    {
        var theirs = await Browser.BeginAsync("Secret");
        using var stranger = new ChatBrowser(_chat.App);

        // The same text, too: that one knows what was said must not show either.
        var mine = await BeginAsync("Secret", theirs, stranger, ("conversationId", theirs.ToString()));

        Assert.NotEqual(theirs, mine);
        Assert.Equal(2, (await stranger.FinishedAsync(mine)).QuerySelectorAll("article").Length);
        Assert.Equal(HttpStatusCode.NotFound, (await stranger.GetAsync($"/c/{theirs}")).StatusCode);
        Assert.Equal(["Secret", "An answer."], await _chat.TextsAsync(theirs));
    }

    [Fact]
    public async Task A_first_message_whose_conversation_was_deleted_since_is_not_sent_again_and_not_a_fault()
    {
        var id = await Browser.BeginAsync("Gone");
        (await Browser.PostAsync($"/conversations/{id}/delete")).Dispose();

        using var again = await Browser.PostAsync("/conversations", ("messageId", id.ToString()), ("conversationId", id.ToString()), ("text", "Gone"));

        Assert.Equal(HttpStatusCode.NotFound, again.StatusCode);
        Assert.Contains("deleted since", await again.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
        Assert.NotEqual(id, await BeginAsync("Something else", id));
    }

    [Fact]
    public async Task An_edit_that_is_saved_twice_makes_one_branch()
    {
        var id = await Browser.BeginAsync("First wording");
        await Browser.FinishedAsync(id);
        var form = (await Browser.PageAsync($"/conversations/{id}/messages/{id}/edit")).QuerySelector("form")!;
        var newId = form.QuerySelector("[name=newMessageId]")!.GetAttribute("value")!;

        await SaveAsync("Second wording");
        await SaveAsync("Second wording");
        Assert.Equal(["2/2"], await VersionsAsync());
        // After an answer that was lost the person goes on editing: that is a third version, and it is the one that stays.
        await SaveAsync("Third wording");
        await SaveAsync("Third wording");

        Assert.Equal(["3/3"], await VersionsAsync());
        Assert.Equal(["Third wording", "An answer."], await _chat.TextsAsync(id));

        async Task SaveAsync(string text)
        {
            using var saved = await Browser.PostAsync(form.GetAttribute("hx-post")!, ("newMessageId", newId), ("text", text));
            Assert.Equal(HttpStatusCode.OK, saved.StatusCode);
        }

        async Task<IEnumerable<string>> VersionsAsync() => (await Browser.FinishedAsync(id)).QuerySelectorAll("[aria-label=Versions]").Select(v => v.TextContent.Trim());
    }

    [Fact]
    public async Task An_edit_under_the_id_of_a_message_that_says_something_else_is_not_lost()
    {
        var id = await Browser.BeginAsync("First wording");
        await Browser.FinishedAsync(id);

        using var saved = await Browser.PostAsync($"/conversations/{id}/messages/{id}/edit", ("newMessageId", id.ToString()), ("text", "Second wording"));

        Assert.Equal(HttpStatusCode.OK, saved.StatusCode);
        Assert.Equal(["Second wording", "An answer."], await _chat.TextsAsync(id));
    }

    private async Task<Guid> BeginAsync(string text, Guid id, ChatBrowser? browser = null, params (string Name, string Value)[] more)
    {
        using var response = await (browser ?? Browser).PostAsync("/conversations", [("messageId", id.ToString()), ("text", text), .. more]);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync(Cancel));
        browser?.ForgetToken();
        return Guid.Parse(ChatBrowser.LedTo(response)!["/c/".Length..]);
    }

    private async Task SendAsync(Guid conversation, string text, Guid id)
    {
        using var response = await Browser.PostAsync($"/conversations/{conversation}/messages", ("messageId", id.ToString()), ("text", text));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }
}
