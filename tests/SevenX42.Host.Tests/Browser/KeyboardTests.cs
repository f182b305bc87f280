using Microsoft.Playwright;
using SevenX42.Testing;
using static Microsoft.Playwright.Assertions;

namespace SevenX42.Host.Tests.Browser;

/// <summary>The keyboard keeps its place, and one sees where it is.</summary>
public sealed class KeyboardTests(Chromium chromium, RunningApp app) : IClassFixture<RunningApp>
{
    [Fact]
    public async Task An_edit_begins_at_the_end_of_the_text_escape_cancels_it_and_enter_sends_it()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("first wording");
        await person.AnswerBecomesAsync("completed");
        var edit = person.Page.GetByRole(AriaRole.Textbox, new() { Name = "Edit message" });

        await person.Button("Edit").PressAsync("Enter");
        await Expect(edit).ToBeFocusedAsync();
        await person.Page.Keyboard.TypeAsync("!");
        await Expect(edit).ToHaveValueAsync("first wording!");
        await person.Page.Keyboard.PressAsync("Escape");

        await Expect(edit).ToHaveCountAsync(0);
        await Expect(person.Button("Edit")).ToBeFocusedAsync();
        await Expect(person.Page.Locator("article[data-role=user]")).ToContainTextAsync("first wording");

        await person.Page.Keyboard.PressAsync("Enter");
        await Expect(edit).ToBeFocusedAsync();
        await person.Page.Keyboard.TypeAsync(" and");
        await person.Page.Keyboard.PressAsync("Shift+Enter");
        await person.Page.Keyboard.TypeAsync("more");
        await Expect(edit).ToHaveValueAsync("first wording and\nmore");
        await person.Page.Keyboard.PressAsync("Enter");
        await Expect(person.Page.Locator("article[data-role=user]")).ToContainTextAsync("2/2");
        await Expect(person.Page.Locator("article[data-role=user]")).ToContainTextAsync("first wording and\nmore");
        await person.AnswerBecomesAsync("completed");
    }

    [Fact]
    public async Task Cancel_leads_back_to_where_the_edit_was_asked_for()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("first wording");
        await person.AnswerBecomesAsync("completed");

        await person.Button("Edit").ClickAsync();
        await person.Button("Cancel").ClickAsync();

        await Expect(person.Button("Edit")).ToBeFocusedAsync();
    }

    [Fact]
    public async Task Going_through_versions_the_focus_stays_on_their_buttons()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.HasVersionsAsync(3);

        await person.Button("Previous version").PressAsync("Enter");
        await Expect(person.LastAnswer).ToContainTextAsync("2/3");
        await Expect(person.Button("Previous version")).ToBeFocusedAsync();
        // Where there is no further one, what leads back has it.
        await person.Page.Keyboard.PressAsync("Enter");
        await Expect(person.LastAnswer).ToContainTextAsync("1/3");
        await Expect(person.Button("Next version")).ToBeFocusedAsync();
    }

    [Fact]
    public async Task The_conversation_shows_that_it_has_the_focus()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");

        await person.Settings.FocusAsync();
        await person.Page.Keyboard.PressAsync("Tab");

        await Expect(person.Page.Locator("#transcript")).ToBeFocusedAsync();
        await Expect(person.Page.Locator("#scroller")).ToHaveCSSAsync("outline-style", "solid");
    }
}
