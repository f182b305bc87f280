using Microsoft.Playwright;
using SevenX42.Testing;
using static Microsoft.Playwright.Assertions;

namespace SevenX42.Host.Tests.Browser;

/// <summary>No state of the interface breaks a rule of axe, on a desktop or on a phone.</summary>
public sealed class AccessibilityTests(Chromium chromium, RunningApp app) : IClassFixture<RunningApp>
{
    public static TheoryData<bool> Screens => [false, true];

    [Theory]
    [MemberData(nameof(Screens))]
    public async Task No_state_of_a_conversation_breaks_a_rule(bool phone)
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address, options: phone ? Person.Phone : Person.Desktop);
        await BreaksNoRuleAsync("an empty page");

        await person.SayAsync("think markdown binoculars");
        await Expect(person.LastAnswer).ToContainTextAsync("Heading 1");
        await BreaksNoRuleAsync("an answer while it streams");
        await person.AnswerBecomesAsync("completed");
        await BreaksNoRuleAsync("an answer");

        await person.Settings.ClickAsync();
        await Expect(person.Page.GetByRole(AriaRole.Dialog)).ToBeVisibleAsync();
        await BreaksNoRuleAsync("settings");
        await person.Page.Keyboard.PressAsync("Escape");

        await person.Button(phone ? "Open sidebar" : "Keyboard shortcuts").ClickAsync();
        await Expect(phone ? person.Page.Locator("#conversations a").First : person.Page.GetByRole(AriaRole.Dialog)).ToBeVisibleAsync();
        await BreaksNoRuleAsync(phone ? "the sidebar" : "the list of shortcuts");
        await person.Page.Keyboard.PressAsync("Escape");

        await person.SayAsync("slow");
        await person.Stop.ClickAsync();
        await person.AnswerBecomesAsync("stopped");
        await BreaksNoRuleAsync("a stopped answer");
        await person.Button("Edit").Last.ClickAsync();
        await Expect(person.Page.GetByRole(AriaRole.Textbox, new() { Name = "Edit message" })).ToBeVisibleAsync();
        await BreaksNoRuleAsync("a message that is edited");
        await person.Page.ReloadAsync();

        await person.Message.FillAsync(new string('x', 300_000));
        await person.Message.PressAsync("Enter");
        await Expect(person.Page.Locator("#composer").GetByRole(AriaRole.Alert).Filter(new() { Visible = true })).ToBeVisibleAsync();
        await BreaksNoRuleAsync("a refused message");
        await person.Message.FillAsync("short");
        await person.GoOfflineAsync();
        await person.Message.PressAsync("Enter");
        await Expect(person.Page.GetByText("No connection. Your message is kept")).ToBeVisibleAsync();
        await BreaksNoRuleAsync("a lost connection");
        await person.ComeBackAsync();

        await VisitAsync("/search?q=binoculars");
        await Expect(person.Page.Locator("main mark").First).ToBeVisibleAsync();
        await BreaksNoRuleAsync("a search with hits");
        await VisitAsync("/search?q=nowheretobefound");
        await BreaksNoRuleAsync("a search without hits");
        await VisitAsync("/account");
        await Expect(person.Page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToHaveTextAsync("Account");
        await BreaksNoRuleAsync("the account of a guest");

        Task VisitAsync(string path) => person.Page.GotoAsync(new Uri(app.Address, path).ToString());

        async Task BreaksNoRuleAsync(string state)
        {
            var faults = await person.AccessibilityFaultsAsync();
            Assert.True(faults.Length == 0, $"{state}: {faults}");
        }
    }

    [Fact]
    public async Task Other_pages_break_no_rule()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address, "/signin");
        foreach (var path in (string[])["/signin", "/signup", "/nothing/here", "/search"])
        {
            await person.Page.GotoAsync(new Uri(app.Address, path).ToString());
            var faults = await person.AccessibilityFaultsAsync();
            Assert.True(faults.Length == 0, $"{path}: {faults}");
        }
    }
}
