using System.Security.Claims;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using SevenX42.Contracts.Identity;
using SevenX42.Host.Realtime;
using SevenX42.Http;
using SevenX42.Realtime;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Realtime;

/// <summary>The real-time endpoints alone, on a real Kestrel, with rooms that tests write to.</summary>
internal sealed class RealtimeHost : IAsyncDisposable
{
    private readonly WebApplication _app;

    private RealtimeHost(WebApplication app, LogLines logs)
    {
        (_app, Logs) = (app, logs);
        Address = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
    }

    public Uri Address { get; }

    public LogLines Logs { get; }

    public IServiceProvider Services => _app.Services;

    public TestIdentity Identity => Services.GetRequiredService<TestIdentity>();

    public TestRooms Rooms => Services.GetRequiredService<TestRooms>();

    public IChannelLog Log => Services.GetRequiredService<IChannelLog>();

    public RealtimeClients Clients => Services.GetRequiredService<RealtimeClients>();

    public static async Task<RealtimeHost> StartAsync(
        TimeProvider? time = null,
        Action<IServiceCollection>? services = null,
        HttpProtocols protocols = HttpProtocols.Http1,
        Action<WebApplication>? map = null,
        params (string Key, string Value)[] settings)
    {
        var logs = new LogLines();
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(k => k.ListenLocalhostOrLoopback(protocols));
        builder.Configuration.AddInMemoryCollection(settings.Select(s => KeyValuePair.Create(s.Key, (string?)s.Value)));
        builder.Logging.SetMinimumLevel(LogLevel.Trace).AddProvider(logs);
        builder.Services.AddRouting();
        builder.Services.AddProblemDetails();
        builder.Services.AddHttpContextAccessor();
        builder.Services.AddSingleton(time ?? TimeProvider.System);
        builder.Services.AddHttpBuildingBlocks();
        builder.Services.AddMemoryChannelLog();
        builder.Services.AddRealtime(builder.Configuration);
        builder.Services.AddSingleton<TestIdentity>();
        builder.Services.AddSingleton<IIdentityApi>(p => p.GetRequiredService<TestIdentity>());
        builder.Services.AddSingleton<TestRooms>();
        builder.Services.AddSingleton<IChannelKind>(p => p.GetRequiredService<TestRooms>());
        services?.Invoke(builder.Services);
        var app = builder.Build();
        app.Use(SignInFromHeaders);
        app.UseRouting();
        map?.Invoke(app);
#pragma warning disable ASP0014 // Routing stands after the sign-in here.
        app.UseEndpoints(routes => routes.MapRealtime());
#pragma warning restore ASP0014
        await app.StartAsync();
        return new RealtimeHost(app, logs);
    }

    public async Task<RealtimeClient> ConnectAsync(Guid? user = null, Guid? session = null, bool http2 = false) =>
        await RealtimeClient.ConnectAsync(Address, Identity.Issue(user, session), http2);

    public Task StopAsync() => _app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    /// <summary>Stands for the cookie: who a request is from is Identity's matter and tested there.</summary>
    private static Task SignInFromHeaders(HttpContext context, RequestDelegate next)
    {
        if (context.Request.Headers["X-User"].ToString() is { Length: > 0 } user)
        {
            context.User = new ClaimsPrincipal(new ClaimsIdentity(
                [new(UserClaims.UserId, user), new(UserClaims.SessionId, context.Request.Headers["X-Session"].ToString())], "test"));
        }

        return next(context);
    }
}

internal static class Listening
{
    public static void ListenLocalhostOrLoopback(this KestrelServerOptions kestrel, HttpProtocols protocols) =>
        kestrel.Listen(System.Net.IPAddress.Loopback, 0, endpoint => endpoint.Protocols = protocols);
}
