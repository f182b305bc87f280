using Microsoft.Playwright;
using SevenX42.Testing;
using static Microsoft.Playwright.Assertions;

namespace SevenX42.Host.Tests.Browser;

/// <summary>What can be done with conversations from the list, and what becomes of what was begun and left.</summary>
public sealed class SidebarTests(Chromium chromium, RunningApp app) : IClassFixture<RunningApp>
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_entry_has_a_menu_that_renames_pins_and_deletes(bool phone)
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address, options: phone ? Person.Phone : Person.Desktop);
        await person.SayAsync("An entry");
        await person.AnswerBecomesAsync("completed");
        var list = person.Page.Locator("#conversations");
        await OpenMenuAsync("An entry");
        await person.Page.GetByRole(AriaRole.Link, new() { Name = "Rename", Exact = true }).ClickAsync();
        var title = person.Page.GetByRole(AriaRole.Textbox, new() { Name = "Title" });
        await Expect(title).ToHaveValueAsync("An entry");
        await title.FillAsync("Another name");
        await person.Button("Save").ClickAsync();
        await Expect(list).ToContainTextAsync("Another name");

        await OpenMenuAsync("Another name");
        await person.Button("Pin").ClickAsync();
        await Expect(list).ToContainTextAsync("Pinned");

        await OpenMenuAsync("Another name");
        await person.Button("Delete").ClickAsync();
        await Expect(list.Locator("li")).ToHaveCountAsync(0);
        await person.Button("Undo").ClickAsync();
        await Expect(list).ToContainTextAsync("Another name");

        async Task OpenMenuAsync(string name)
        {
            if (phone && !await person.Page.Locator("#drawer").EvaluateAsync<bool>("e => e.matches(':popover-open')"))
                await person.Button("Open sidebar").ClickAsync();
            if (!phone)
                await list.Locator("li").HoverAsync();
            await person.Button($"More for {name}").ClickAsync();
        }
    }

    [Fact]
    public async Task Settings_that_were_left_are_not_there_when_they_are_opened_again()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("As it is stored");
        await person.AnswerBecomesAsync("completed");
        var settings = person.Page.GetByRole(AriaRole.Dialog);
        var title = settings.GetByLabel("Title");

        await person.Page.Locator("header [title=Settings]").ClickAsync();
        await title.FillAsync("left");
        await settings.GetByLabel("Instructions").FillAsync("left, too");
        await person.Page.Keyboard.PressAsync("Escape");
        await Expect(settings).ToBeHiddenAsync();
        await person.Page.Locator("header [title=Settings]").ClickAsync();

        await Expect(title).ToHaveValueAsync("As it is stored");
        await Expect(settings.GetByLabel("Instructions")).ToHaveValueAsync("");
    }

    [Fact]
    public async Task A_deletion_is_told_once_in_the_tab_that_made_it()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("told once");
        await person.AnswerBecomesAsync("completed");
        using var held = await HeldRequests.HoldAsync(person.Page, "**/conversations/*/delete", answered: true);

        await person.Page.Locator("header [title=Settings]").ClickAsync();
        await person.Page.GetByRole(AriaRole.Dialog).GetByRole(AriaRole.Button, new() { Name = "Delete", Exact = true }).ClickAsync();
        // The event is there before the response.
        await Expect(person.Page.Locator("article")).ToHaveCountAsync(0);
        held.LetGo();

        await Expect(person.Button("Undo")).ToBeVisibleAsync();
        await Expect(person.Page.Locator("#toasts > *")).ToHaveCountAsync(1);
    }

    [Fact]
    public async Task Signing_out_takes_the_drafts_along()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address, "/signup");
        await person.Page.GetByLabel("Name").FillAsync("Ada");
        await person.Page.GetByLabel("Email").FillAsync($"{Guid.CreateVersion7(TimeProvider.System.GetUtcNow()):N}@example.org");
        await person.Page.GetByLabel("Password").FillAsync("a few easy words");
        await person.Button("Sign up").ClickAsync();
        await Expect(person.Button("Sign out")).ToBeVisibleAsync();
        await person.Message.FillAsync("my secret draft");

        await person.Button("Sign out").ClickAsync();

        await Expect(person.Page.GetByRole(AriaRole.Link, new() { Name = "Sign in" }).First).ToBeVisibleAsync();
        await person.Page.GotoAsync(app.Address.ToString());
        await Expect(person.Message).ToHaveValueAsync("");
        Assert.Equal(0, await person.Page.EvaluateAsync<int>("localStorage.length"));
    }
}
