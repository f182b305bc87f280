using Microsoft.Extensions.DependencyInjection.Extensions;
using SevenX42.Limits;

namespace SevenX42.Host.Realtime;

/// <summary>Sockets, polls and their token.</summary>
internal static class RealtimeExtensions
{
    /// <summary>Adds what <see cref="MapRealtime"/> needs; the channel log and the modules' channel kinds are added elsewhere.</summary>
    public static IServiceCollection AddRealtime(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<RealtimeOptions>()
            .Bind(configuration.GetSection("Realtime"))
            .ValidateDataAnnotations()
            .ValidateOnStart();
        services.TryAddSingleton(TimeProvider.System);
        services.AddSharedLimits();
        services.AddSingleton<RealtimeMetrics>();
        services.AddSingleton<OriginPolicy>();
        services.AddSingleton<RealtimeClients>();
        services.AddSingleton<RealtimeAccess>();
        services.AddSingleton<FlushClock>();
        services.AddSingleton<ChannelFeeds>();
        services.AddSingleton<RealtimeHeartbeat>();
        services.AddSingleton<RealtimeServer>();
        services.AddSingleton<PollLimits>();
        services.AddHostedService(provider => provider.GetRequiredService<RealtimeHeartbeat>());
        services.AddHostedService<SessionRevocation>();
        services.AddHostedService<RealtimeDrain>();
        return services;
    }

    /// <summary>Maps <c>/realtime</c>, <c>/realtime/poll</c> and <c>/realtime/token</c>.</summary>
    public static IEndpointRouteBuilder MapRealtime(this IEndpointRouteBuilder routes)
    {
        var socket = routes.CreateApplicationBuilder();
        socket.UseWebSockets();
        socket.Run(SocketEndpoint.HandleAsync);
        // Over HTTP/2 a WebSocket begins with CONNECT. Both have limits of their own: a rate limit on requests would meet all
        // tabs behind one address when they reconnect together.
        routes.MapMethods("/realtime", [HttpMethods.Get, HttpMethods.Connect], socket.Build()).DisableRateLimiting();
        routes.MapGet("/realtime/poll", PollEndpoint.AnswerAsync).DisableRateLimiting();
        routes.MapPost("/realtime/token", TokenEndpoint.IssueAsync);
        return routes;
    }
}
