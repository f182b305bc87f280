using System.Net;
using AngleSharp.Html.Dom;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Chain;

/// <summary>A disk without room, through the whole application: one sentence in place, nothing half stored, and room makes good again.</summary>
[Collection(nameof(Alone))]
public sealed class FullDiskTests(PostgresServer postgres) : IAsyncLifetime
{
    private readonly DirectoryInfo _media = Directory.CreateTempSubdirectory("7x42-disk-");
    private string _database = "";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private KeyValuePair<string, string?> Media => new("Media:Directory", _media.FullName);

    public async ValueTask InitializeAsync() => _database = await postgres.CreateDatabaseAsync();

    public ValueTask DisposeAsync()
    {
        _media.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task A_picture_that_is_sent_is_refused_in_a_sentence_and_can_be_sent_again()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Elsewhere no system call limits the files of one process.");
        await using var provider = await ScriptedProvider.StartAsync();
        provider.Script("scripted", Script.Answer("I see."));
        await using var app = await AppHost.StartAsync(
            _database, [Media, new("Generation:Providers:0:Name", "test"), new("Generation:Providers:0:BaseUrl", provider.BaseUrl.ToString())]);
        using var browser = new ChatBrowser(app);
        var conversation = await browser.BeginAsync("Hello", model: "test/scripted");
        await browser.FinishedAsync(conversation);
        var (id, picture) = (ChatBrowser.NewId(), Photo.Noise());
        // Larger than what a form keeps in memory.
        Assert.InRange(picture.Length, 66_000, 140_000);
        (ulong Room, string Sentence)[] full =
        [
            // For what comes in, and for what is made of it.
            (50_000, "The server can't take in pictures right now. Yours are still here; send them again later."),
            (150_000, "The server can't store files right now. Nothing of this file was kept; try again later."),
        ];
        foreach (var (room, sentence) in full)
        {
            using (FileSizeLimit.Set(room))
            {
                using var refused = await SendAsync();
                Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
                Assert.Contains(sentence, WebUtility.HtmlDecode(await refused.Content.ReadAsStringAsync(Cancel)), StringComparison.Ordinal);
                var upload = await Assert.ThrowsAsync<HttpRequestException>(() => browser.UploadAsync(picture, "a.jpg"));
                Assert.Equal(HttpStatusCode.ServiceUnavailable, upload.StatusCode);
            }

            Assert.Equal((0, 0L, 2L), await StoredAsync());
        }

        using (var sent = await SendAsync())
            Assert.Equal(HttpStatusCode.OK, sent.StatusCode);
        var page = await browser.FinishedAsync(conversation);
        Assert.Single(page.QuerySelectorAll("[data-role=user] img"));
        Assert.Contains(provider.Requests, r => r.Pictures[^1].Count == 1);
        var (files, pictures, messages) = await StoredAsync();
        Assert.Equal((1L, 4L), (pictures, messages));
        Assert.InRange(files, 1, 3);

        Task<HttpResponseMessage> SendAsync() => browser.PostAsync(
            $"/conversations/{conversation}/messages", [("a.jpg", picture)], ("messageId", id.ToString()), ("text", "What is this?"));
    }

    [Fact]
    public async Task A_picture_that_is_drawn_fails_with_a_sentence_in_its_place_and_retry_draws_it_there()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Elsewhere no system call limits the files of one process.");
        using var lines = new LogLines();
        var clock = new ForwardClock();
        await using var app = await AppHost.StartAsync(
            _database,
            [Media, new("Generation:DemoStepsPerSecond", "500")],
            services => services.AddSingleton<TimeProvider>(clock).AddSingleton<ILoggerProvider>(lines));
        using var browser = new ChatBrowser(app);
        var conversation = ChatBrowser.NewId();
        IHtmlDocument page;
        using (FileSizeLimit.Set(4_000))
        {
            (await browser.PostAsync("/conversations", ("messageId", conversation.ToString()), ("text", "a boat"), ("draw", "true"), ("steps", "1"))).Dispose();
            browser.ForgetToken();
            await Eventually.TrueAsync(() => lines.All.Any(l => l.Text.Contains("can't be stored now", StringComparison.Ordinal)));
            // As long as a complete picture waits for a store.
            clock.Forward(TimeSpan.FromMinutes(3));
            page = await browser.FinishedAsync(conversation);
        }

        Assert.Contains(
            "The picture could not be kept: The server can't store files right now. Nothing of this file was kept; try again later.",
            page.QuerySelector("[data-role=assistant][data-status=failed] [role=alert]")!.TextContent,
            StringComparison.Ordinal);
        Assert.Equal((0, 0L, 2L), await StoredAsync());

        var retry = page.QuerySelector("[data-role=assistant] [formaction$=retry]")!.GetAttribute("formaction")!;
        (await browser.PostAsync(retry)).EnsureSuccessStatusCode();
        page = await browser.FinishedAsync(conversation);
        var picture = page.QuerySelector("[data-role=assistant][data-status=completed] img")!;
        using var served = await browser.GetAsync(picture.GetAttribute("src")!);
        Assert.Equal(HttpStatusCode.OK, served.StatusCode);
        var (files, pictures, messages) = await StoredAsync();
        Assert.Equal((1L, 2L), (pictures, messages));
        Assert.InRange(files, 1, 3);
    }

    private async Task<(int Files, long Pictures, long Messages)> StoredAsync()
    {
        await using var database = NpgsqlDataSource.Create(_database);
        await using var count = database.CreateCommand("SELECT (SELECT count(*) FROM media.assets), (SELECT count(*) FROM chat.messages)");
        await using var reader = await count.ExecuteReaderAsync(Cancel);
        await reader.ReadAsync(Cancel);
        return (_media.GetFiles("*", SearchOption.AllDirectories).Length, reader.GetInt64(0), reader.GetInt64(1));
    }
}
