using System.Net;
using SevenX42.Testing;

namespace SevenX42.Modules.Chat.Tests;

/// <summary>Titles: found by a model once there is an answer, unless a person has given one.</summary>
public sealed class TitleTests(PostgresServer postgres)
{
    private const string Found = "Lighthouses of the north";

    // How far the handler of finished generations is: once for each that has ended.
    private const string Handled = "SELECT count(*) FROM chat.inbox WHERE handler = 'GenerationFinishedHandler'";

    [Fact]
    public async Task A_conversation_is_named_after_its_first_question_once_that_is_answered()
    {
        await using var chat = await StartAsync();
        var id = await chat.Browser.BeginAsync("Where are the lighthouses?");
        await chat.Browser.FinishedAsync(id);

        await NamedAsync(chat, id, Found);

        Assert.Contains(Found, await chat.Browser.TextAsync("/conversations"), StringComparison.Ordinal);
        var asked = Assert.Single(chat.Provider.Requests, ScriptedChat.IsForTitle);
        Assert.Equal(("user", "Where are the lighthouses?"), asked.Messages[^1]);
    }

    [Fact]
    public async Task A_second_answer_asks_for_no_second_title()
    {
        await using var chat = await StartAsync();
        var id = await chat.Browser.BeginAsync("Where are the lighthouses?");
        await chat.Browser.FinishedAsync(id);
        await NamedAsync(chat, id, Found);

        (await chat.Browser.PostAsync($"/conversations/{id}/messages", ("messageId", ChatBrowser.NewId().ToString()), ("text", "And the others?"))).Dispose();
        await chat.Browser.FinishedAsync(id);

        await Eventually.TrueAsync(async () => await chat.ScalarAsync<long>(Handled) == 3);
        Assert.Equal(3L, await chat.ScalarAsync<long>("SELECT count(*) FROM generation.jobs"));
    }

    [Fact]
    public async Task A_name_that_a_person_gave_stays()
    {
        await using var chat = await StartAsync();
        var title = new TaskCompletionSource();
        chat.Provider.Script("scripted", r => ScriptedChat.IsForTitle(r) ? Script.Stream.Role().Until(title.Task).Say(Found).Finish().Done() : Script.Answer("An answer."));
        var id = await chat.Browser.BeginAsync("Where are the lighthouses?");
        await Eventually.TrueAsync(() => chat.Provider.Requests.Any(ScriptedChat.IsForTitle));
        using (var renamed = await chat.Browser.PostAsync($"/conversations/{id}/title", ("title", "My own name")))
            Assert.Equal(HttpStatusCode.NoContent, renamed.StatusCode);

        title.SetResult();

        await Eventually.TrueAsync(async () => await chat.ScalarAsync<long>(Handled) == 2);
        Assert.Equal("My own name", await TitleAsync(chat, id));
    }

    [Fact]
    public async Task A_name_that_a_person_gives_while_the_found_one_is_being_stored_stays()
    {
        await using var chat = await StartAsync();
        var title = new TaskCompletionSource();
        chat.Provider.Script("scripted", r => ScriptedChat.IsForTitle(r) ? Script.Stream.Role().Until(title.Task).Say(Found).Finish().Done() : Script.Answer("An answer."));
        var id = await chat.Browser.BeginAsync("Where are the lighthouses?");
        await Eventually.TrueAsync(() => chat.Provider.Requests.Any(ScriptedChat.IsForTitle));
        await using (var rename = await chat.HoldAsync("UPDATE chat.conversations SET title = 'My own name', title_source = 'Person' WHERE id = $1", id))
        {
            title.SetResult();
            await chat.WaitingAsync(1);
            await rename.CommitAsync();
        }

        await Eventually.TrueAsync(async () => await chat.ScalarAsync<long>(Handled) == 2);
        Assert.Equal("My own name", await TitleAsync(chat, id));
    }

    [Fact]
    public async Task A_conversation_whose_first_answer_was_stopped_is_named_all_the_same()
    {
        await using var chat = await StartAsync();
        chat.Provider.Enqueue("scripted", Script.Stream.Role().Say("The first of them").Hang());
        var id = await chat.Browser.BeginAsync("Where are the lighthouses?");
        await Eventually.TrueAsync(() => chat.Provider.Requests.Count == 1);

        var answer = await chat.ScalarAsync<Guid>("SELECT id FROM chat.messages WHERE role = 'Assistant'");
        (await chat.Browser.PostAsync($"/conversations/{id}/answers/{answer}/stop")).Dispose();

        await NamedAsync(chat, id, Found);
    }

    [Fact]
    public async Task A_conversation_whose_first_answer_failed_is_named_when_there_is_one()
    {
        await using var chat = await StartAsync();
        chat.Provider.Enqueue("scripted", Script.Error(401, "Wrong key"));
        var id = await chat.Browser.BeginAsync("Where are the lighthouses?");
        var page = await chat.Browser.FinishedAsync(id);
        Assert.Equal("failed", page.QuerySelectorAll("article")[^1].GetAttribute("data-status"));
        Assert.Single(chat.Provider.Requests);

        var answer = page.QuerySelectorAll("article")[^1].GetAttribute("data-message");
        using (var regenerated = await chat.Browser.PostAsync($"/conversations/{id}/answers/{answer}/regenerate", ("model", "")))
            Assert.Equal(HttpStatusCode.OK, regenerated.StatusCode);

        await NamedAsync(chat, id, Found);
    }

    [Fact]
    public async Task Nobody_pays_for_titles_for_ever_where_none_can_be_found()
    {
        await using var chat = await StartAsync();
        chat.Provider.Script("scripted", r => ScriptedChat.IsForTitle(r) ? Script.Answer("\"\"") : Script.Answer("An answer."));
        var id = await chat.Browser.BeginAsync("Where are the lighthouses?");
        for (var i = 0; i < 7; i++)
        {
            await chat.Browser.FinishedAsync(id);
            (await chat.Browser.PostAsync($"/conversations/{id}/messages", ("messageId", ChatBrowser.NewId().ToString()), ("text", "And the others?"))).Dispose();
        }

        await chat.Browser.FinishedAsync(id);
        await Eventually.TrueAsync(async () => await chat.ScalarAsync<long>(Handled) == await chat.ScalarAsync<long>("SELECT count(*) FROM generation.jobs"));
        Assert.Equal(5, chat.Provider.Requests.Count(ScriptedChat.IsForTitle));
        Assert.Equal("Where are the lighthouses?", await TitleAsync(chat, id));
    }

    private async Task<ScriptedChat> StartAsync()
    {
        var chat = await ScriptedChat.StartAsync(postgres);
        chat.Provider.Script("scripted", r => ScriptedChat.IsForTitle(r) ? Script.Answer($"\"{Found}.\"") : Script.Answer("An answer."));
        return chat;
    }

    private static Task NamedAsync(ScriptedChat chat, Guid conversation, string title) =>
        Eventually.TrueAsync(async () => await TitleAsync(chat, conversation) == title);

    private static async Task<string> TitleAsync(ScriptedChat chat, Guid conversation) =>
        (await chat.Browser.PageAsync($"/c/{conversation}")).QuerySelector("#title")!.TextContent;
}
