using System.Net;
using Microsoft.EntityFrameworkCore;

namespace SevenX42.Modules.Identity.Tests;

public sealed class GuestTests(PostgresFixture postgres)
{
    [Fact]
    public async Task The_first_command_makes_a_guest_who_stays_the_same()
    {
        await using var host = await IdentityHost.StartAsync(await postgres.CreateDatabaseAsync());
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
        await using var host = await IdentityHost.StartAsync(await postgres.CreateDatabaseAsync());
        using var browser = host.OpenBrowser();

        var response = await browser.GetAsync("/things");

        Assert.Equal(HttpStatusCode.SeeOther, response.StatusCode);
        Assert.Equal("/signin?returnUrl=%2Fthings", response.Headers.Location!.ToString());
        Assert.Equal(0, await host.QueryAsync(db => db.Users.CountAsync()));
    }

    [Fact]
    public async Task Without_guests_a_first_command_is_refused()
    {
        await using var host = await IdentityHost.StartAsync(await postgres.CreateDatabaseAsync(), [new("Identity:Guests", "false")]);
        using var browser = host.OpenBrowser();
        browser.Http.DefaultRequestHeaders.Accept.Clear();

        var response = await browser.PostAsync("/things");

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal(0, await host.QueryAsync(db => db.Users.CountAsync()));
    }
}
