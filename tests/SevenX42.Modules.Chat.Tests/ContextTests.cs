using System.Net;
using SevenX42.Testing;

namespace SevenX42.Modules.Chat.Tests;

/// <summary>What a model gets to read: the conversation's instructions, and of its messages what fits.</summary>
public sealed class ContextTests(PostgresServer postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_model_and_the_instructions_of_a_conversation_reach_the_provider()
    {
        await using var chat = await ScriptedChat.StartAsync(postgres);
        var id = await chat.Browser.BeginAsync("One");
        await chat.Browser.FinishedAsync(id);
        using (var saved = await chat.Browser.PostAsync($"/conversations/{id}/settings", ("title", "Mine"), ("model", "test/other"), ("instructions", "Speak\r\nbriefly.")))
            Assert.Equal(HttpStatusCode.NoContent, saved.StatusCode);

        await SendAsync(chat, id, "Two");

        Assert.Equal(["One", "An answer.", "Two", "Another answer."], await chat.TextsAsync(id));
        var asked = chat.Provider.Requests.Single(r => r.Model == "other");
        Assert.Equal([("system", "Speak\nbriefly."), ("user", "One"), ("assistant", "An answer."), ("user", "Two")], asked.Messages);
    }

    [Fact]
    public async Task The_model_that_is_chosen_for_a_message_is_asked_and_stays_chosen()
    {
        await using var chat = await ScriptedChat.StartAsync(postgres);
        var id = await chat.Browser.BeginAsync("One", model: "test/other");
        await chat.Browser.FinishedAsync(id);

        await SendAsync(chat, id, "Two");

        var page = await chat.Browser.FinishedAsync(id);
        Assert.Equal("test/other", page.QuerySelector("#composer option[selected]")!.GetAttribute("value"));
        Assert.Equal(2, chat.Provider.Requests.Count(r => r.Model == "other" && !ScriptedChat.IsForTitle(r)));
        Assert.DoesNotContain(chat.Provider.Requests, r => r.Model == "scripted" && !ScriptedChat.IsForTitle(r));
    }

    [Fact]
    public async Task A_model_that_is_gone_is_named_and_no_other_is_asked_in_its_place()
    {
        await using var chat = await ScriptedChat.StartAsync(postgres);
        var id = await chat.Browser.BeginAsync("One");
        await chat.Browser.FinishedAsync(id);
        await chat.ExecuteAsync("UPDATE chat.conversations SET model = 'test/gone'");

        var page = await chat.Browser.PageAsync($"/c/{id}");
        Assert.Equal(["gone (not available)"], page.QuerySelectorAll("#composer option[selected]").Select(o => o.TextContent));
        Assert.Equal("gone (not available)", page.QuerySelector("#model-name")!.TextContent);
        using (var refused = await chat.Browser.PostAsync($"/conversations/{id}/messages", ("messageId", ChatBrowser.NewId().ToString()), ("text", "Two"), ("model", "")))
        {
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
            Assert.Contains("The model test/gone is not available now. Choose another one.", await refused.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
        }

        // What has nothing to do with it can be changed all the same.
        Assert.Equal("", page.QuerySelector("#composer option[selected]")!.GetAttribute("value"));
        using (var saved = await chat.Browser.PostAsync($"/conversations/{id}/settings", ("title", "Mine"), ("model", ""), ("instructions", "")))
            Assert.Equal(HttpStatusCode.NoContent, saved.StatusCode);
        using (var sent = await chat.Browser.PostAsync($"/conversations/{id}/messages", ("messageId", ChatBrowser.NewId().ToString()), ("text", "Two"), ("model", "test/other")))
            Assert.Equal(HttpStatusCode.OK, sent.StatusCode);
        Assert.Equal(["One", "An answer.", "Two", "Another answer."], await chat.TextsAsync(id));
    }

    [Fact]
    public async Task What_no_longer_fits_is_left_out_and_the_page_says_so()
    {
        await using var chat = await ScriptedChat.StartAsync(postgres, ("Generation:Providers:0:ContextTokens", "2048"));
        var id = await chat.Browser.BeginAsync($"Oldest {Words(600)}");
        await chat.Browser.FinishedAsync(id);
        await SendAsync(chat, id, $"Middle {Words(600)}");
        Assert.DoesNotContain("no longer fit", (await chat.Browser.FinishedAsync(id)).Body!.TextContent, StringComparison.Ordinal);

        await SendAsync(chat, id, $"Newest {Words(600)}");

        var page = await chat.Browser.FinishedAsync(id);
        var notice = page.QuerySelectorAll("article")[^1].QuerySelector("p")!.TextContent;
        Assert.Equal("The 2 oldest messages no longer fit into the model's context; they were left out.", notice);
        var asked = chat.Provider.Requests.Last(r => !ScriptedChat.IsForTitle(r));
        Assert.Equal(["Middle", "An", "Newest"], asked.Messages.Select(m => m.Content.Split(' ')[0]));
    }

    [Fact]
    public async Task Text_that_no_version_has_counted_is_estimated()
    {
        await using var chat = await ScriptedChat.StartAsync(postgres, ("Generation:Providers:0:ContextTokens", "2048"));
        var id = await chat.Browser.BeginAsync($"Oldest {Words(4_000)}");
        await chat.Browser.FinishedAsync(id);
        await chat.ScalarAsync<int>("UPDATE chat.messages SET tokens = NULL RETURNING 1");

        await SendAsync(chat, id, "Newest");

        await chat.Browser.FinishedAsync(id);
        Assert.Equal(["Newest"], chat.Provider.Requests.Last(r => !ScriptedChat.IsForTitle(r)).Messages.Select(m => m.Content));
    }

    [Fact]
    public async Task A_text_that_is_continued_takes_its_room_in_the_context()
    {
        await using var chat = await ScriptedChat.StartAsync(postgres, ("Generation:Providers:0:ContextTokens", "2048"));
        var id = await chat.Browser.BeginAsync($"Oldest {Words(600)}");
        await chat.Browser.FinishedAsync(id);
        // The title first: what is enqueued is for the next question.
        await Eventually.TrueAsync(async () => await chat.ScalarAsync<string>("SELECT title_source FROM chat.conversations") == "Automatic");
        chat.Provider.Enqueue("scripted", Script.Stream.Role().Say(Words(800)).Cut());
        await SendAsync(chat, id, $"Newest {Words(300)}");
        var page = await chat.Browser.FinishedAsync(id);
        Assert.Equal("interrupted", page.QuerySelectorAll("article")[^1].GetAttribute("data-status"));

        var answer = page.QuerySelectorAll("article")[^1].GetAttribute("data-message");
        (await chat.Browser.PostAsync($"/conversations/{id}/answers/{answer}/continue")).Dispose();

        await chat.Browser.FinishedAsync(id);
        Assert.Equal(["Newest", "word", "Continue"], chat.Provider.Requests.Last(r => !ScriptedChat.IsForTitle(r)).Messages.Select(m => m.Content.Split(' ')[0]));
    }

    // A token each.
    private static string Words(int count) => string.Join(' ', Enumerable.Repeat("word", count));

    private static async Task SendAsync(ScriptedChat chat, Guid conversation, string text)
    {
        using var response = await chat.Browser.PostAsync($"/conversations/{conversation}/messages", ("messageId", ChatBrowser.NewId().ToString()), ("text", text));
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync(Cancel));
    }
}
