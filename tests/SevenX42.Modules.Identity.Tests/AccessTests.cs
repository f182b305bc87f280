using System.Net;
using AngleSharp.Dom;
using Microsoft.EntityFrameworkCore;
using SevenX42.Testing;

namespace SevenX42.Modules.Identity.Tests;

/// <summary>Signing up, in and out.</summary>
public sealed class AccessTests(PostgresServer postgres)
{
    private const string Email = "ada@example.org";

    [Fact]
    public async Task Whoever_signs_up_is_signed_in_and_can_come_back()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var first = host.OpenBrowser();
        var signedUp = await first.SignUpAsync(Email, displayName: "  Ada  ");

        using var second = host.OpenBrowser();
        var response = await second.SignInAsync("ADA@example.org ");
        var signedIn = await second.WhoAmIAsync();

        Assert.Equal(("Ada", false), (signedUp.Name, signedUp.IsGuest));
        Assert.Equal((HttpStatusCode.SeeOther, "/"), (response.StatusCode, response.Headers.Location?.OriginalString));
        Assert.Equal(signedUp.Id, signedIn.Id);
        Assert.NotEqual(signedUp.SessionId, signedIn.SessionId);
    }

    [Fact]
    public async Task A_guest_who_signs_up_stays_the_same_person_with_a_new_session()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var browser = host.OpenBrowser();
        var guest = await browser.BecomeGuestAsync();
        var cookie = browser.SessionCookie!.Value;

        var account = await browser.SignUpAsync(Email);

        Assert.Equal(guest.Id, account.Id);
        Assert.False(account.IsGuest);
        Assert.NotEqual(guest.SessionId, account.SessionId);
        using var thief = host.OpenBrowser();
        thief.Cookies.Add(host.Address, new Cookie("7x42-session", cookie));
        Assert.Null((await thief.WhoAmIAsync()).Id);
    }

    [Fact]
    public async Task The_first_account_administers_and_no_other_does()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var guest = host.OpenBrowser();
        await guest.BecomeGuestAsync();

        using var first = await host.SignUpAsync("first@example.org");
        using var second = await host.SignUpAsync("second@example.org");

        Assert.True((await first.WhoAmIAsync()).IsAdministrator);
        Assert.False((await second.WhoAmIAsync()).IsAdministrator);
    }

    [Fact]
    public async Task Of_many_who_sign_up_first_at_once_one_administers()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        var browsers = Enumerable.Range(0, 6).Select(_ => host.OpenBrowser()).ToList();

        await Task.WhenAll(browsers.Select((b, i) => b.SignUpAsync($"user{i}@example.org")));

        Assert.Equal((6, 1), await host.QueryAsync(async db => (await db.Users.CountAsync(), await db.Users.CountAsync(u => u.IsAdministrator))));
        browsers.ForEach(b => b.Dispose());
    }

    [Fact]
    public async Task Of_many_who_sign_up_with_one_email_at_once_one_gets_the_account()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        var browsers = Enumerable.Range(0, 5).Select(_ => host.OpenBrowser()).ToList();

        var responses = await Task.WhenAll(browsers.Select((b, i) => SignUpAsync(b, email: i % 2 == 0 ? Email : Email.ToUpperInvariant())));

        Assert.Equal(
            [HttpStatusCode.SeeOther, .. Enumerable.Repeat(HttpStatusCode.UnprocessableEntity, 4)],
            responses.Select(r => r.StatusCode).Order());
        Assert.Equal(1, await host.QueryAsync(db => db.Users.CountAsync()));
        browsers.ForEach(b => b.Dispose());
    }

    [Theory]
    [InlineData("displayName", "   ", "Enter a name.")]
    [InlineData("displayName", "line\nbreak", "A name has at most 64 characters, all of them visible.")]
    [InlineData("email", "", "Enter your email address.")]
    [InlineData("email", "no address", "This is no email address.")]
    [InlineData("email", "Ada <ada@example.org>", "This is no email address.")]
    [InlineData("email", "ada @example.org", "An email address has no spaces in it.")]
    [InlineData("email", "ada@exam\u00a0ple.org", "An email address has no spaces in it.")]
    [InlineData("email", "ada\u200b@example.org", "There is a character in this address that can't be seen. Type it by hand.")]
    [InlineData("email", "ada@example.org\u2060", "There is a character in this address that can't be seen. Type it by hand.")]
    [InlineData("email", "ada@exam\u00adple.org", "There is a character in this address that can't be seen. Type it by hand.")]
    [InlineData("email", "ada\u0008@example.org", "There is a character in this address that can't be seen. Type it by hand.")]
    [InlineData("displayName", "\u200b\u3164", "Enter a name.")]
    [InlineData("password", "short", "A password has at least 10 characters.")]
    [InlineData("password", "aaaaaaaaaaaaaaaa", "This password would be guessed soon. Choose another one.")]
    [InlineData("password", "Password1234", "This password would be guessed soon. Choose another one.")]
    [InlineData("password", "ada@example.org", "Your email address is no secret. Choose another password.")]
    public async Task What_is_wrong_stands_at_its_field_and_what_was_typed_is_kept(string field, string value, string sentence)
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var browser = host.OpenBrowser();
        var typed = new Dictionary<string, string> { ["displayName"] = "Ada", ["email"] = Email, ["password"] = Browser.Password, [field] = value };

        using var response = await browser.SubmitAsync("/signup", "/signup", [.. typed.Select(t => (t.Key, t.Value))]);

        Assert.Equal(HttpStatusCode.UnprocessableEntity, response.StatusCode);
        var page = await Browser.ReadAsync(response);
        var input = Assert.Single(page.QuerySelectorAll("[aria-invalid=true]"));
        Assert.Equal(field, input.GetAttribute("name"));
        var described = input.GetAttribute("aria-describedby")!.Split(' ')[0];
        Assert.Equal(sentence, page.GetElementById(described)!.TextContent.Trim());
        Assert.Equal(field == "email" ? value : Email, page.QuerySelector("[name=email]")!.GetAttribute("value"));
        Assert.Null(page.QuerySelector("[name=password]")!.GetAttribute("value"));
        Assert.Equal(0, await host.QueryAsync(db => db.Users.CountAsync()));
    }

    [Theory]
    [InlineData("Ada@Example.org", " ada@EXAMPLE.ORG\u00a0")]
    [InlineData("ada@münchen.example", "ADA@MÜNCHEN.EXAMPLE")]
    [InlineData("ada@münchen.example", "ada@xn--mnchen-3ya.example")]
    public async Task Every_spelling_of_an_address_is_the_same_account_whoever_looks_for_it(string signedUp, string other)
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var administrator = await host.SignUpAsync(signedUp, displayName: "Ada");
        using var browser = host.OpenBrowser();

        using var taken = await SignUpAsync(browser, other);
        using var signedIn = await browser.SignInAsync(other);
        var found = await Browser.ReadAsync(await administrator.GetAsync($"/admin/users?q={Uri.EscapeDataString(other)}"));

        Assert.Equal(HttpStatusCode.UnprocessableEntity, taken.StatusCode);
        Assert.Equal(HttpStatusCode.SeeOther, signedIn.StatusCode);
        Assert.Equal((await administrator.WhoAmIAsync()).Id, (await browser.WhoAmIAsync()).Id);
        Assert.Single(found.QuerySelectorAll("[data-user]"));
    }

    [Fact]
    public async Task An_address_that_nobody_can_have_is_pointed_out_when_signing_in_too()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var owner = await host.SignUpAsync(Email);
        using var browser = host.OpenBrowser();

        using var response = await browser.SignInAsync("ada @example.org");

        Assert.Equal(HttpStatusCode.UnprocessableEntity, response.StatusCode);
        var page = await Browser.ReadAsync(response);
        var input = Assert.Single(page.QuerySelectorAll("[aria-invalid=true]"));
        Assert.Equal(("email", "ada @example.org"), (input.GetAttribute("name"), input.GetAttribute("value")));
        Assert.Equal("An email address has no spaces in it.", page.GetElementById(input.GetAttribute("aria-describedby")!)!.TextContent);
    }

    [Fact]
    public async Task Signing_in_never_tells_whether_there_is_an_account()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var owner = await host.SignUpAsync(Email);
        using var stranger = host.OpenBrowser();

        var wrongPassword = await RefusalAsync(await stranger.SignInAsync(Email, "not the right password"));
        var nobody = await RefusalAsync(await stranger.SignInAsync("bob@example.org", "not the right password"));

        Assert.Equal(wrongPassword.Replace(Email, "bob@example.org", StringComparison.Ordinal), nobody);
        Assert.Contains("Email or password is wrong.", wrongPassword, StringComparison.Ordinal);
    }

    [Fact]
    public async Task After_wrong_passwords_the_right_one_is_refused_too_until_the_pause_is_over()
    {
        await using var host = await IdentityHost.StartAsync(postgres, ("Identity:Lockout:Attempts", "3"), ("Identity:Lockout:Duration", "00:05:00"));
        using var owner = await host.SignUpAsync(Email);
        using var browser = host.OpenBrowser();
        for (var i = 0; i < 3; i++)
            Assert.Equal(HttpStatusCode.UnprocessableEntity, (await browser.SignInAsync(Email, "not the right password")).StatusCode);

        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await browser.SignInAsync(Email)).StatusCode);
        // Whoever is signed in already is not disturbed.
        Assert.NotNull((await owner.WhoAmIAsync()).Id);
        host.Time.Advance(TimeSpan.FromMinutes(5) + TimeSpan.FromSeconds(1));

        Assert.Equal(HttpStatusCode.SeeOther, (await browser.SignInAsync(Email)).StatusCode);
    }

    [Fact]
    public async Task Guesses_from_one_address_are_limited()
    {
        await using var host = await IdentityHost.StartAsync(postgres, ("Identity:RateLimits:SignInsPerMinute", "3"));
        using var browser = host.OpenBrowser();
        var statuses = new List<HttpStatusCode>();
        for (var i = 0; i < 4; i++)
            statuses.Add((await browser.SignInAsync($"user{i}@example.org", "not the right password")).StatusCode);

        Assert.Equal(HttpStatusCode.TooManyRequests, statuses[^1]);
        Assert.DoesNotContain(HttpStatusCode.TooManyRequests, statuses[..3]);
    }

    [Theory]
    [InlineData("/c/1?x=2", "/c/1?x=2")]
    [InlineData("https://evil.example/", "/")]
    [InlineData("//evil.example/", "/")]
    [InlineData("/\\evil.example/", "/")]
    [InlineData("\\\\evil.example", "/")]
    [InlineData("/\t/evil.example", "/")]
    [InlineData("javascript:alert(1)", "/")]
    [InlineData("", "/")]
    public async Task After_signing_in_one_is_where_one_wanted_to_be_and_never_elsewhere(string returnUrl, string expected)
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var owner = await host.SignUpAsync(Email);
        using var browser = host.OpenBrowser();

        using var response = await browser.SignInAsync(Email, page: $"/signin?returnUrl={Uri.EscapeDataString(returnUrl)}");

        Assert.Equal(HttpStatusCode.SeeOther, response.StatusCode);
        Assert.Equal(expected, response.Headers.Location?.OriginalString);
    }

    [Fact]
    public async Task A_page_that_needs_somebody_sends_to_sign_in_and_back()
    {
        await using var host = await IdentityHost.StartAsync(postgres, ("Identity:Guests", "false"));
        using var owner = await host.SignUpAsync(Email);
        using var browser = host.OpenBrowser();

        using var refused = await browser.GetAsync("/account?done=Name");
        var signIn = refused.Headers.Location!;
        using var response = await browser.SignInAsync(Email, page: (signIn.IsAbsoluteUri ? signIn.PathAndQuery : signIn.OriginalString));

        Assert.Equal(HttpStatusCode.SeeOther, refused.StatusCode);
        Assert.Equal("/account?done=Name", response.Headers.Location?.OriginalString);
    }

    [Theory]
    [InlineData("/signin", "/c/1?x=2", "/c/1?x=2")]
    [InlineData("/signup", "/c/1?x=2", "/c/1?x=2")]
    [InlineData("/signin", "/signup?returnUrl=%2F", "/")]
    [InlineData("/signin", "https://evil.example/c/1", "/")]
    public async Task Without_being_sent_one_comes_back_to_the_page_that_led_to_the_form(string form, string referer, string expected)
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var browser = host.OpenBrowser();
        browser.Http.DefaultRequestHeaders.Referrer = new Uri(host.Address, referer);

        var page = await Browser.ReadAsync(await browser.GetAsync(form));

        Assert.Equal(expected, page.QuerySelector("[name=returnUrl]")!.GetAttribute("value"));
    }

    [Fact]
    public async Task A_guest_who_signs_in_is_not_led_back_to_what_only_the_guest_could_open()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var browser = host.OpenBrowser();
        await browser.BecomeGuestAsync();
        browser.Http.DefaultRequestHeaders.Referrer = new Uri(host.Address, "/c/1");

        var signIn = await Browser.ReadAsync(await browser.GetAsync("/signin"));
        var signUp = await Browser.ReadAsync(await browser.GetAsync("/signup"));

        Assert.Equal("/", signIn.QuerySelector("[name=returnUrl]")!.GetAttribute("value"));
        Assert.Equal("/c/1", signUp.QuerySelector("[name=returnUrl]")!.GetAttribute("value"));
    }

    [Fact]
    public async Task Signing_in_ends_the_session_that_the_browser_had()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var other = await host.SignUpAsync("other@example.org");
        using var browser = host.OpenBrowser();
        await browser.BecomeGuestAsync();
        var before = browser.SessionCookie!.Value;

        Assert.Equal(HttpStatusCode.SeeOther, (await browser.SignInAsync("other@example.org")).StatusCode);

        Assert.NotEqual(before, browser.SessionCookie!.Value);
        using var thief = host.OpenBrowser();
        thief.Cookies.Add(host.Address, new Cookie("7x42-session", before));
        Assert.Null((await thief.WhoAmIAsync()).Id);
    }

    [Fact]
    public async Task Signing_out_ends_the_session_for_everybody_who_has_its_cookie()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var browser = await host.SignUpAsync(Email);
        using var thief = host.OpenBrowser();
        thief.Cookies.Add(host.Address, new Cookie("7x42-session", browser.SessionCookie!.Value));
        Assert.NotNull((await thief.WhoAmIAsync()).Id);

        using var response = await PostAsync(browser, "/signout");

        Assert.Equal(HttpStatusCode.SeeOther, response.StatusCode);
        Assert.Null((await browser.WhoAmIAsync()).Id);
        Assert.Null((await thief.WhoAmIAsync()).Id);
    }

    [Fact]
    public async Task No_account_is_made_where_sign_up_is_closed()
    {
        await using var host = await IdentityHost.StartAsync(postgres, ("Identity:SignUp", "Closed"));
        using var browser = host.OpenBrowser();
        var signIn = await Browser.ReadAsync(await browser.GetAsync("/signin"));
        Assert.Empty(signIn.QuerySelectorAll("a[href^='/signup']"));
        var signUp = await Browser.ReadAsync(await browser.GetAsync("/signup"));
        Assert.Contains("can't be made here", signUp.Body!.TextContent, StringComparison.Ordinal);

        using var response = await PostAsync(
            browser, "/signup", new("displayName", "Ada"), new("email", Email), new("password", Browser.Password));

        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        Assert.Equal(0, await host.QueryAsync(db => db.Users.CountAsync()));
    }

    [Theory]
    [InlineData("/signin")]
    [InlineData("/signup")]
    public async Task A_form_from_another_site_is_refused(string action)
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var browser = await host.SignUpAsync(Email);

        using var response = await browser.PostAsync(action, new FormUrlEncodedContent([new("email", Email), new("password", Browser.Password)]));

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.NotNull((await browser.WhoAmIAsync()).Id);
    }

    [Fact]
    public async Task Over_https_the_cookie_is_bound_to_the_host_and_hidden_from_scripts()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var browser = host.OpenBrowser();
        browser.Http.DefaultRequestHeaders.Add("X-Forwarded-Proto", "https");

        using var response = await browser.PostAsync("/things");

        var cookie = Assert.Single(response.Headers.GetValues("Set-Cookie"), c => c.Contains("session", StringComparison.Ordinal)).ToLowerInvariant();
        Assert.StartsWith("__host-session=", cookie, StringComparison.Ordinal);
        Assert.Contains("; path=/", cookie, StringComparison.Ordinal);
        Assert.Contains("; secure", cookie, StringComparison.Ordinal);
        Assert.Contains("; httponly", cookie, StringComparison.Ordinal);
        Assert.Contains("; samesite=lax", cookie, StringComparison.Ordinal);
        Assert.DoesNotContain("domain=", cookie, StringComparison.Ordinal);
    }

    private static Task<HttpResponseMessage> SignUpAsync(Browser browser, string email) =>
        browser.SubmitAsync("/signup", "/signup", ("displayName", "Ada"), ("email", email), ("password", Browser.Password));

    /// <summary>Sends what no form of the page sends, with the page's token.</summary>
    private static async Task<HttpResponseMessage> PostAsync(Browser browser, string path, params KeyValuePair<string, string>[] fields)
    {
        var page = await Browser.ReadAsync(await browser.GetAsync("/token"));
        return await browser.PostAsync(path, new FormUrlEncodedContent([.. fields, new("__RequestVerificationToken", page.Body!.TextContent)]));
    }

    private static async Task<string> RefusalAsync(HttpResponseMessage response)
    {
        Assert.Equal(HttpStatusCode.UnprocessableEntity, response.StatusCode);
        var page = await Browser.ReadAsync(response);
        page.QuerySelector("[name=__RequestVerificationToken]")!.Remove();
        return page.DocumentElement.OuterHtml;
    }
}
