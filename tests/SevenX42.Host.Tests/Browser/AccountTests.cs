using Microsoft.Playwright;
using SevenX42.Testing;
using static Microsoft.Playwright.Assertions;

namespace SevenX42.Host.Tests.Browser;

/// <summary>Accounts as somebody with a keyboard, a phone or a screen reader meets them.</summary>
public sealed class AccountTests(Chromium chromium, RunningApp app, PostgresServer postgres) : IClassFixture<RunningApp>
{
    private const string Password = ChatBrowser.Password;
    private const string Wrong = "not the right password";

    private readonly string _email = $"{ChatBrowser.NewId():N}@example.org";

    public static TheoryData<bool> Scripts => [true, false];

    public static TheoryData<bool> Screens => [false, true];

    [Fact]
    public async Task A_keyboard_signs_up_out_and_in_and_a_guest_keeps_what_they_wrote()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");
        var conversation = person.Page.Url;
        var keyboard = person.Page.Keyboard;

        await person.Page.GetByRole(AriaRole.Link, new() { Name = "Guest" }).FocusAsync();
        await keyboard.PressAsync("Enter");
        await Expect(person.Page.GetByLabel("Name")).ToBeFocusedAsync();
        foreach (var typed in (string[])["Ada", _email, Password])
        {
            await keyboard.TypeAsync(typed);
            await keyboard.PressAsync(typed == Password ? "Enter" : "Tab");
        }

        await Expect(person.Page).ToHaveURLAsync(conversation);
        await Expect(person.Page.Locator("article[data-role=user]")).ToContainTextAsync("hello");
        await person.Button("Sign out").FocusAsync();
        await keyboard.PressAsync("Enter");
        await Expect(person.Page.GetByText("Your conversations will be listed here.")).ToBeVisibleAsync();
        await person.Page.GotoAsync(conversation);
        await Expect(person.Page.GetByLabel("Email")).ToBeFocusedAsync();
        await keyboard.TypeAsync(_email);
        await keyboard.PressAsync("Tab");
        await keyboard.TypeAsync(Password);
        await keyboard.PressAsync("Enter");

        await Expect(person.Page).ToHaveURLAsync(conversation);
        await Expect(person.Page.Locator("article[data-role=user]")).ToContainTextAsync("hello");
    }

    [Theory]
    [MemberData(nameof(Scripts))]
    public async Task A_refused_sign_in_leads_back_to_the_fields_and_says_what_is_wrong_with_them(bool scripts)
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address, "/signin", scripts ? Person.Desktop : Person.WithoutScripts);
        var (email, password) = (person.Page.GetByLabel("Email"), person.Page.GetByLabel("Password"));

        await email.FillAsync(_email);
        await password.FillAsync(Wrong);
        await password.PressAsync("Enter");

        await Expect(person.Page.GetByRole(AriaRole.Alert)).ToContainTextAsync("Email or password is wrong.");
        await Expect(email).ToBeFocusedAsync();
        await Expect(email).ToHaveValueAsync(_email);
        await Expect(password).ToHaveValueAsync("");
        foreach (var field in (ILocator[])[email, password])
        {
            await Expect(field).ToHaveAttributeAsync("aria-invalid", "true");
            await Expect(field).ToHaveAccessibleDescriptionAsync(new System.Text.RegularExpressions.Regex("^Email or password is wrong"));
        }

        if (scripts)
            Assert.Equal("", await person.AccessibilityFaultsAsync());
    }

    [Theory]
    [MemberData(nameof(Scripts))]
    public async Task A_refused_sign_up_leads_to_the_field_that_is_wrong(bool scripts)
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address, "/signup", scripts ? Person.Desktop : Person.WithoutScripts);

        await person.Page.GetByLabel("Name").FillAsync("Ada");
        await person.Page.GetByLabel("Email").FillAsync(_email);
        await person.Page.GetByLabel("Password").FillAsync("password1234");
        await person.Page.GetByLabel("Name").PressAsync("Enter");

        await Expect(person.Page.GetByText("This password would be guessed soon.")).ToBeVisibleAsync();
        await Expect(person.Page.GetByLabel("Password")).ToBeFocusedAsync();
        await Expect(person.Page.GetByLabel("Password")).ToHaveAttributeAsync("aria-invalid", "true");
        await Expect(person.Page.GetByLabel("Password")).ToHaveValueAsync("");
        await Expect(person.Page.GetByLabel("Name")).ToHaveValueAsync("Ada");
        await Expect(person.Page.GetByLabel("Email")).ToHaveValueAsync(_email);
    }

    [Fact]
    public async Task The_account_page_keeps_no_password_that_was_sent_and_leads_to_what_is_wrong()
    {
        await using var person = await SignUpAsync(app.Address, _email);
        var (name, present, wanted, delete) = (person.Page.GetByRole(AriaRole.Textbox, new() { Name = "Name" }), person.Page.GetByLabel("Present password"),
            person.Page.GetByLabel("New password"), person.Page.GetByLabel("Your password"));

        await name.FillAsync("Not saved yet");
        await present.FillAsync(Wrong);
        await wanted.FillAsync("eight other words, all of them new");
        await wanted.PressAsync("Enter");
        await Expect(person.Page.GetByText("This is not your password.")).ToBeVisibleAsync();
        await Expect(present).ToBeFocusedAsync();
        await Expect(present).ToHaveAccessibleDescriptionAsync("This is not your password.");
        await Expect(present).ToHaveValueAsync("");
        await Expect(wanted).ToHaveValueAsync("");
        await Expect(name).ToHaveValueAsync("Not saved yet");
        // Empty is what they became, not what somebody left out.
        await Expect(person.Page.Locator("input:user-invalid")).ToHaveCountAsync(0);
        Assert.Equal("", await person.AccessibilityFaultsAsync());

        await delete.FillAsync(Wrong);
        await delete.PressAsync("Enter");
        await Expect(delete).ToHaveAttributeAsync("aria-invalid", "true");
        await Expect(delete).ToBeFocusedAsync();
        await Expect(delete).ToHaveValueAsync("");

        await present.FillAsync(Wrong);
        await name.FillAsync("Augusta Ada");
        await name.PressAsync("Enter");
        await Expect(person.Page.GetByText("Saved.")).ToHaveCountAsync(2);
        await Expect(person.Page.Locator("#announcer")).ToHaveTextAsync("Saved.");
        await Expect(present).ToHaveValueAsync("");
        await Expect(name).ToHaveValueAsync("Augusta Ada");
    }

    [Fact]
    public async Task What_no_field_can_mend_is_said_where_the_focus_goes()
    {
        await using var own = await AppHost.StartAsync(
            await postgres.CreateDatabaseAsync(),
            [new("Identity:RateLimits:SignInsPerAccount", "1"), new("Identity:RateLimits:PasswordChecksPerUser", "1")]);
        await using var administrator = await SignUpAsync(own.Address, "admin@example.org");
        using var other = new ChatBrowser(own);
        await other.SignUpAsync(_email);

        // The last administrator, then one try too many.
        foreach (var sentence in (string[])["You are the only administrator.", "Too many tries."])
        {
            await administrator.Page.GetByLabel("Your password").FillAsync(Password);
            await administrator.Page.GetByLabel("Your password").PressAsync("Enter");
            await FocusIsOnAsync(administrator, sentence);
            await Expect(administrator.Page.GetByLabel("Your password")).ToHaveValueAsync("");
        }

        await using var person = await Person.ArriveAsync(chromium, own.Address, "/signin");
        foreach (var sentence in (string[])["Email or password is wrong.", "Too many tries."])
        {
            await person.Page.GetByLabel("Email").FillAsync(_email);
            await person.Page.GetByLabel("Password").FillAsync(Wrong);
            await person.Page.GetByLabel("Password").PressAsync("Enter");
            await Expect(person.Page.GetByText(sentence)).ToBeVisibleAsync();
        }

        await FocusIsOnAsync(person, "Too many tries.");
        Assert.Equal("", await person.AccessibilityFaultsAsync());
    }

    [Theory]
    [InlineData("Sign out")]
    [InlineData("Delete account")]
    public async Task Whoever_leaves_leaves_no_draft_to_the_next_person(string way)
    {
        await using var person = await SignUpAsync(app.Address, _email);
        await person.Page.GotoAsync(app.Address.ToString());
        await person.Message.FillAsync("between me and this browser");
        await person.Page.GotoAsync(new Uri(app.Address, "/account").ToString());
        Assert.Contains("between me", await DraftsAsync(), StringComparison.Ordinal);

        if (way == "Delete account")
            await person.Page.GetByLabel("Your password").FillAsync(Password);
        await person.Button(way).ClickAsync();

        await Expect(person.Message).ToHaveValueAsync("");
        Assert.DoesNotContain("between me", await DraftsAsync(), StringComparison.Ordinal);

        Task<string> DraftsAsync() => person.Page.EvaluateAsync<string>("JSON.stringify(localStorage)");
    }

    [Theory]
    [MemberData(nameof(Screens))]
    public async Task The_list_of_accounts_fits_the_screen_and_breaks_no_rule(bool phone)
    {
        await using var own = await AppHost.StartAsync(await postgres.CreateDatabaseAsync());
        await using var person = await SignUpAsync(own.Address, "an.administrator.with.a.long.address@mail.example.org", phone);
        using var other = new ChatBrowser(own);
        await other.SignUpAsync($"{new string('x', 60)}@example.org", displayName: new string('W', 64));

        await person.Page.GotoAsync(new Uri(own.Address, "/admin/users?q=").ToString());
        await Expect(person.Page.Locator("[data-user]")).ToHaveCountAsync(2);

        foreach (var width in phone ? (int[])[390, 320] : [1440, 768])
        {
            await person.Page.SetViewportSizeAsync(width, 844);
            Assert.Equal("", await person.Page.EvaluateAsync<string>(
                "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth).map(e => e.outerHTML).join('\\n')"));
            Assert.Equal("", await person.AccessibilityFaultsAsync());
        }

        await person.Page.GetByRole(AriaRole.Searchbox, new() { Name = "Email begins with" }).FillAsync("xxx");
        await person.Button("Search").ClickAsync();
        await Expect(person.Page.Locator("[data-user]")).ToHaveCountAsync(1);
        await Expect(person.Page.Locator("#search input")).ToHaveValueAsync("");
    }

    [Theory]
    [MemberData(nameof(Screens))]
    public async Task The_pages_of_an_account_break_no_rule(bool phone)
    {
        await using var person = await SignUpAsync(app.Address, _email, phone);

        Assert.Equal("", await person.AccessibilityFaultsAsync());
    }

    [Fact]
    public async Task Without_guests_one_signs_in_first_and_is_where_one_wanted_to_be()
    {
        await using var own = await AppHost.StartAsync(await postgres.CreateDatabaseAsync(), [new("Identity:Guests", "false")]);
        using var elsewhere = new ChatBrowser(own);
        await elsewhere.SignUpAsync(_email);
        await using var person = await Person.ArriveAsync(chromium, own.Address, "/search?q=zebra+crossing");

        // Shortcuts of what is not there do nothing.
        await person.Page.Keyboard.PressAsync("Control+k");
        await person.Page.Keyboard.PressAsync("Control+Shift+o");
        await SignInAsync(person);
        await Expect(person.Page).ToHaveURLAsync(new Uri(own.Address, "/search?q=zebra+crossing").ToString());
        await Expect(person.Page.GetByRole(AriaRole.Searchbox)).ToHaveValueAsync("zebra crossing");

        // The session ends; what leads to another page leads to sign in.
        await elsewhere.PostAsync("/account/sessions/revoke-others");
        await person.Button("New chat").ClickAsync();
        await SignInAsync(person);
        await Expect(person.Message).ToBeVisibleAsync();

        // What is being written stays, and is there again after signing in.
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");
        var conversation = person.Page.Url;
        elsewhere.ForgetToken();
        await elsewhere.PostAsync("/account/sessions/revoke-others");
        await person.Message.FillAsync("not lost");
        await person.Message.PressAsync("Enter");
        await person.Page.Locator("#composer").GetByRole(AriaRole.Link, new() { Name = "Sign in" }).ClickAsync();
        await SignInAsync(person);
        await Expect(person.Page).ToHaveURLAsync(conversation);
        await Expect(person.Message).ToHaveValueAsync("not lost");
    }

    private async Task SignInAsync(Person person)
    {
        await person.Page.GetByLabel("Email").FillAsync(_email);
        await person.Page.GetByLabel("Password").FillAsync(Password);
        await person.Page.GetByLabel("Password").PressAsync("Enter");
        await Expect(person.Button("Sign out")).ToBeVisibleAsync();
    }

    private static async Task FocusIsOnAsync(Person person, string sentence)
    {
        await Expect(person.Page.GetByRole(AriaRole.Alert).Filter(new() { HasText = sentence })).ToBeVisibleAsync();
        await Expect(person.Page.Locator(":focus")).ToContainTextAsync(sentence);
        await Expect(person.Page.Locator(":focus")).ToBeInViewportAsync();
    }

    /// <summary>Somebody on the page of the account they have just made.</summary>
    private async Task<Person> SignUpAsync(Uri address, string email, bool phone = false)
    {
        var person = await Person.ArriveAsync(chromium, address, "/signup?returnUrl=/account", phone ? Person.Phone : Person.Desktop);
        await person.Page.GetByLabel("Name").FillAsync("Ada");
        await person.Page.GetByLabel("Email").FillAsync(email);
        await person.Page.GetByLabel("Password").FillAsync(Password);
        await person.Page.GetByLabel("Password").PressAsync("Enter");
        await Expect(person.Page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToHaveTextAsync("Account");
        return person;
    }
}
