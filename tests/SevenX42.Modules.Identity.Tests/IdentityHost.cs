using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using SevenX42.Http;
using SevenX42.Modules.Identity.Infrastructure;
using SevenX42.Persistence;

namespace SevenX42.Modules.Identity.Tests;

/// <summary>The Identity module alone on a real Kestrel and a real database, with a clock that the test moves.</summary>
internal sealed class IdentityHost : IAsyncDisposable
{
    public const string Secret = "tests-and-nothing-but-tests-f3a9c1e7b5d2";

    private readonly WebApplication _app;

    private IdentityHost(WebApplication app, Uri address, FakeTimeProvider time) => (_app, Address, Time) = (app, address, time);

    public Uri Address { get; }

    public FakeTimeProvider Time { get; }

    public IServiceProvider Services => _app.Services;

    public static async Task<IdentityHost> StartAsync(
        string connectionString, IEnumerable<KeyValuePair<string, string?>>? settings = null, FakeTimeProvider? time = null, string environment = "Production")
    {
        time ??= new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = environment });
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["ConnectionStrings:Postgres"] = connectionString,
            ["Identity:Guests"] = "true",
            ["Identity:KeyEncryptionSecret"] = Secret,
        });
        builder.Configuration.AddInMemoryCollection(settings ?? []);
        builder.Services.AddSingleton<TimeProvider>(time);
        builder.Services.AddSingleton(new AppRoleContext(AppRole.All));
        builder.Services.AddHttpBuildingBlocks();
        builder.Services.AddAntiforgery();
        builder.Services.AddRateLimiter(_ => { });
        builder.Services.Configure<ForwardedHeadersOptions>(o =>
        {
            o.ForwardedHeaders = ForwardedHeaders.All;
            o.KnownIPNetworks.Add(System.Net.IPNetwork.Parse("127.0.0.0/8"));
        });
        var module = new IdentityModule();
        module.Add(builder.Services, builder.Configuration);
        var app = builder.Build();
        app.UseForwardedHeaders();
        app.UseRouting();
        app.UseAuthentication();
        app.UseRateLimiter();
        app.UseAntiforgery();
        IdentityModule.UseGuestSessions(app);
        app.UseAuthorization();
        module.Map(app);
        app.MapGet("/who", Who);
        app.MapPost("/things", Who).RequireAuthorization().WithMetadata(new AllowGuestCreation());
        app.MapGet("/things", Who).RequireAuthorization().WithMetadata(new AllowGuestCreation());
        app.MapGet("/administration", Who).RequireAuthorization(UserClaims.Administrator);
        await app.Services.GetRequiredService<IModuleDatabase>().MigrateAsync(CancellationToken.None);
        await app.StartAsync();
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        return new IdentityHost(app, new Uri(address), time);
    }

    public Browser OpenBrowser(string? scheme = null) => new(Address, scheme);

    public async Task<T> QueryAsync<T>(Func<IdentityDbContext, Task<T>> query)
    {
        await using var scope = Services.CreateAsyncScope();
        return await query(scope.ServiceProvider.GetRequiredService<IdentityDbContext>());
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private static IResult Who(ICurrentUser user, HttpContext http) =>
        Results.Json(new WhoIs(user.Id, user.SessionId, http.User.FindFirst(UserClaims.Name)?.Value, user.IsGuest, user.IsAdministrator));
}

internal sealed record WhoIs(Guid? Id, Guid? SessionId, string? Name, bool IsGuest, bool IsAdministrator);
