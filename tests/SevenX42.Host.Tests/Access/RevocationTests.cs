using System.Diagnostics;
using AngleSharp.Dom;
using SevenX42.Host.Realtime;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Access;

/// <summary>Open sockets end with the session that opened them, whatever ended it.</summary>
public sealed class RevocationTests(PostgresServer postgres, ITestOutputHelper output)
{
    private const string Email = "ada@example.org";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    [Theory]
    [InlineData("sign out", true, false)]
    [InlineData("change password", true, true)]
    [InlineData("revoke one", false, true)]
    [InlineData("revoke others", false, true)]
    [InlineData("change role", true, true)]
    [InlineData("delete account", true, true)]
    public async Task What_ends_a_session_closes_its_sockets_within_five_seconds(string action, bool endsOwn, bool endsOther)
    {
        await using var app = await AppHost.StartAsync(await postgres.CreateDatabaseAsync());
        using var administrator = new ChatBrowser(app);
        await administrator.SignUpAsync("admin@example.org");
        using var browser = new ChatBrowser(app);
        await browser.SignUpAsync(Email);
        using var elsewhere = new ChatBrowser(app);
        await elsewhere.SignInAsync(Email);
        await using var own = await RealtimeClient.ConnectAsync(app.Address, await browser.RealtimeTokenAsync());
        await using var other = await RealtimeClient.ConnectAsync(app.Address, await elsewhere.RealtimeTokenAsync());
        await using var bystander = await RealtimeClient.ConnectAsync(app.Address, await administrator.RealtimeTokenAsync());

        var began = Stopwatch.GetTimestamp();
        using (var response = await ActAsync(action, browser, administrator))
            Assert.True(response.IsSuccessStatusCode, $"{action}: {response.StatusCode}");

        if (endsOwn)
            Assert.Equal(RealtimeCloseCodes.SignedOut, await own.ClosedAsync());
        if (endsOther)
            Assert.Equal(RealtimeCloseCodes.SignedOut, await other.ClosedAsync());
        var took = Stopwatch.GetElapsedTime(began);
        output.WriteLine($"{action}: closed after {took.TotalSeconds:F1} s");
        Assert.InRange(took, TimeSpan.Zero, Limit);
        if (!endsOwn)
            await AssertOpenAsync(own);
        if (!endsOther)
            await AssertOpenAsync(other);
        await AssertOpenAsync(bystander);
    }

    private static async Task<HttpResponseMessage> ActAsync(string action, ChatBrowser browser, ChatBrowser administrator)
    {
        switch (action)
        {
            case "sign out":
                return await browser.PostAsync("/signout");
            case "change password":
                return await browser.PostAsync("/account/password", ("currentPassword", ChatBrowser.Password), ("newPassword", "eight other words, all of them new"));
            case "revoke one":
                var other = (await browser.PageAsync("/account")).QuerySelectorAll("[data-session]").Single(s => !s.Text().Contains("This session", StringComparison.Ordinal));
                return await browser.PostAsync($"/account/sessions/{other.GetAttribute("data-session")}/revoke");
            case "revoke others":
                return await browser.PostAsync("/account/sessions/revoke-others");
            case "change role":
                var accounts = await administrator.PageAsync("/admin/users");
                var user = accounts.QuerySelectorAll("[data-user]").Single(u => u.Text().Contains(Email, StringComparison.Ordinal)).GetAttribute("data-user");
                return await administrator.PostAsync($"/admin/users/{user}/role", ("administrator", "true"));
            case "delete account":
                return await browser.PostAsync("/account/delete", ("password", ChatBrowser.Password));
            default:
                throw new ArgumentOutOfRangeException(nameof(action), action, "No such action.");
        }
    }

    // Whoever is still connected is answered.
    private static async Task AssertOpenAsync(RealtimeClient client)
    {
        var id = await client.SubscribeAsync("conversation/00000000-0000-7000-8000-000000000000");
        var answer = await client.NextAsync("denied");
        Assert.Equal(id, answer.GetProperty("id").GetInt32());
    }
}
