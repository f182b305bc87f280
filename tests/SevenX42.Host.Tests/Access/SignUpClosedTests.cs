using AngleSharp.Dom;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Access;

/// <summary>Nobody is offered what the installation does not have.</summary>
public sealed class SignUpClosedTests(PostgresServer postgres)
{
    [Theory]
    [InlineData("Closed", false)]
    [InlineData("Open", true)]
    public async Task Signing_up_is_offered_where_it_is_open_and_nowhere_else(string mode, bool offered)
    {
        await using var app = await AppHost.StartAsync(await postgres.CreateDatabaseAsync(), [new("Identity:SignUp", mode)]);
        using var nobody = new ChatBrowser(app);
        using var guest = new ChatBrowser(app);
        await guest.BeginAsync("Hello");

        foreach (var (who, path) in (List<(ChatBrowser, string)>)[(nobody, "/signin"), (guest, "/"), (guest, "/account"), (guest, "/signin")])
            Assert.Equal(offered, (await who.PageAsync(path)).QuerySelectorAll("a[href^='/signup']").Length > 0);
        Assert.Equal(offered, (await nobody.PageAsync("/")).QuerySelector("#sidebar")!.Text().Contains("make an account", StringComparison.Ordinal));
        // A guest gets to what is theirs, all the same, and to an account they have.
        Assert.Equal(offered ? 0 : 1, (await guest.PageAsync("/")).QuerySelectorAll("#sidebar a[href='/account']").Length);
        Assert.Single((await guest.PageAsync("/account")).QuerySelectorAll("main a[href='/signin']"));
    }
}
