using Microsoft.Playwright;
using SevenX42.Testing;
using static Microsoft.Playwright.Assertions;

namespace SevenX42.Host.Tests.Browser;

/// <summary>What forms and links do alone.</summary>
public sealed class WithoutScriptsTests(Chromium chromium, RunningApp app) : IClassFixture<RunningApp>
{
    [Fact]
    public async Task A_deletion_can_be_taken_back_on_the_next_page()
    {
        await using var person = await BeginAsync("To be deleted and not");

        await person.Page.Locator("#conversations li").First.HoverAsync();
        await person.Button("More for To be deleted and not").ClickAsync();
        await person.Button("Delete").ClickAsync();
        await Expect(person.Page.Locator("#conversations li")).ToHaveCountAsync(0);
        await Expect(person.Page.Locator("main")).ToContainTextAsync("Conversation deleted.");
        await person.Button("Undo").ClickAsync();

        await Expect(person.Page.Locator("#conversations li")).ToHaveCountAsync(1);
        await Expect(person.Page.Locator("article[data-role=user]")).ToContainTextAsync("To be deleted and not");
    }

    [Fact]
    public async Task The_page_stands_at_the_new_message_and_at_the_end_when_it_is_read_again()
    {
        await using var person = await BeginAsync("markdown");
        await person.ReloadUntilCompletedAsync();

        await person.Message.FillAsync("list");
        await person.Send.ClickAsync();

        await Expect(person.Page).ToHaveURLAsync(new System.Text.RegularExpressions.Regex("#m-3$"));
        await Expect(person.Page.Locator("#m-3")).ToBeInViewportAsync();
        await person.ReloadUntilCompletedAsync();
        await person.Page.GotoAsync(person.Page.Url.Split('#')[0]);
        await Expect(person.LastAnswer.Locator(".actions")).ToBeInViewportAsync();
    }

    [Fact]
    public async Task The_current_conversation_is_marked_and_there_is_no_button_that_does_nothing()
    {
        await using var person = await BeginAsync("code");
        await person.ReloadUntilCompletedAsync();

        await Expect(person.Page.Locator("#conversations a[aria-current=page]")).ToContainTextAsync("Code", new() { IgnoreCase = true });
        await Expect(person.Page.Locator(".md-code").First).ToBeVisibleAsync();
        await Expect(person.Page.Locator("[data-copy]").Filter(new() { Visible = true })).ToHaveCountAsync(0);
    }

    [Fact]
    public async Task Settings_are_a_page_of_their_own()
    {
        await using var person = await BeginAsync("hello");

        await person.Page.GetByRole(AriaRole.Link, new() { Name = "Conversation settings" }).ClickAsync();
        await person.Page.GetByLabel("Title").FillAsync("Named without scripts");
        await person.Button("Save").ClickAsync();

        await Expect(person.Page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToHaveTextAsync("Named without scripts");
    }

    private async Task<Person> BeginAsync(string text)
    {
        var person = await Person.ArriveAsync(chromium, app.Address, options: Person.WithoutScripts);
        await person.Message.FillAsync(text);
        await person.Send.ClickAsync();
        await Expect(person.Page.Locator("article[data-role=user]")).ToContainTextAsync(text);
        return person;
    }
}
