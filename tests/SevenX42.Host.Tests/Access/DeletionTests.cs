using System.Net;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Access;

/// <summary>What is left of somebody who is gone: nothing, in no module.</summary>
public sealed class DeletionTests(PostgresServer postgres) : IAsyncLifetime
{
    // A word that search indexes keep as it is.
    private const string Canary = "zanzibarcanary";

    private readonly DirectoryInfo _media = Directory.CreateTempSubdirectory("7x42-test-media-");
    private ScriptedProvider _provider = null!;
    private string _database = "";
    private AppHost _app = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _provider = await ScriptedProvider.StartAsync();
        _provider.Script("scripted", Script.Answer($"The answer is {Canary}."));
        _provider.Script("plain", Script.Answer("This answer stays."));
        _provider.Script("endless", Script.Answer($"It never ends: {Canary}").Hang());
        _database = await postgres.CreateDatabaseAsync();
        _app = await AppHost.StartAsync(
            _database,
            [
                new("Media:Directory", _media.FullName),
                new("Generation:Providers:0:Name", "test"),
                new("Generation:Providers:0:BaseUrl", _provider.BaseUrl.ToString()),
                new("Generation:Providers:0:Models:0", "scripted"),
                new("Generation:Providers:0:Models:1", "endless"),
                new("Generation:Providers:0:Models:2", "plain"),
            ]);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        await _provider.DisposeAsync();
        _media.Delete(recursive: true);
    }

    [Fact]
    public async Task A_deleted_account_leaves_nothing_in_any_module()
    {
        using var administrator = new ChatBrowser(_app);
        await administrator.SignUpAsync("admin@example.org");
        var kept = await administrator.BeginAsync("This stays.", model: "test/plain");
        using var browser = new ChatBrowser(_app);
        await browser.SignUpAsync($"{Canary}@example.org", displayName: Canary);
        var (user, conversation) = await FillAsync(browser);
        Assert.Superset(
            new HashSet<string> { "identity.users", "identity.sessions", "chat.conversations", "generation.jobs", "media.assets" },
            new HashSet<string>(await Stored.FindAsync(_database, user)));
        Assert.Superset(
            new HashSet<string> { "identity.users", "chat.conversations", "chat.messages", "generation.jobs", "media.assets" },
            new HashSet<string>(await Stored.FindAsync(_database, Canary)));
        Assert.NotEmpty(Files());

        using var response = await browser.PostAsync("/account/delete", ("password", ChatBrowser.Password));

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        await AssertGoneAsync(user, conversation);
        Assert.Equal(HttpStatusCode.OK, (await administrator.GetAsync($"/c/{kept:D}")).StatusCode);
    }

    [Fact]
    public async Task A_guest_who_deletes_everything_leaves_nothing_in_any_module()
    {
        using var browser = new ChatBrowser(_app);
        await browser.BeginAsync(Canary, model: "test/scripted");
        var (user, conversation) = await FillAsync(browser);

        using var response = await browser.PostAsync("/account/delete", ("confirmation", "delete"));

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        await AssertGoneAsync(user, conversation);
    }

    [Fact]
    public async Task A_guest_who_signs_up_keeps_conversations_and_files()
    {
        using var browser = new ChatBrowser(_app);
        var conversation = await browser.BeginAsync("Kept", model: "test/scripted");
        await browser.FinishedAsync(conversation);
        byte[] content = [.. "A file as it came."u8];
        var asset = await browser.UploadAsync(content, "kept.txt");

        await browser.SignUpAsync("ada@example.org");

        Assert.Contains(Canary, await browser.TextAsync($"/c/{conversation:D}"), StringComparison.Ordinal);
        Assert.Contains(conversation.ToString("D"), await browser.TextAsync("/conversations"), StringComparison.Ordinal);
        using var file = await browser.GetAsync($"/media/assets/{asset:D}");
        Assert.Equal(content, await file.Content.ReadAsByteArrayAsync(Cancel));
        using var elsewhere = new ChatBrowser(_app);
        await elsewhere.SignInAsync("ada@example.org");
        Assert.Contains(Canary, await elsewhere.TextAsync($"/c/{conversation:D}"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_guest_who_signs_in_elsewhere_leaves_nothing_behind_that_anybody_could_open()
    {
        using var owner = new ChatBrowser(_app);
        await owner.SignUpAsync("ada@example.org");
        using var browser = new ChatBrowser(_app);
        var conversation = await browser.BeginAsync("As a guest", model: "test/scripted");

        await browser.SignInAsync("ada@example.org");

        Assert.Equal(HttpStatusCode.NotFound, (await browser.GetAsync($"/c/{conversation:D}")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await owner.GetAsync($"/c/{conversation:D}")).StatusCode);
    }

    /// <summary>Writes something in every module, and leaves an answer running.</summary>
    private async Task<(string User, string Conversation)> FillAsync(ChatBrowser browser)
    {
        var conversation = await browser.BeginAsync($"Tell me of {Canary}", model: "test/scripted");
        (await browser.PostAsync($"/conversations/{conversation:D}/title", ("title", Canary))).EnsureSuccessStatusCode();
        (await browser.PostAsync($"/conversations/{conversation:D}/settings", ("instructions", $"Speak of {Canary}"))).EnsureSuccessStatusCode();
        await browser.FinishedAsync(conversation);
        var trashed = await browser.BeginAsync($"Forget {Canary}", model: "test/scripted");
        await browser.FinishedAsync(trashed);
        (await browser.PostAsync($"/conversations/{trashed:D}/delete")).EnsureSuccessStatusCode();
        await browser.UploadAsync(Png, $"{Canary}.png");
        var running = await browser.BeginAsync($"Go on about {Canary}", model: "test/endless");
        await Eventually.TrueAsync(() => _provider.Requests.Any(r => r.Model == "endless"));
        await using var source = Npgsql.NpgsqlDataSource.Create(_database);
        await using var command = source.CreateCommand("SELECT owner_id::text FROM chat.conversations WHERE id = $1");
        command.Parameters.AddWithValue(running);
        return ((string)(await command.ExecuteScalarAsync(Cancel))!, conversation.ToString("D"));
    }

    private async Task AssertGoneAsync(string user, string conversation)
    {
        await AssertNowhereAsync(Canary);
        await Eventually.TrueAsync(() => Files().Count == 0);
        // The model is not asked any longer, and what it still said is written nowhere.
        await Task.WhenAll(_provider.Requests.Where(r => r.Model == "endless").Select(r => r.ClientHungUp)).WaitAsync(TimeSpan.FromSeconds(10), Cancel);
        // That they are gone is remembered, so that what is still under way is refused.
        await AssertNowhereAsync(user, "generation.deleted_users", "media.owners", "chat.owners");
        await AssertNowhereAsync(conversation);
        await AssertNowhereAsync(Canary);
    }

    private async Task AssertNowhereAsync(string text, params string[] but)
    {
        IReadOnlyList<string> found = [];
        try
        {
            await Eventually.TrueAsync(async () => (found = await Stored.FindAsync(_database, text)).All(but.Contains));
        }
        catch (TimeoutException)
        {
            Assert.Fail($"{text} is still in {string.Join(", ", found)}");
        }
    }

    private List<string> Files() => [.. Directory.EnumerateFiles(_media.FullName, "*", SearchOption.AllDirectories)];

    private static byte[] Png => Convert.FromBase64String(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==");
}
