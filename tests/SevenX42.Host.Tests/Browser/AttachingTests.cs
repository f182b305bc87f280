using System.Text.RegularExpressions;
using Microsoft.Playwright;
using SevenX42.Testing;
using static Microsoft.Playwright.Assertions;

namespace SevenX42.Host.Tests.Browser;

/// <summary>A person attaches pictures to what they say.</summary>
public sealed class AttachingTests(Chromium chromium, PostgresServer postgres) : IAsyncLifetime
{
    private const string Excess = "Attach at most 4 pictures (PNG, JPEG, WebP, GIF or AVIF) of at most 20 MB each.";

    private ScriptedProvider _provider = null!;
    private AppHost? _app;

    public async ValueTask InitializeAsync()
    {
        _provider = await ScriptedProvider.StartAsync();
        _provider.Script("scripted", Script.Answer("I see."));
        _app = await AppHost.StartAsync(
            await postgres.CreateDatabaseAsync(),
            [new("Generation:Providers:0:Name", "test"), new("Generation:Providers:0:BaseUrl", _provider.BaseUrl.ToString())]);
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
            await _app.DisposeAsync();
        await _provider.DisposeAsync();
    }

    [Fact]
    public async Task Pictures_are_chosen_pasted_removed_and_sent_and_there_after_a_reload()
    {
        await using var person = await Person.ArriveAsync(chromium, _app!.Address, options: Person.Phone);
        var (attached, chooser) = (Attached(person), Chooser(person));
        await Expect(person.Send).ToBeDisabledAsync();
        await chooser.SetInputFilesAsync([File("a.png", 20), File("b.png", 60)]);
        await GiveAsync(person.Message, "paste", File("c.png", 90));
        await Expect(attached).ToHaveCountAsync(3);
        await person.Page.WaitForFunctionAsync("() => [...document.querySelectorAll('#attached img')].every(i => i.naturalWidth === 40)");
        Assert.Equal("", await person.AccessibilityFaultsAsync());
        await chooser.SetInputFilesAsync([File("d.png", 30), File("e.png", 31)]);
        await Expect(person.Page.GetByText(Excess)).ToBeVisibleAsync();
        await Expect(attached).ToHaveCountAsync(4);
        await person.Button("Remove b.png").ClickAsync();
        await Expect(person.Page.GetByText(Excess)).ToBeHiddenAsync();
        await Expect(person.Message).ToBeFocusedAsync();

        // The demo sees nothing, and says so before anything is sent.
        var note = person.Page.GetByText("This model can't see pictures. Choose another model, or send without them.");
        await Expect(note).ToBeHiddenAsync();
        await person.Page.GetByLabel("Model", new() { Exact = true }).SelectOptionAsync("demo/demo");
        await Expect(note).ToBeVisibleAsync();
        await person.Send.ClickAsync();
        await Expect(person.Page.Locator("#composer-notice")).ToContainTextAsync("can't see pictures");
        await Expect(note).ToBeHiddenAsync();
        await Expect(attached).ToHaveCountAsync(3);
        Assert.Equal(390, await person.Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth"));
        await person.Page.GetByLabel("Model", new() { Exact = true }).SelectOptionAsync("test/scripted");
        await Expect(note).ToBeHiddenAsync();

        // No words are needed.
        await person.Send.ClickAsync();
        await person.AnswerBecomesAsync("completed");
        await Expect(attached).ToHaveCountAsync(0);
        Assert.Contains(_provider.Requests, r => r.Pictures[^1].Count == 3);
        await person.Page.ReloadAsync();
        var shown = person.Page.Locator("article[data-role=user]").GetByRole(AriaRole.Img);
        await Expect(shown).ToHaveCountAsync(3);
        await person.Page.WaitForFunctionAsync("() => [...document.querySelectorAll('article img')].every(i => i.naturalWidth > 0)");
        Assert.Equal("", await person.AccessibilityFaultsAsync());
        await Expect(person.Page.Locator("article[data-role=user] a:has(img)").First).ToHaveAttributeAsync("href", new Regex("^/media/assets/"));

        // What can't be attached is said until the next message is sent.
        await GiveAsync(person.Message, "paste", new() { Name = "unknown", MimeType = "", Buffer = [1] });
        await Expect(person.Page.GetByText(Excess)).ToBeVisibleAsync();
        await Expect(attached).ToHaveCountAsync(0);
        await person.SayAsync("thanks");
        await Expect(person.Page.GetByText(Excess)).ToBeHiddenAsync();

        // What else is refused does not stand for it.
        await GiveAsync(person.Message, "paste", new() { Name = "torn.png", MimeType = "image/png", Buffer = [1] });
        await person.AnswerBecomesAsync("completed");
        await person.Send.ClickAsync();
        await Expect(person.Page.Locator("#composer-notice [data-error]")).ToBeVisibleAsync();
        await person.Page.GetByLabel("Model", new() { Exact = true }).SelectOptionAsync("demo/demo");
        await Expect(note).ToBeVisibleAsync();
    }

    [Fact]
    public async Task Pictures_of_a_message_that_did_not_arrive_stay_and_go_with_it_once_the_connection_is_back()
    {
        await using var person = await Person.ArriveAsync(chromium, _app!.Address);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");

        // Dropped anywhere on the page; what is drawn is drawn from words alone.
        var (draw, heading) = (person.Page.GetByRole(AriaRole.Checkbox, new() { Name = "Draw a picture" }), person.Page.Locator("#title"));
        await draw.PressAsync("Space");
        Assert.True(await GiveAsync(heading, "drop", File("a.png", 20)));
        await draw.PressAsync("Space");
        await Expect(Attached(person)).ToHaveCountAsync(0);
        Assert.True(await GiveAsync(heading, "drop", File("a.png", 20)));
        await Expect(Attached(person)).ToHaveCountAsync(1);
        await person.GoOfflineAsync();
        await person.Message.FillAsync("What is this?");
        await person.Message.PressAsync("Enter");
        await Expect(person.Page.GetByText("No connection. Your message is kept here")).ToBeVisibleAsync();
        await Expect(Attached(person)).ToHaveCountAsync(1);
        await person.ComeBackAsync();
        await Expect(person.Page.Locator("article[data-role=user]").Last.GetByRole(AriaRole.Img)).ToHaveCountAsync(1);
        await Expect(Attached(person)).ToHaveCountAsync(0);
        await Expect(person.Message).ToHaveValueAsync("");
        await person.AnswerBecomesAsync("completed");
    }

    private static ILocator Attached(Person person) => person.Page.Locator("#attached > li");

    private static ILocator Chooser(Person person) => person.Page.GetByLabel("Attach pictures");

    private static FilePayload File(string name, int shade) => new() { Name = name, MimeType = "image/png", Buffer = Photo.Png(shade: shade) };

    /// <summary>Pastes or drops a picture, with its name as words beside it, as from where files lie.</summary>
    /// <returns>Whether the page has taken it.</returns>
    private static async Task<bool> GiveAsync(ILocator to, string how, FilePayload file) => await to.EvaluateAsync<bool>(
        """
        (element, [how, name, type, content]) => {
          const data = new DataTransfer();
          data.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name, { type }));
          data.setData("text/plain", name);
          const options = { bubbles: true, cancelable: true, clipboardData: data, dataTransfer: data };
          return !element.dispatchEvent(how === "paste" ? new ClipboardEvent(how, options) : new DragEvent(how, options));
        }
        """,
        new[] { how, file.Name, file.MimeType, Convert.ToBase64String(file.Buffer) });
}
