using System.Collections.Concurrent;
using System.Net;
using AngleSharp.Html.Dom;
using SevenX42.Testing;

namespace SevenX42.Modules.Chat.Tests;

/// <summary>An answer that does not come to its end keeps what it has, and every answer ends.</summary>
public sealed class UnfinishedAnswersTests(PostgresServer postgres) : IAsyncLifetime
{
    private ScriptedChat _chat = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private ChatBrowser Browser => _chat.Browser;

    public async ValueTask InitializeAsync() =>
        _chat = await ScriptedChat.StartAsync(postgres, ("Generation:Providers:0:MaxTries", "1"));

    public ValueTask DisposeAsync() => _chat.DisposeAsync();

    [Fact]
    public async Task Retry_keeps_the_text_there_is_beside_the_new_answer()
    {
        Answer(Script.Stream.Role().Say("Half an answer").Cut(), Script.Error(500, "Down"));
        var id = await Browser.BeginAsync("Hello", model: "test/other");
        var half = Last(await Browser.FinishedAsync(id), "interrupted");

        await ActAsync(id, half, "retry");

        var second = Last(await Browser.FinishedAsync(id), "failed");
        Assert.NotEqual(half, second);
        await ActAsync(id, second, "retry");
        Assert.Equal(second, Last(await Browser.FinishedAsync(id), "completed"));
        using (var back = await Browser.PostAsync($"/conversations/{id}/branch", ("messageId", half)))
            Assert.Equal(HttpStatusCode.OK, back.StatusCode);
        Assert.Equal(["Hello", "Half an answer"], await _chat.TextsAsync(id));
    }

    [Fact]
    public async Task Retry_that_is_clicked_twice_makes_one_answer()
    {
        var go = new TaskCompletionSource();
        Answer(Script.Stream.Role().Say("Half an answer").Cut(), Script.Stream.Role().Until(go.Task).Say("Whole.").Finish().Done());
        var id = await Browser.BeginAsync("Hello", model: "test/other");
        var half = Last(await Browser.FinishedAsync(id), "interrupted");

        await ActAsync(id, half, "retry");
        await ActAsync(id, half, "retry");
        go.SetResult();

        await Browser.FinishedAsync(id);
        Assert.Equal(3L, await _chat.ScalarAsync<long>("SELECT count(*) FROM chat.messages"));
    }

    [Fact]
    public async Task Stop_ends_an_answer_whose_request_does_not_get_through()
    {
        var (id, answer) = await BeginWithoutWorkersAsync();

        await ActAsync(id, answer, "stop");

        Assert.Equal(answer, Last(await Browser.PageAsync($"/c/{id}"), "stopped"));
        // And it gets through after all: the answer is as it was stopped.
        await _chat.ExecuteAsync("DROP TRIGGER refuse ON generation.jobs");
        await _chat.ExecuteAsync("UPDATE chat.outbox SET next_attempt_at = now()");
        await Eventually.TrueAsync(async () => await _chat.ScalarAsync<long>("SELECT count(*) FROM generation.jobs WHERE status = 'stopped'") == 1);
        await Eventually.TrueAsync(async () => await _chat.ScalarAsync<long>("SELECT count(*) FROM generation.outbox") == 0);
        Assert.Equal(answer, Last(await Browser.PageAsync($"/c/{id}"), "stopped"));
        Assert.Empty(_chat.Provider.Requests);
    }

    [Fact]
    public async Task An_answer_that_nobody_will_ever_write_fails_after_a_day_and_can_be_tried_again()
    {
        var (id, answer) = await BeginWithoutWorkersAsync();

        Assert.Equal(0, await _chat.EndAbandonedAsync(TimeSpan.FromHours(23)));
        Assert.Equal(1, await _chat.EndAbandonedAsync(TimeSpan.FromHours(25)));
        Assert.Equal(0, await _chat.EndAbandonedAsync(TimeSpan.FromHours(25)));

        Assert.Equal(answer, Last(await Browser.PageAsync($"/c/{id}"), "failed"));
        await _chat.ExecuteAsync("DROP TRIGGER refuse ON generation.jobs");
        await ActAsync(id, answer, "retry");
        Assert.Equal(["Hello", "An answer."], await _chat.TextsAsync(id));
    }

    [Fact]
    public async Task An_answer_that_is_being_written_is_never_given_up()
    {
        var go = new TaskCompletionSource();
        Answer(Script.Stream.Role().Say("Slowly ").Until(go.Task).Say("does it.").Finish().Done());
        var id = await Browser.BeginAsync("Hello", model: "test/other");
        await _chat.Provider.UntilAskedAsync(1, Cancel);

        Assert.Equal(0, await _chat.EndAbandonedAsync(TimeSpan.FromDays(30)));

        go.SetResult();
        Assert.Equal(["Hello", "Slowly does it."], await _chat.TextsAsync(id));
    }

    // The next answers of the other model; its titles take none of them.
    private void Answer(params Script[] scripts)
    {
        var next = new ConcurrentQueue<Script>(scripts);
        _chat.Provider.Script("other", request =>
            ScriptedChat.IsForTitle(request) ? Script.Answer("A title") : next.TryDequeue(out var script) ? script : Script.Answer("Another answer."));
    }

    // Whatever Generation is told, it can't store it.
    private async Task<(Guid Conversation, string Answer)> BeginWithoutWorkersAsync()
    {
        await _chat.ExecuteAsync(
            "CREATE FUNCTION generation.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;" +
            "CREATE TRIGGER refuse BEFORE INSERT ON generation.jobs FOR EACH ROW EXECUTE FUNCTION generation.refuse()");
        var id = await Browser.BeginAsync("Hello");
        await Eventually.TrueAsync(async () => await _chat.ScalarAsync<long>("SELECT count(*) FROM chat.outbox WHERE last_error IS NOT NULL") == 1);
        return (id, Last(await Browser.PageAsync($"/c/{id}"), "queued"));
    }

    private async Task ActAsync(Guid conversation, string answer, string action)
    {
        using var response = await Browser.PostAsync($"/conversations/{conversation}/answers/{answer}/{action}");
        Assert.True(response.IsSuccessStatusCode, $"{action}: {response.StatusCode}");
    }

    // The id of the last answer, which is in that state.
    private static string Last(IHtmlDocument page, string status)
    {
        var last = page.QuerySelectorAll("article")[^1];
        Assert.Equal(status, last.GetAttribute("data-status"));
        return last.GetAttribute("data-message")!;
    }
}
