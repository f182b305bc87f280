using Microsoft.Playwright;
using SevenX42.Testing;
using static Microsoft.Playwright.Assertions;

namespace SevenX42.Host.Tests.Browser;

/// <summary>Two tabs of one person show the same.</summary>
public sealed class TabsTests(Chromium chromium, RunningApp app) : IClassFixture<RunningApp>
{
    [Fact]
    public async Task What_is_sent_in_one_tab_streams_in_the_other_and_can_be_stopped_there()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");
        var other = await person.OpenTabAsync(new Uri(person.Page.Url).PathAndQuery);

        await person.SayAsync("long");

        var answer = other.Locator("article[data-role=assistant]").Last;
        await Expect(other.Locator("article[data-role=user]").Last).ToContainTextAsync("long");
        await Expect(answer).ToHaveAttributeAsync("aria-busy", "true");
        await Expect(answer).ToContainTextAsync("I am the demo model");
        await other.GetByRole(AriaRole.Button, new() { Name = "Stop", Exact = true }).ClickAsync();
        await person.AnswerBecomesAsync("stopped");
        await Expect(answer).ToHaveAttributeAsync("data-status", "stopped");
        // The one hears of the end a moment before the other; then both show what is stored.
        await Eventually.TrueAsync(async () =>
            await answer.Locator("[data-blocks]").InnerHTMLAsync() == await person.LastAnswer.Locator("[data-blocks]").InnerHTMLAsync());
    }

    [Fact]
    public async Task Two_tabs_with_a_new_chat_each_begin_a_conversation_each()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");
        await person.Button("New chat").ClickAsync();
        await Expect(person.Page.Locator("article")).ToHaveCountAsync(0);
        await person.Message.FillAsync("the first question");
        var other = await person.OpenTabAsync("/");
        var message = other.GetByRole(AriaRole.Textbox, new() { Name = "Message", Exact = true });
        await Expect(message).ToHaveValueAsync("the first question");

        await person.SayAsync("the first question");
        await message.FillAsync("the second question");
        await message.PressAsync("Enter");

        await Expect(other.Locator("article[data-role=user]")).ToContainTextAsync("the second question");
        await Expect(person.Page.Locator("article[data-role=user]")).ToContainTextAsync("the first question");
        Assert.NotEqual(person.Page.Url, other.Url);
    }

    [Fact]
    public async Task The_focus_stays_among_the_versions_when_the_other_tab_chooses_one()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.HasVersionsAsync(3);

        var other = await person.OpenTabAsync(new Uri(person.Page.Url).PathAndQuery);
        await Expect(other.Locator("article[data-role=assistant]")).ToContainTextAsync("3/3");
        await person.Button("Previous version").FocusAsync();

        await other.GetByRole(AriaRole.Button, new() { Name = "Previous version" }).ClickAsync();

        await Expect(person.LastAnswer).ToContainTextAsync("2/3");
        await Expect(person.Button("Previous version")).ToBeFocusedAsync();
        await other.GetByRole(AriaRole.Button, new() { Name = "Previous version" }).ClickAsync();
        await Expect(person.LastAnswer).ToContainTextAsync("1/3");
        await Expect(person.Button("Next version")).ToBeFocusedAsync();
    }

    [Fact]
    public async Task A_new_title_and_a_deletion_reach_the_other_tab()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");
        var other = await person.OpenTabAsync(new Uri(person.Page.Url).PathAndQuery);

        await person.Settings.ClickAsync();
        await person.Page.GetByRole(AriaRole.Textbox, new() { Name = "Title" }).FillAsync("A better title");
        await person.Button("Save").ClickAsync();

        await Expect(person.Page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToHaveTextAsync("A better title");
        await Expect(other.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToHaveTextAsync("A better title");
        await Expect(other.Locator("#conversations")).ToContainTextAsync("A better title");

        var deleted = await Person.WatchForAsync(other, "#toasts > :not(template)", "This conversation was deleted.");
        await person.Settings.ClickAsync();
        await person.Button("Delete").ClickAsync();
        // Both go by themselves; the one that is asked for stays while somebody is at it.
        await person.Button("Undo").FocusAsync();
        await deleted();
        await Expect(person.Page.Locator("#conversations")).Not.ToContainTextAsync("A better title");
        await Expect(other.Locator("#conversations")).Not.ToContainTextAsync("A better title");

        await person.Button("Undo").ClickAsync();
        await Expect(person.Page.Locator("#conversations")).ToContainTextAsync("A better title");
        await Expect(other.Locator("#conversations")).ToContainTextAsync("A better title");
    }
}
