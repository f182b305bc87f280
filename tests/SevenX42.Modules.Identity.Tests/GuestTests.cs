using System.Net;
using Microsoft.EntityFrameworkCore;
using SevenX42.Modules.Identity.Infrastructure.Guests;
using SevenX42.Testing;

namespace SevenX42.Modules.Identity.Tests;

public sealed class GuestTests(PostgresServer postgres)
{
    [Fact]
    public async Task The_first_command_makes_a_guest_who_stays_the_same()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var browser = host.OpenBrowser();

        var response = await browser.PostAsync("/things");
        var first = await browser.WhoAmIAsync();
        await browser.PostAsync("/things");
        var second = await browser.WhoAmIAsync();

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.NotNull(first.Id);
        Assert.True(first.IsGuest);
        Assert.False(first.IsAdministrator);
        Assert.Equal("Guest", first.Name);
        Assert.Equal(first, second);
    }

    [Fact]
    public async Task A_get_makes_no_guest()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var browser = host.OpenBrowser();

        var response = await browser.GetAsync("/things?x=1");

        Assert.Equal(HttpStatusCode.SeeOther, response.StatusCode);
        Assert.Equal("/signin?returnUrl=%2Fthings%3Fx%3D1", response.Headers.Location!.ToString());
        Assert.Equal(0, await host.QueryAsync(db => db.Users.CountAsync()));
    }

    [Fact]
    public async Task A_command_that_needs_an_account_makes_no_guest()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var browser = host.OpenBrowser();

        var page = await browser.PostAsync("/members");
        browser.Http.DefaultRequestHeaders.Add("HX-Request", "true");
        var fragment = await browser.PostAsync("/members");

        Assert.Equal("/signin?returnUrl=%2F", page.Headers.Location!.ToString());
        Assert.Equal(HttpStatusCode.Unauthorized, fragment.StatusCode);
        Assert.Equal(0, await host.QueryAsync(db => db.Users.CountAsync()));
    }

    [Fact]
    public async Task Without_guests_a_first_command_is_refused()
    {
        await using var host = await IdentityHost.StartAsync(postgres, ("Identity:Guests", "false"));
        using var browser = host.OpenBrowser();
        browser.Http.DefaultRequestHeaders.Accept.Clear();

        var response = await browser.PostAsync("/things");

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal(0, await host.QueryAsync(db => db.Users.CountAsync()));
    }

    [Theory]
    [InlineData("Production", null, HttpStatusCode.Unauthorized)]
    [InlineData("Production", "true", HttpStatusCode.OK)]
    [InlineData("Development", null, HttpStatusCode.OK)]
    public async Task Guests_are_on_where_somebody_runs_it_for_themselves(string environment, string? embedded, HttpStatusCode expected)
    {
        await using var host = await IdentityHost.StartAsync(postgres, ("Environment", environment), ("Embedded", embedded), ("Identity:Guests", null));
        using var browser = host.OpenBrowser();
        browser.Http.DefaultRequestHeaders.Accept.Clear();

        Assert.Equal(expected, (await browser.PostAsync("/things")).StatusCode);
    }

    [Fact]
    public async Task A_first_command_sent_twice_at_once_makes_one_guest()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var browser = host.OpenBrowser();
        await browser.GetAsync("/signin");

        var responses = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => browser.PostAsync("/things")));

        Assert.All(responses, r => Assert.Equal(HttpStatusCode.OK, r.StatusCode));
        var guest = Assert.Single(await host.QueryAsync(db => db.Users.ToListAsync()));
        Assert.Equal(guest.Id, (await browser.WhoAmIAsync()).Id);
    }

    [Fact]
    public async Task What_a_browser_was_known_by_before_opens_no_account_that_grew_out_of_the_guest()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var browser = host.OpenBrowser();
        await browser.GetAsync("/signin");
        await browser.BecomeGuestAsync();
        var account = await browser.SignUpAsync("ada@example.org");
        browser.SessionCookie!.Expired = true;

        var stranger = await browser.BecomeGuestAsync();

        Assert.True(stranger.IsGuest);
        Assert.NotEqual(account.Id, stranger.Id);
    }

    [Fact]
    public async Task What_a_browser_was_known_by_before_opens_no_guest_of_some_time_ago()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var browser = host.OpenBrowser();
        await browser.GetAsync("/signin");
        var first = await browser.BecomeGuestAsync();
        browser.SessionCookie!.Expired = true;
        host.Time.Advance(TimeSpan.FromMinutes(1));

        var second = await browser.BecomeGuestAsync();

        Assert.NotEqual(first.Id, second.Id);
    }

    [Fact]
    public async Task One_address_becomes_a_limited_number_of_guests()
    {
        await using var host = await IdentityHost.StartAsync(postgres, ("Identity:RateLimits:GuestsPerHour", "2"));
        List<HttpResponseMessage> responses = [];
        for (var i = 0; i < 4; i++)
        {
            using var browser = host.OpenBrowser();
            browser.Http.DefaultRequestHeaders.Add("X-Forwarded-For", i < 3 ? "203.0.113.7" : "203.0.113.8");
            responses.Add(await browser.PostAsync("/things"));
        }

        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.OK, HttpStatusCode.TooManyRequests, HttpStatusCode.OK], responses.Select(r => r.StatusCode));
        Assert.NotNull(responses[2].Headers.RetryAfter);
    }

    [Fact]
    public async Task Guests_who_are_not_seen_for_a_month_are_deleted_with_all_they_have()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        using var gone = host.OpenBrowser();
        using var stays = host.OpenBrowser();
        using var account = await host.SignUpAsync("ada@example.org");
        var goneId = (await gone.BecomeGuestAsync()).Id!.Value;
        var staysId = (await stays.BecomeGuestAsync()).Id!.Value;

        host.Time.Advance(TimeSpan.FromDays(20));
        Assert.Equal(staysId, (await stays.WhoAmIAsync()).Id);
        host.Time.Advance(TimeSpan.FromDays(11));
        await Eventually.TrueAsync(() => host.Deleted.Count > 0);

        Assert.Equal([goneId], host.Deleted);
        Assert.Equal(2, await host.QueryAsync(db => db.Users.CountAsync()));
        Assert.Equal(staysId, (await stays.WhoAmIAsync()).Id);
        Assert.Null((await gone.WhoAmIAsync()).Id);
    }

    [Fact]
    public async Task The_purge_goes_on_until_nobody_is_left_and_deletes_everybody_once()
    {
        await using var host = await IdentityHost.StartAsync(postgres);
        await using var replica = await host.StartReplicaAsync();
        await host.ExecuteAsync(
            $"""
            INSERT INTO identity.users (id, display_name, is_guest, is_administrator, created_at, last_seen_at, access_failed_count)
            SELECT gen_random_uuid(), 'Guest', true, false, now() - interval '90 days', now() - interval '90 days', 0 FROM generate_series(1, 350)
            """);

        host.Time.Advance(Purge.Interval);
        await Eventually.TrueAsync(() => host.QueryAsync(async db => !await db.Users.AnyAsync()));
        await Eventually.TrueAsync(() => host.Deleted.Count + replica.Deleted.Count >= 350);

        Assert.Equal(350, host.Deleted.Concat(replica.Deleted).Distinct().Count());
        Assert.Equal(350, host.Deleted.Count + replica.Deleted.Count);
    }
}
