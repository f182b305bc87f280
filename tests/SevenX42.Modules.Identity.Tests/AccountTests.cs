using System.Net;
using AngleSharp.Dom;
using Microsoft.EntityFrameworkCore;
using SevenX42.Testing;

namespace SevenX42.Modules.Identity.Tests;

/// <summary>The account page: name, password, sessions, and the end.</summary>
public sealed class AccountTests(PostgresServer postgres)
{
    private const string Email = "ada@example.org";
    private const string NewPassword = "eight other words, which are new";

    [Fact]
    public async Task A_name_is_changed_everywhere_at_once()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var browser = await host.SignUpAsync(Email, displayName: "Ada");
        using var other = host.OpenBrowser();
        await other.SignInAsync(Email);

        using var response = await browser.SubmitAsync("/account", "/account/name", ("displayName", "Augusta Ada"));

        Assert.Equal((HttpStatusCode.SeeOther, "/account?done=Name"), (response.StatusCode, response.Headers.Location?.OriginalString));
        Assert.Contains("Saved.", (await Browser.ReadAsync(await browser.GetAsync("/account?done=Name"))).Body!.TextContent, StringComparison.Ordinal);
        await Eventually.TrueAsync(async () => (await browser.WhoAmIAsync()).Name == "Augusta Ada");
        await Eventually.TrueAsync(async () => (await other.WhoAmIAsync()).Name == "Augusta Ada");
    }

    [Fact]
    public async Task A_new_password_ends_every_other_session_and_renews_this_one()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var browser = await host.SignUpAsync(Email);
        using var other = host.OpenBrowser();
        await other.SignInAsync(Email);
        var before = await browser.WhoAmIAsync();

        using var response = await browser.SubmitAsync(
            "/account", "/account/password", ("currentPassword", Browser.Password), ("newPassword", NewPassword));

        Assert.Equal(HttpStatusCode.SeeOther, response.StatusCode);
        var after = await browser.WhoAmIAsync();
        Assert.Equal(before.Id, after.Id);
        Assert.NotEqual(before.SessionId, after.SessionId);
        Assert.Null((await other.WhoAmIAsync()).Id);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await other.SignInAsync(Email)).StatusCode);
        Assert.Equal(HttpStatusCode.SeeOther, (await other.SignInAsync(Email, NewPassword)).StatusCode);
    }

    [Theory]
    [InlineData("not the right password", NewPassword, "currentPassword", "This is not your password.")]
    [InlineData("", NewPassword, "currentPassword", "Enter your present password.")]
    [InlineData(Browser.Password, "short", "newPassword", "A password has at least 10 characters.")]
    [InlineData(Browser.Password, Browser.Password, "newPassword", "This is the password you have.")]
    [InlineData(Browser.Password, Email, "newPassword", "Your email address is no secret. Choose another password.")]
    public async Task A_password_is_not_changed_for_whoever_does_not_know_it_or_to_a_bad_one(string present, string wanted, string field, string sentence)
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var browser = await host.SignUpAsync(Email);

        using var response = await browser.SubmitAsync("/account", "/account/password", ("currentPassword", present), ("newPassword", wanted));

        Assert.Equal(HttpStatusCode.UnprocessableEntity, response.StatusCode);
        var page = await Browser.ReadAsync(response);
        var input = Assert.Single(page.QuerySelectorAll("[aria-invalid=true]"));
        Assert.Equal(field, input.GetAttribute("name"));
        Assert.Equal(sentence, page.GetElementById(input.GetAttribute("aria-describedby")!.Split(' ')[0])!.TextContent.Trim());
        using var again = host.OpenBrowser();
        Assert.Equal(HttpStatusCode.SeeOther, (await again.SignInAsync(Email)).StatusCode);
    }

    [Fact]
    public async Task Sessions_are_listed_with_their_devices_and_one_of_them_is_ended()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var browser = await host.SignUpAsync(Email);
        using var phone = host.OpenBrowser();
        phone.Http.DefaultRequestHeaders.UserAgent.Clear();
        phone.Http.DefaultRequestHeaders.UserAgent.ParseAdd("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1");
        await phone.SignInAsync(Email);
        var ended = (await phone.WhoAmIAsync()).SessionId;

        var page = await Browser.ReadAsync(await browser.GetAsync("/account"));
        var sessions = page.QuerySelectorAll("[data-session]").ToList();
        Assert.Equal(2, sessions.Count);
        Assert.Contains("Firefox", sessions[0].TextContent, StringComparison.Ordinal);
        Assert.Contains("This session", sessions[0].TextContent, StringComparison.Ordinal);
        Assert.Contains("iPhone", sessions[1].TextContent, StringComparison.Ordinal);
        using var response = await browser.SubmitAsync("/account", $"/account/sessions/{ended}/revoke", htmx: true);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Single((await Browser.ReadAsync(response)).QuerySelectorAll("[data-session]"));
        Assert.Null((await phone.WhoAmIAsync()).Id);
        Assert.NotNull((await browser.WhoAmIAsync()).Id);
    }

    [Fact]
    public async Task Everywhere_else_is_signed_out_at_once()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var browser = await host.SignUpAsync(Email);
        using var two = host.OpenBrowser();
        using var three = host.OpenBrowser();
        await two.SignInAsync(Email);
        await three.SignInAsync(Email);

        using var response = await browser.SubmitAsync("/account", "/account/sessions/revoke-others");

        Assert.Equal(HttpStatusCode.SeeOther, response.StatusCode);
        Assert.NotNull((await browser.WhoAmIAsync()).Id);
        Assert.Null((await two.WhoAmIAsync()).Id);
        Assert.Null((await three.WhoAmIAsync()).Id);
    }

    [Fact]
    public async Task A_session_of_somebody_else_is_not_found_and_goes_on()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var victim = await host.SignUpAsync("victim@example.org");
        var session = (await victim.WhoAmIAsync()).SessionId;
        using var attacker = await host.SignUpAsync(Email);
        using var second = host.OpenBrowser();
        await second.SignInAsync(Email);
        var page = await Browser.ReadAsync(await attacker.GetAsync("/account"));
        var token = page.QuerySelector("[name=__RequestVerificationToken]")!.GetAttribute("value")!;

        using var response = await attacker.PostAsync(
            $"/account/sessions/{session}/revoke", new FormUrlEncodedContent([new("__RequestVerificationToken", token)]));

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.NotNull((await victim.WhoAmIAsync()).Id);
    }

    [Fact]
    public async Task An_account_is_deleted_with_its_password_and_told_to_every_module_once()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var administrator = await host.SignUpAsync("admin@example.org");
        using var browser = await host.SignUpAsync(Email);
        using var other = host.OpenBrowser();
        await other.SignInAsync(Email);
        var id = (await browser.WhoAmIAsync()).Id!.Value;

        using var refused = await browser.SubmitAsync("/account", "/account/delete", ("password", "not the right password"));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.StatusCode);
        Assert.NotNull((await browser.WhoAmIAsync()).Id);
        using var deleted = await browser.SubmitAsync("/account", "/account/delete", ("password", Browser.Password));

        Assert.Equal((HttpStatusCode.SeeOther, "/"), (deleted.StatusCode, deleted.Headers.Location?.OriginalString));
        Assert.Null((await browser.WhoAmIAsync()).Id);
        Assert.Null((await other.WhoAmIAsync()).Id);
        Assert.False(await host.QueryAsync(db => db.Users.AnyAsync(u => u.Id == id)));
        await Eventually.TrueAsync(() => host.Deleted.Count > 0);
        Assert.Equal([id], host.Deleted);
        // The address is free again.
        using var again = await host.SignUpAsync(Email);
        Assert.NotEqual(id, (await again.WhoAmIAsync()).Id);
    }

    [Fact]
    public async Task A_guest_deletes_what_they_have_with_a_word()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var browser = host.OpenBrowser();
        var guest = await browser.BecomeGuestAsync();

        using var refused = await browser.SubmitAsync("/account", "/account/delete", ("confirmation", "no"));
        using var deleted = await browser.SubmitAsync("/account", "/account/delete", ("confirmation", " Delete "));

        Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.StatusCode);
        Assert.Equal(HttpStatusCode.SeeOther, deleted.StatusCode);
        await Eventually.TrueAsync(() => host.Deleted.Contains(guest.Id!.Value));
    }

    [Fact]
    public async Task The_only_administrator_can_not_leave_others_without_one()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var administrator = await host.SignUpAsync("admin@example.org");
        using var other = await host.SignUpAsync(Email);
        var otherId = (await other.WhoAmIAsync()).Id;

        using var refused = await administrator.SubmitAsync("/account", "/account/delete", ("password", Browser.Password));
        using var promoted = await administrator.SubmitAsync("/admin/users", $"/admin/users/{otherId}/role");
        using var deleted = await administrator.SubmitAsync("/account", "/account/delete", ("password", Browser.Password));

        Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.StatusCode);
        Assert.Contains("only administrator", (await Browser.ReadAsync(refused)).Body!.TextContent, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.SeeOther, promoted.StatusCode);
        Assert.Equal(HttpStatusCode.SeeOther, deleted.StatusCode);
        // A change of role ends the sessions it is about.
        await other.SignInAsync(Email);
        Assert.True((await other.WhoAmIAsync()).IsAdministrator);
    }

    [Fact]
    public async Task Accounts_are_shown_to_administrators_only()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var administrator = await host.SignUpAsync("admin@example.org");
        using var other = await host.SignUpAsync(Email);
        using var nobody = host.OpenBrowser();

        Assert.Contains(Email, (await Browser.ReadAsync(await administrator.GetAsync("/admin/users"))).Body!.TextContent, StringComparison.Ordinal);
        using var forbidden = await other.GetAsync("/admin/users");
        using var anonymous = await nobody.GetAsync("/admin/users");

        Assert.NotEqual(HttpStatusCode.OK, forbidden.StatusCode);
        Assert.DoesNotContain("admin@example.org", await forbidden.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.SeeOther, anonymous.StatusCode);
    }

    [Fact]
    public async Task The_account_page_takes_few_commands_however_many_sessions_there_are()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var browser = await host.SignUpAsync(Email);
        await browser.GetAsync("/account");
        var few = await CountAsync();
        for (var i = 0; i < 8; i++)
        {
            using var another = host.OpenBrowser();
            await another.SignInAsync(Email);
        }

        Assert.Equal(few, await CountAsync());
        Assert.InRange(few, 1, 4);

        async Task<int> CountAsync()
        {
            using var count = new CommandCount(host.Database);
            (await browser.GetAsync("/account")).EnsureSuccessStatusCode();
            return count.Value;
        }
    }
}
