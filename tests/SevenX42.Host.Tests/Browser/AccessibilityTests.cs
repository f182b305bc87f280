using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace SevenX42.Host.Tests.Browser;

/// <summary>No state of the interface breaks a rule of axe, on a desktop or on a phone.</summary>
public sealed class AccessibilityTests(Chromium chromium, RunningApp app) : IClassFixture<RunningApp>
{
    public static TheoryData<bool> Screens => [false, true];

    [Theory]
    [MemberData(nameof(Screens))]
    public async Task An_empty_page_breaks_no_rule(bool phone)
    {
        await using var person = await ArriveAsync(phone);

        Assert.Equal("", await person.AccessibilityFaultsAsync());
    }

    [Theory]
    [MemberData(nameof(Screens))]
    public async Task An_answer_breaks_no_rule_while_it_streams_and_after(bool phone)
    {
        await using var person = await ArriveAsync(phone);

        await person.SayAsync("think markdown");
        await Expect(person.LastAnswer).ToContainTextAsync("Heading 1");
        Assert.Equal("", await person.AccessibilityFaultsAsync());
        await person.AnswerBecomesAsync("completed");
        Assert.Equal("", await person.AccessibilityFaultsAsync());
    }

    [Theory]
    [MemberData(nameof(Screens))]
    public async Task A_stopped_answer_and_an_edited_message_break_no_rule(bool phone)
    {
        await using var person = await ArriveAsync(phone);
        await person.SayAsync("slow");
        await person.Stop.ClickAsync();
        await person.AnswerBecomesAsync("stopped");
        Assert.Equal("", await person.AccessibilityFaultsAsync());

        await person.Button("Edit").ClickAsync();
        await Expect(person.Page.GetByRole(AriaRole.Textbox, new() { Name = "Edit message" })).ToBeVisibleAsync();
        Assert.Equal("", await person.AccessibilityFaultsAsync());
    }

    [Theory]
    [MemberData(nameof(Screens))]
    public async Task A_refused_message_and_a_lost_connection_break_no_rule(bool phone)
    {
        await using var person = await ArriveAsync(phone);
        await person.Message.FillAsync(new string('x', 300_000));
        await person.Message.PressAsync("Enter");
        await Expect(person.Page.Locator("#composer").GetByRole(AriaRole.Alert).Filter(new() { Visible = true })).ToBeVisibleAsync();
        Assert.Equal("", await person.AccessibilityFaultsAsync());

        await person.Message.FillAsync("short");
        await person.Profile.SetOfflineAsync(true);
        await person.Message.PressAsync("Enter");
        await Expect(person.Page.GetByText("No connection. Your message is kept")).ToBeVisibleAsync();
        Assert.Equal("", await person.AccessibilityFaultsAsync());
    }

    [Theory]
    [MemberData(nameof(Screens))]
    public async Task A_search_breaks_no_rule_with_hits_and_without(bool phone)
    {
        await using var person = await ArriveAsync(phone);
        await person.SayAsync("binoculars");
        await person.AnswerBecomesAsync("completed");

        await person.Page.GotoAsync(new Uri(app.Address, "/search?q=binoculars").ToString());
        await Expect(person.Page.Locator("main mark").First).ToBeVisibleAsync();
        Assert.Equal("", await person.AccessibilityFaultsAsync());
        await person.Page.GotoAsync(new Uri(app.Address, "/search?q=nowheretobefound").ToString());
        Assert.Equal("", await person.AccessibilityFaultsAsync());
    }

    [Theory]
    [MemberData(nameof(Screens))]
    public async Task A_conversation_s_settings_break_no_rule(bool phone)
    {
        await using var person = await ArriveAsync(phone);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");

        await person.Settings.ClickAsync();
        await Expect(person.Page.GetByRole(AriaRole.Dialog)).ToBeVisibleAsync();
        Assert.Equal("", await person.AccessibilityFaultsAsync());
    }

    [Fact]
    public async Task The_sidebar_on_a_phone_breaks_no_rule()
    {
        await using var person = await ArriveAsync(phone: true);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");

        await person.Button("Open sidebar").ClickAsync();
        await Expect(person.Page.Locator("#conversations a").First).ToBeVisibleAsync();
        Assert.Equal("", await person.AccessibilityFaultsAsync());
    }

    [Fact]
    public async Task The_list_of_shortcuts_breaks_no_rule()
    {
        await using var person = await ArriveAsync(phone: false);

        await person.Button("Keyboard shortcuts").ClickAsync();
        await Expect(person.Page.GetByRole(AriaRole.Dialog)).ToBeVisibleAsync();
        Assert.Equal("", await person.AccessibilityFaultsAsync());
    }

    [Theory]
    [InlineData("/signin")]
    [InlineData("/signup")]
    [InlineData("/nothing/here")]
    [InlineData("/search")]
    public async Task Other_pages_break_no_rule(string path)
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address, path);

        Assert.Equal("", await person.AccessibilityFaultsAsync());
    }

    [Theory]
    [MemberData(nameof(Screens))]
    public async Task The_account_of_a_guest_breaks_no_rule(bool phone)
    {
        await using var person = await ArriveAsync(phone);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");

        await person.Page.GotoAsync(new Uri(app.Address, "/account").ToString());
        await Expect(person.Page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToHaveTextAsync("Account");
        Assert.Equal("", await person.AccessibilityFaultsAsync());
    }

    private Task<Person> ArriveAsync(bool phone) =>
        Person.ArriveAsync(chromium, app.Address, options: phone ? Person.Phone : Person.Desktop);
}
