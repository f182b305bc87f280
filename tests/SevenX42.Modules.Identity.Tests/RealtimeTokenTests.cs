using Microsoft.Extensions.DependencyInjection;
using SevenX42.Contracts.Identity;
using SevenX42.Testing;

namespace SevenX42.Modules.Identity.Tests;

public sealed class RealtimeTokenTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_token_tells_whom_it_was_issued_to_on_every_replica()
    {
        var database = await postgres.CreateDatabaseAsync();
        await using var one = await IdentityHost.StartAsync(database, time: null);
        await using var two = await IdentityHost.StartAsync(database, time: one.Time);
        using var browser = one.OpenBrowser();
        await browser.PostAsync("/things");
        var who = await browser.WhoAmIAsync();

        var token = await IssueAsync(one, who);
        var identity = await ValidateAsync(two, token.Value.Token);

        Assert.Equal(new RealtimeIdentity(who.Id!.Value, who.SessionId!.Value, token.Value.ExpiresAt), identity);
    }

    private static async Task<Result<RealtimeToken>> IssueAsync(IdentityHost host, WhoIs who)
    {
        await using var scope = host.Services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<IIdentityApi>()
            .IssueRealtimeTokenAsync(who.Id!.Value, who.SessionId!.Value, TestContext.Current.CancellationToken);
    }

    private static async Task<RealtimeIdentity?> ValidateAsync(IdentityHost host, string token)
    {
        await using var scope = host.Services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<IIdentityApi>().ValidateRealtimeTokenAsync(token, TestContext.Current.CancellationToken);
    }
}
