using System.Text;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Contracts.Chat;
using SevenX42.Modules.Chat.Infrastructure;
using SevenX42.Modules.Chat.Integration;
using SevenX42.Realtime;
using SevenX42.Testing;

namespace SevenX42.Modules.Chat.Tests;

/// <summary>What open pages are told of a conversation is what is stored, in whatever order the news of it is delivered.</summary>
public sealed class AnnouncementTests(PostgresServer postgres) : IAsyncLifetime
{
    private AppHost _app = null!;
    private ChatBrowser _browser = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _app = await AppHost.StartAsync(await postgres.CreateDatabaseAsync());
        _browser = new ChatBrowser(_app);
    }

    public async ValueTask DisposeAsync()
    {
        _browser.Dispose();
        await _app.DisposeAsync();
    }

    [Fact]
    public async Task News_of_an_older_title_that_comes_last_tells_the_newest()
    {
        var conversation = await _browser.BeginAsync("Hello");
        await _browser.FinishedAsync(conversation);
        foreach (var title in (string[])["Older", "Newest"])
            (await _browser.PostAsync($"/conversations/{conversation:D}/title", ("title", title))).EnsureSuccessStatusCode();
        await Eventually.TrueAsync(async () => (await EventsAsync(conversation, "title")).Contains("""{"t":"Newest"}"""));

        await DeliverAsync(conversation, "title", """{"t":"Older"}""", "renamed");

        Assert.Equal("""{"t":"Newest"}""", (await EventsAsync(conversation, "title"))[^1]);
    }

    [Fact]
    public async Task News_of_a_deletion_that_was_taken_back_sends_nobody_away()
    {
        var conversation = await _browser.BeginAsync("Hello");
        await _browser.FinishedAsync(conversation);
        (await _browser.PostAsync($"/conversations/{conversation:D}/delete")).EnsureSuccessStatusCode();
        await Eventually.TrueAsync(async () => (await EventsAsync(conversation, "deleted")).Count == 1);
        (await _browser.PostAsync($"/conversations/{conversation:D}/restore")).EnsureSuccessStatusCode();

        await DeliverAsync(conversation, "deleted", "{}", "deleted");

        Assert.Single(await EventsAsync(conversation, "deleted"));
    }

    private async Task DeliverAsync(Guid conversation, string kind, string data, string operation)
    {
        await using var scope = _app.Services.CreateAsyncScope();
        var owner = (await scope.ServiceProvider.GetRequiredService<ChatDbContext>().Conversations.FindAsync([conversation], Cancel))!.OwnerId;
        await scope.ServiceProvider.GetRequiredService<AnnounceConversationChange>().HandleAsync(
            new ConversationChanged(ChatBrowser.NewId(), conversation, owner, kind, data, operation), Cancel);
    }

    private async Task<List<string>> EventsAsync(Guid conversation, string type)
    {
        var events = new List<ChannelEvent>();
        await _app.Services.GetRequiredService<IChannelLog>().ReadRetainedAsync(Channels.OfConversation(conversation), events, Cancel);
        return [.. events.Where(e => e.Type == type).Select(e => Encoding.UTF8.GetString(e.Data.Span))];
    }
}
