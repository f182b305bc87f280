using System.Net;
using AngleSharp.Html.Dom;
using SevenX42.Testing;

namespace SevenX42.Modules.Chat.Tests;

/// <summary>Pictures sent with a message: stored once, shown, given to models that see, refused in a sentence.</summary>
public sealed class SeeingTests(PostgresServer postgres) : IAsyncLifetime
{
    private const string TooMany = "Attach at most 4 pictures (PNG, JPEG, WebP, GIF or AVIF) of at most 64 KB each.";

    private ScriptedChat _chat = null!;
    private ScriptedProvider _blind = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    // Of the first server nobody knows what its models see; those of the second see nothing.
    public async ValueTask InitializeAsync()
    {
        _blind = await ScriptedProvider.StartAsync();
        _blind.Script("mole", Script.Answer("I hear."));
        _chat = await ScriptedChat.StartAsync(
            postgres,
            ("Generation:Demo", "true"),
            ("Media:MaxAssetBytes", "65536"),
            ("Generation:Providers:1:Name", "blind"),
            ("Generation:Providers:1:BaseUrl", _blind.BaseUrl.ToString()),
            ("Generation:Providers:1:Models:0", "mole"),
            ("Generation:Providers:1:Vision", "false"));
    }

    public async ValueTask DisposeAsync()
    {
        await _chat.DisposeAsync();
        await _blind.DisposeAsync();
    }

    [Fact]
    public async Task A_message_with_pictures_is_stored_once_shown_to_its_owner_and_given_to_the_model()
    {
        var id = ChatBrowser.NewId();
        var pictures = new[] { ("boat.png", Photo.Png(700, 500, 20)), ("ship.png", Photo.Png(40, 30, 30)) };
        foreach (var _ in (int[])[1, 2])
        {
            using var sent = await BeginAsync(id, "What are these?", pictures);
            Assert.Equal($"/c/{id:D}", ChatBrowser.LedTo(sent));
            _chat.Browser.ForgetToken();
        }

        var page = await _chat.Browser.FinishedAsync(id);
        var shown = page.QuerySelectorAll("[data-role=user] li img");
        Assert.Equal([("700", "Attached picture 1 of 2"), ("40", "Attached picture 2 of 2")], shown.Select(i => (i.GetAttribute("width"), i.GetAttribute("alt"))));
        Assert.Contains("w=320", shown[0].GetAttribute("srcset")!, StringComparison.Ordinal);
        Assert.Equal("What are these?", page.QuerySelector("[data-role=user] [data-source]")!.TextContent);
        Assert.Equal(2L, await _chat.ScalarAsync<long>("SELECT count(*) FROM media.assets"));
        Assert.Equal(2L, await _chat.ScalarAsync<long>("SELECT count(*) FROM chat.messages"));
        var whole = shown[0].ParentElement!.GetAttribute("href")!;
        using var served = await _chat.Browser.GetAsync(whole);
        Assert.Equal(HttpStatusCode.OK, served.StatusCode);
        using var stranger = new ChatBrowser(_chat.App);
        await stranger.BeginAsync("Hello");
        using var hidden = await stranger.GetAsync(whole);
        Assert.Equal(HttpStatusCode.NotFound, hidden.StatusCode);

        Assert.Equal([2], Asked()[0].Pictures.Select(p => p.Count));
        Assert.Equal([("user", "What are these?")], Asked()[0].Messages);
    }

    [Fact]
    public async Task Pictures_of_a_message_that_could_not_be_stored_are_in_the_gallery_and_lead_to_it_once_it_is_sent_again()
    {
        var conversation = await _chat.Browser.BeginAsync("Hello");
        await _chat.Browser.FinishedAsync(conversation);
        await _chat.ExecuteAsync("""
            CREATE FUNCTION chat.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION USING MESSAGE = ''no''; END';
            CREATE TRIGGER refuse BEFORE INSERT ON chat.messages FOR EACH ROW WHEN (cardinality(NEW.attachments) > 0) EXECUTE FUNCTION chat.refuse()
            """);
        var (id, picture) = (ChatBrowser.NewId(), ("a.png", Photo.Png()));
        using (var failed = await SendAsync(conversation, id, "Look", [picture]))
            Assert.Equal(HttpStatusCode.InternalServerError, failed.StatusCode);
        var asset = await _chat.ScalarAsync<Guid>("SELECT id FROM media.assets WHERE deleted_at IS NULL");
        Assert.Contains(asset.ToString(), await _chat.Browser.TextAsync("/images"), StringComparison.Ordinal);
        Assert.False(await LeadsToItAsync());

        await _chat.ExecuteAsync("DROP TRIGGER refuse ON chat.messages");
        using (var sent = await SendAsync(conversation, id, "Look", [picture]))
            Assert.Equal(HttpStatusCode.OK, sent.StatusCode);
        await Eventually.TrueAsync(LeadsToItAsync);
        Assert.Equal(1L, await _chat.ScalarAsync<long>("SELECT count(*) FROM media.assets"));

        async Task<bool> LeadsToItAsync() =>
            (await _chat.Browser.PageAsync($"/images/{asset:D}")).QuerySelectorAll($"a[href='/c/{conversation:D}']")
                .Any(a => a.TextContent == "Where it was made");
    }

    [Fact]
    public async Task The_same_id_and_text_with_another_picture_is_another_message()
    {
        var conversation = await _chat.Browser.BeginAsync("Hello");
        await _chat.Browser.FinishedAsync(conversation);
        var id = ChatBrowser.NewId();
        foreach (var shade in (int[])[20, 30, 30, 20])
        {
            using var sent = await SendAsync(conversation, id, "Look", [("a.png", Photo.Png(shade: shade))]);
            Assert.Equal(HttpStatusCode.OK, sent.StatusCode);
            await _chat.Browser.FinishedAsync(conversation);
        }

        Assert.Equal(["Hello", "An answer.", "Look", "An answer.", "Look", "An answer."], await _chat.TextsAsync(conversation));
        Assert.Equal(2L, await _chat.ScalarAsync<long>("SELECT count(*) FROM media.assets WHERE deleted_at IS NULL"));
    }

    [Fact]
    public async Task Pictures_need_no_words_go_on_with_the_conversation_and_stay_with_what_is_said_anew()
    {
        var id = ChatBrowser.NewId();
        (await BeginAsync(id, " ", [("a.png", Photo.Png())])).Dispose();
        _chat.Browser.ForgetToken();
        var page = await _chat.Browser.FinishedAsync(id);
        Assert.Equal("Attached picture", page.QuerySelector("[data-role=user] li img")!.GetAttribute("alt"));
        Assert.Null(page.QuerySelector("[data-role=user] [data-copy]"));
        Assert.DoesNotContain(_chat.Provider.Requests, ScriptedChat.IsForTitle);

        (await SendAsync(id, ChatBrowser.NewId(), "And now?", [])).Dispose();
        page = await _chat.Browser.FinishedAsync(id);
        Assert.Equal([("user", ""), ("assistant", "An answer."), ("user", "And now?")], Asked()[^1].Messages);
        Assert.Equal([1, 0, 0], Asked()[^1].Pictures.Select(p => p.Count));

        var answer = page.QuerySelectorAll("[data-role=assistant]")[0].GetAttribute("data-message")!;
        (await _chat.Browser.PostAsync($"/conversations/{id}/answers/{answer}/regenerate")).EnsureSuccessStatusCode();
        await _chat.Browser.FinishedAsync(id);
        Assert.Equal([1], Asked()[^1].Pictures.Select(p => p.Count));

        using var form = await _chat.Browser.GetAsync($"/conversations/{id}/messages/{id}/edit");
        Assert.Contains("Attached picture", await form.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
        (await _chat.Browser.PostAsync($"/conversations/{id}/messages/{id}/edit", ("newMessageId", ChatBrowser.NewId().ToString()), ("text", "What is it?")))
            .EnsureSuccessStatusCode();
        page = await _chat.Browser.FinishedAsync(id);
        Assert.NotNull(page.QuerySelector("[data-role=user] li img"));
        Assert.Equal([("user", "What is it?")], Asked()[^1].Messages);
        Assert.Single(Asked()[^1].Pictures[0]);
        Assert.Equal(1L, await _chat.ScalarAsync<long>("SELECT count(*) FROM media.assets"));

        // A picture that its owner deletes is missing wherever it was, and the model is told.
        var picture = page.QuerySelector("[data-role=user] li a")!.GetAttribute("href")!;
        using var deleted = await _chat.Browser.SendAsync(HttpMethod.Delete, picture[..picture.IndexOf('?', StringComparison.Ordinal)]);
        (await SendAsync(id, ChatBrowser.NewId(), "And now?", [])).Dispose();
        page = await _chat.Browser.FinishedAsync(id);
        Assert.Contains("A picture was deleted.", page.QuerySelector("[data-role=user]")!.TextContent, StringComparison.Ordinal);
        Assert.Contains("(A picture that was deleted.)", Asked()[^1].Messages[0].Content, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_can_not_be_sent_is_refused_in_a_sentence_and_nobody_has_it()
    {
        var conversation = await _chat.Browser.BeginAsync("Hello");
        await _chat.Browser.FinishedAsync(conversation);
        var picture = ("a.png", Photo.Png());
        (string What, (string, byte[])[] Pictures, (string, string)[] Fields, string Sentence)[] bad =
        [
            ("five", [picture, picture, picture, picture, picture], [], TooMany),
            ("a large one", [("large.png", new byte[70_000])], [], TooMany),
            ("no picture", [("notes.txt", "Hello"u8.ToArray())], [], "This is no picture: PNG, JPEG, WebP, GIF and AVIF are."),
            ("one of two broken", [picture, ("broken.png", Photo.Png()[..40])], [], "broken.png: This picture can't be read"),
            ("an empty one", [("empty.png", [])], [], "This file is empty."),
            ("a model that sees nothing", [picture], [("model", "blind/mole")], "mole can't see pictures. Choose another model, or send without them."),
            ("something to draw", [picture], [("draw", "true"), ("imageModel", "demo-images/demo")], "A picture is drawn from words alone."),
            ("no words and no picture", [], [("text", " ")], "Write a message first."),
        ];
        foreach (var (what, pictures, fields, sentence) in bad)
        {
            var form = new Dictionary<string, string> { ["messageId"] = ChatBrowser.NewId().ToString(), ["text"] = "Look" };
            foreach (var (name, value) in fields)
                form[name] = value;
            using var response = await _chat.Browser.PostAsync(
                $"/conversations/{conversation}/messages", pictures, [.. form.Select(f => (f.Key, f.Value))]);
            var text = WebUtility.HtmlDecode(await response.Content.ReadAsStringAsync(Cancel));
            Assert.True(response.StatusCode == HttpStatusCode.BadRequest && text.Contains(sentence, StringComparison.Ordinal), $"{what}: {response.StatusCode} {text}");
        }

        Assert.Equal(2L, await _chat.ScalarAsync<long>("SELECT count(*) FROM chat.messages"));
        Assert.Equal(0L, await _chat.ScalarAsync<long>("SELECT count(*) FROM media.assets WHERE deleted_at IS NULL"));
        Assert.Equal(0L, await _chat.ScalarAsync<long>("SELECT coalesce(sum(bytes), 0)::bigint FROM media.owners"));
    }

    [Fact]
    public async Task A_model_that_sees_nothing_is_told_of_earlier_pictures_and_asked_about_none()
    {
        var id = ChatBrowser.NewId();
        (await BeginAsync(id, "Look", [("a.png", Photo.Png())])).Dispose();
        _chat.Browser.ForgetToken();
        var page = await _chat.Browser.FinishedAsync(id);
        var option = page.QuerySelectorAll("#composer [name=model] option").Where(o => o.HasAttribute("data-blind")).Select(o => o.GetAttribute("value"));
        Assert.Equal(["blind/mole", "demo/demo"], option);
        var answer = page.QuerySelector("[data-role=assistant]")!.GetAttribute("data-message")!;
        foreach (var (path, fields) in ((string, (string, string)[])[])
        [
            ($"answers/{answer}/regenerate", [("model", "blind/mole")]),
            ($"messages/{id}/edit", [("model", "blind/mole"), ("text", "Look again"), ("newMessageId", ChatBrowser.NewId().ToString())]),
        ])
        {
            using var refused = await _chat.Browser.PostAsync($"/conversations/{id}/{path}", fields);
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
            Assert.Contains("can't see pictures", WebUtility.HtmlDecode(await refused.Content.ReadAsStringAsync(Cancel)), StringComparison.Ordinal);
        }

        (await SendAsync(id, ChatBrowser.NewId(), "Thank you", [], ("model", "blind/mole"))).EnsureSuccessStatusCode();
        page = await _chat.Browser.FinishedAsync(id);
        Assert.Contains("This model can't see pictures; the one that was sent earlier was left out.", LastAnswer(page), StringComparison.Ordinal);
        Assert.DoesNotContain("left out", page.QuerySelector("[data-role=assistant]")!.TextContent, StringComparison.Ordinal);
        var told = _blind.Requests.Single(r => !ScriptedChat.IsForTitle(r));
        Assert.Equal([("user", "Look\n\n(A picture.)"), ("assistant", "An answer."), ("user", "Thank you")], told.Messages);
        Assert.All(told.Pictures, p => Assert.Empty(p));
    }

    [Fact]
    public async Task The_page_of_models_says_which_of_them_see()
    {
        var page = await ModelsAsync(_chat);
        Assert.Contains("mole", page, StringComparison.Ordinal);
        Assert.DoesNotContain("sees pictures", page, StringComparison.Ordinal);
        await using var seeing = await ScriptedChat.StartAsync(postgres, ("Generation:Providers:0:Vision", "true"));
        Assert.Contains("scripted (sees pictures), other (sees pictures)", await ModelsAsync(seeing), StringComparison.Ordinal);

        static async Task<string> ModelsAsync(ScriptedChat chat)
        {
            using var link = new HttpRequestMessage(HttpMethod.Get, "/models") { Headers = { { "Accept", "text/html" } } };
            using var response = await chat.Browser.SendAsync(link);
            return await response.Content.ReadAsStringAsync(Cancel);
        }
    }

    [Fact]
    public async Task Old_pictures_that_no_longer_fit_are_left_out_and_a_sentence_at_the_answer_says_so()
    {
        await using var chat = await ScriptedChat.StartAsync(postgres, ("Generation:Providers:0:ContextTokens", "2400"));
        var id = ChatBrowser.NewId();
        (await chat.Browser.PostAsync("/conversations", [("a.png", Photo.Png(shade: 10))], ("messageId", id.ToString()), ("text", "Look"))).Dispose();
        chat.Browser.ForgetToken();
        Assert.DoesNotContain("left out", LastAnswer(await chat.Browser.FinishedAsync(id)), StringComparison.Ordinal);
        foreach (var (shades, shown, sentence) in ((int[], int[], string)[])
        [
            ([20, 30], [0, 0, 2], "An older picture no longer fits into what the model is shown; it was left out."),
            ([40, 50], [0, 0, 0, 0, 2], "3 older pictures no longer fit into what the model is shown; they were left out."),
        ])
        {
            (await chat.Browser.PostAsync(
                $"/conversations/{id}/messages",
                [.. shades.Select(shade => ($"{shade}.png", Photo.Png(shade: shade)))],
                ("messageId", ChatBrowser.NewId().ToString()),
                ("text", "And these?"))).EnsureSuccessStatusCode();
            Assert.Contains(sentence, LastAnswer(await chat.Browser.FinishedAsync(id)), StringComparison.Ordinal);
            Assert.Equal(shown, chat.Provider.Requests.Last(r => !ScriptedChat.IsForTitle(r)).Pictures.Select(p => p.Count));
        }
    }

    private static string LastAnswer(IHtmlDocument page) => page.QuerySelectorAll("[data-role=assistant]")[^1].TextContent;

    private RecordedRequest[] Asked() => [.. _chat.Provider.Requests.Where(r => !ScriptedChat.IsForTitle(r))];

    private Task<HttpResponseMessage> BeginAsync(Guid id, string text, (string FileName, byte[] Content)[] pictures) =>
        _chat.Browser.PostAsync("/conversations", pictures, ("messageId", id.ToString()), ("text", text));

    private Task<HttpResponseMessage> SendAsync(
        Guid conversation, Guid id, string text, (string FileName, byte[] Content)[] pictures, params (string, string)[] fields) =>
        _chat.Browser.PostAsync($"/conversations/{conversation}/messages", pictures, [("messageId", id.ToString()), ("text", text), .. fields]);
}
