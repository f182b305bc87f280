using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Rendering;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using SevenX42.Contracts.Identity;
using SevenX42.Http;
using SevenX42.Messaging;
using SevenX42.Modules.Identity.Infrastructure;
using SevenX42.Persistence;
using SevenX42.Testing;

namespace SevenX42.Modules.Identity.Tests;

/// <summary>The Identity module alone, on a real Kestrel and a real database, with a clock that the test moves.</summary>
internal sealed class IdentityHost : IAsyncDisposable
{
    public const string Secret = "tests-and-nothing-but-tests-f3a9c1e7b5d2";

    private readonly WebApplication _app;

    private IdentityHost(WebApplication app, Uri address, string database, FakeTimeProvider time) =>
        (_app, Address, Database, Time) = (app, address, database, time);

    public Uri Address { get; }

    public string Database { get; }

    public FakeTimeProvider Time { get; }

    public IServiceProvider Services => _app.Services;

    /// <summary>Users whose deletion was told to other modules, as often as it was told.</summary>
    public IReadOnlyCollection<Guid> Deleted => Services.GetRequiredService<DeletedUsers>().Ids;

    public static async Task<IdentityHost> StartAsync(PostgresServer postgres, params (string Key, string? Value)[] settings) =>
        await StartAsync(await postgres.CreateDatabaseAsync(), time: null, settings);

    /// <summary>A second replica of one that runs.</summary>
    public Task<IdentityHost> StartReplicaAsync(params (string Key, string? Value)[] settings) => StartAsync(Database, Time, settings);

    public static async Task<IdentityHost> StartAsync(string database, FakeTimeProvider? time, params (string Key, string? Value)[] settings)
    {
        time ??= new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions
        {
            EnvironmentName = settings.FirstOrDefault(s => s.Key == "Environment").Value ?? "Production",
        });
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["ConnectionStrings:Postgres"] = database,
            ["Identity:Guests"] = "true",
            ["Identity:KeyEncryptionSecret"] = Secret,
        });
        builder.Configuration.AddInMemoryCollection(settings.ToDictionary(s => s.Key, s => s.Value));
        builder.Services.AddSingleton<TimeProvider>(time);
        builder.Services.AddSingleton(new PageLayout(typeof(PlainLayout)));
        builder.Services.AddHttpBuildingBlocks();
        builder.Services.AddAntiforgery();
        builder.Services.AddRateLimiter(limiter => limiter.RejectionStatusCode = StatusCodes.Status429TooManyRequests);
        builder.Services.Configure<ForwardedHeadersOptions>(options =>
        {
            options.ForwardedHeaders = ForwardedHeaders.All;
            options.KnownIPNetworks.Add(System.Net.IPNetwork.Parse("127.0.0.0/8"));
        });
        builder.Services.AddSingleton<DeletedUsers>();
        builder.Services.AddIntegrationEventHandler<UserDeleted, DeletedUsersHandler>();
        var module = new IdentityModule();
        module.Add(builder.Services, builder.Configuration);
        var app = builder.Build();
        try
        {
            app.UseForwardedHeaders();
            app.UseRouting();
            app.UseAuthentication();
            app.UseRateLimiter();
            app.UseAntiforgery();
            IdentityModule.UseGuestSessions(app);
            app.UseAuthorization();
            module.Map(app);
            app.MapGet("/who", Who);
            app.MapGet("/token", Token);
            app.MapPost("/things", Who).RequireAuthorization().WithMetadata(new AllowGuestCreation());
            app.MapGet("/things", Who).RequireAuthorization().WithMetadata(new AllowGuestCreation());
            app.MapPost("/members", Who).RequireAuthorization();
            app.MapGet("/members", Who).RequireAuthorization();
            await app.Services.GetRequiredService<IModuleDatabase>().MigrateAsync(CancellationToken.None);
            await app.StartAsync();
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }

        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        return new IdentityHost(app, new Uri(address), database, time);
    }

    public Browser OpenBrowser() => new(Address);

    /// <summary>A browser with an account in it.</summary>
    public async Task<Browser> SignUpAsync(string email, string password = Browser.Password, string displayName = "Somebody")
    {
        var browser = OpenBrowser();
        await browser.SignUpAsync(email, password, displayName);
        return browser;
    }

    public async Task<T> QueryAsync<T>(Func<IdentityDbContext, Task<T>> query)
    {
        await using var scope = Services.CreateAsyncScope();
        return await query(scope.ServiceProvider.GetRequiredService<IdentityDbContext>());
    }

    public Task<int> ExecuteAsync(FormattableString sql) => QueryAsync(db => db.Database.ExecuteSqlAsync(sql));

    public async Task<T> AskAsync<T>(Func<IIdentityApi, Task<T>> ask)
    {
        await using var scope = Services.CreateAsyncScope();
        return await ask(scope.ServiceProvider.GetRequiredService<IIdentityApi>());
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private static IResult Token(HttpContext http, Microsoft.AspNetCore.Antiforgery.IAntiforgery antiforgery) =>
        Results.Text(antiforgery.GetAndStoreTokens(http).RequestToken);

    private static IResult Who(ICurrentUser user, HttpContext http) =>
        Results.Json(new WhoIs(user.Id, user.SessionId, http.User.FindFirst(UserClaims.Name)?.Value, user.IsGuest, user.IsAdministrator));
}

internal sealed record WhoIs(Guid? Id, Guid? SessionId, string? Name, bool IsGuest, bool IsAdministrator);

internal sealed class DeletedUsers
{
    private readonly System.Collections.Concurrent.ConcurrentQueue<Guid> _ids = new();

    public IReadOnlyCollection<Guid> Ids => _ids;

    public void Add(Guid id) => _ids.Enqueue(id);
}

internal sealed class DeletedUsersHandler(DeletedUsers deleted) : IIntegrationEventHandler<UserDeleted>
{
    public Task HandleAsync(UserDeleted integrationEvent, CancellationToken cancellationToken)
    {
        deleted.Add(integrationEvent.UserId);
        return Task.CompletedTask;
    }
}

/// <summary>A page frame without anything in it.</summary>
public sealed class PlainLayout : ComponentBase
{
    [Parameter]
    public string Title { get; set; } = "";

    [Parameter]
    public RenderFragment? ChildContent { get; set; }

    protected override void BuildRenderTree(RenderTreeBuilder builder)
    {
        builder.AddMarkupContent(0, "<!doctype html><title>");
        builder.AddContent(1, Title);
        builder.AddMarkupContent(2, "</title><main id=\"main\">");
        builder.AddContent(3, ChildContent);
        builder.AddMarkupContent(4, "</main>");
    }
}
