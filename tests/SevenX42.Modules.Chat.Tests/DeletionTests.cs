using System.Net;
using SevenX42.Testing;

namespace SevenX42.Modules.Chat.Tests;

/// <summary>Deleted is deleted, whatever is under way at the same moment.</summary>
public sealed class DeletionTests(PostgresServer postgres) : IAsyncLifetime
{
    private ScriptedChat _chat = null!;

    private ChatBrowser Browser => _chat.Browser;

    public async ValueTask InitializeAsync()
    {
        _chat = await ScriptedChat.StartAsync(postgres);
        _chat.Provider.Script("other", Script.Stream.Role().Say("It never ends").Hang());
    }

    public ValueTask DisposeAsync() => _chat.DisposeAsync();

    [Fact]
    public async Task Deleting_a_conversation_stops_its_answer()
    {
        var id = await Browser.BeginAsync("Go on", model: "test/other");
        var asked = await _chat.Provider.UntilAskedAsync(1, TestContext.Current.CancellationToken);

        (await Browser.PostAsync($"/conversations/{id}/delete")).Dispose();

        await asked.ClientHungUp.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        await StoppedAsync();
    }

    [Fact]
    public async Task A_message_that_is_sent_while_its_conversation_is_deleted_is_not_answered()
    {
        var id = await Browser.BeginAsync("Hello");
        await Browser.FinishedAsync(id);
        // The token first: what follows must wait for nothing but the conversation.
        await Browser.RealtimeTokenAsync();
        Task<HttpResponseMessage> send, delete;
        await using (await _chat.HoldAsync("SELECT FROM chat.conversations WHERE id = $1 FOR UPDATE", id))
        {
            send = Browser.PostAsync($"/conversations/{id}/messages", ("messageId", ChatBrowser.NewId().ToString()), ("text", "More"), ("model", "test/other"));
            await _chat.WaitingAsync(1);
            delete = Browser.PostAsync($"/conversations/{id}/delete");
            await _chat.WaitingAsync(2);
        }

        (await send).Dispose();
        using (var deleted = await delete)
            Assert.Equal(HttpStatusCode.OK, deleted.StatusCode);

        Assert.Equal(4L, await _chat.ScalarAsync<long>("SELECT count(*) FROM chat.messages"));
        await StoppedAsync();
    }

    [Fact]
    public async Task A_conversation_that_is_restored_at_once_keeps_what_was_sent()
    {
        var id = await Browser.BeginAsync("Hello");
        await Browser.FinishedAsync(id);
        foreach (var command in (string[])["delete", "delete", "restore", "restore"])
        {
            using var done = await Browser.PostAsync($"/conversations/{id}/{command}");
            Assert.Equal(HttpStatusCode.OK, done.StatusCode);
        }

        Assert.Equal(["Hello", "An answer."], await _chat.TextsAsync(id));
    }

    [Fact]
    public async Task A_conversation_that_is_being_begun_when_its_owner_is_deleted_is_deleted_too()
    {
        var owner = await OwnerAsync();
        Task<HttpResponseMessage> begin;
        await using (await _chat.HoldAsync("SELECT FROM chat.owners WHERE id = $1 FOR UPDATE", owner))
        {
            begin = Browser.PostAsync("/conversations", ("messageId", ChatBrowser.NewId().ToString()), ("text", "Am I too late?"));
            await _chat.WaitingAsync(1);
            await DeleteAccountAsync();
            // What deletes waits behind what begins.
            await _chat.WaitingAsync(2);
        }

        (await begin).Dispose();
        await NothingIsLeftAsync();
    }

    [Fact]
    public async Task A_conversation_is_not_begun_for_somebody_who_was_deleted_meanwhile()
    {
        await OwnerAsync();
        var id = ChatBrowser.NewId();
        Task<HttpResponseMessage> begin;
        // Whoever sends the same message at the same time waits here; it is past all that knows the session.
        await using (await _chat.HoldAsync("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", id.ToString()))
        {
            begin = Browser.PostAsync("/conversations", ("messageId", id.ToString()), ("text", "Am I too late?"));
            await _chat.WaitingAsync(1);
            await DeleteAccountAsync();
            await Eventually.TrueAsync(() => _chat.ScalarAsync<bool>("SELECT EXISTS (SELECT FROM chat.owners WHERE is_deleted)"));
            await NothingIsLeftAsync();
        }

        using var refused = await begin;
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        await NothingIsLeftAsync();
    }

    private async Task<Guid> OwnerAsync()
    {
        var id = await Browser.BeginAsync("Hello");
        await Browser.FinishedAsync(id);
        await Browser.RealtimeTokenAsync();
        return await _chat.ScalarAsync<Guid>("SELECT owner_id FROM chat.conversations");
    }

    private async Task DeleteAccountAsync()
    {
        using var deleted = await Browser.PostAsync("/account/delete", ("confirmation", "delete"));
        Assert.Equal(HttpStatusCode.OK, deleted.StatusCode);
    }

    private Task NothingIsLeftAsync() => Eventually.TrueAsync(async () =>
        await _chat.ScalarAsync<long>("SELECT (SELECT count(*) FROM chat.conversations) + (SELECT count(*) FROM chat.messages)") == 0);

    private Task StoppedAsync() => Eventually.TrueAsync(async () =>
        await _chat.ScalarAsync<long>("SELECT count(*) FROM chat.messages WHERE status = 'Pending'") == 0
        && await _chat.ScalarAsync<long>("SELECT count(*) FROM generation.jobs WHERE status IN ('queued', 'running')") == 0);
}
