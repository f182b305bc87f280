using Microsoft.AspNetCore.HttpOverrides;
using SevenX42.Host.Middleware;

namespace SevenX42.Host.Startup;

/// <summary>Addresses the process listens on, proxies it trusts, and origins it lets in.</summary>
internal static class Network
{
    /// <summary>Listens on the application's addresses and on the management address.</summary>
    public static void UseListeningAddresses(this WebApplicationBuilder builder, StartSettings settings)
    {
        builder.WebHost.UseUrls([.. settings.Urls, .. settings.Management.Url is { } management ? [management] : Array.Empty<string>()]);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);
    }

    /// <summary>
    /// Believes <c>X-Forwarded-*</c> from the networks in <c>ForwardedHeaders:KnownNetworks</c> (CIDR) and from nobody else.
    /// </summary>
    public static IServiceCollection AddForwardedHeaders(this IServiceCollection services, StartSettings settings) =>
        services.Configure<ForwardedHeadersOptions>(options =>
        {
            options.ForwardedHeaders = settings.KnownNetworks.Count == 0
                ? ForwardedHeaders.None
                : ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto | ForwardedHeaders.XForwardedHost;
            options.KnownProxies.Clear();
            options.KnownIPNetworks.Clear();
            foreach (var network in settings.KnownNetworks)
                options.KnownIPNetworks.Add(network);
        });

    /// <summary>
    /// Lets the origins in <c>Cors:AllowedOrigins</c> call the API with credentials; nobody by default. Cookies are
    /// <c>SameSite</c>: a browser sends them only from other origins of the same site, such as another subdomain or port.
    /// </summary>
    public static IServiceCollection AddCrossOrigin(this IServiceCollection services, StartSettings settings) =>
        services.AddCors(cors => cors.AddDefaultPolicy(policy =>
        {
            if (settings.AllowedOrigins.Length > 0)
                policy.WithOrigins(settings.AllowedOrigins).AllowCredentials().WithHeaders("Content-Type", AntiforgeryGuard.Header).AllowAnyMethod();
        }));
}
