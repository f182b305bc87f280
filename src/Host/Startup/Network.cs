using Microsoft.AspNetCore.HttpOverrides;
using SevenX42.Host.Middleware;
using SevenX42.Host.Observability;

namespace SevenX42.Host.Startup;

/// <summary>Addresses the process listens on, proxies it trusts, and origins it lets in.</summary>
internal static class Network
{
    public const string DefaultUrl = "http://localhost:5042";

    /// <summary>Listens on <c>Urls</c> (default <see cref="DefaultUrl"/>) and on the management address.</summary>
    public static ManagementPort UseListeningAddresses(this WebApplicationBuilder builder)
    {
        var managementUrl = builder.Configuration["Management:Url"] ?? ManagementPort.DefaultUrl;
        var urls = builder.Configuration["Urls"] is { Length: > 0 } configured ? configured : DefaultUrl;
        builder.WebHost.UseUrls([.. urls.Split(';', StringSplitOptions.RemoveEmptyEntries), .. managementUrl is "" ? Array.Empty<string>() : [managementUrl]]);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);
        return new ManagementPort(managementUrl);
    }

    /// <summary>
    /// Believes <c>X-Forwarded-*</c> from the networks in <c>ForwardedHeaders:KnownNetworks</c> (CIDR) and from nobody else.
    /// </summary>
    public static IServiceCollection AddForwardedHeaders(this IServiceCollection services, IConfiguration configuration)
    {
        var networks = configuration.GetSection("ForwardedHeaders:KnownNetworks").Get<string[]>() ?? [];
        return services.Configure<ForwardedHeadersOptions>(options =>
        {
            options.ForwardedHeaders = networks.Length == 0
                ? ForwardedHeaders.None
                : ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto | ForwardedHeaders.XForwardedHost;
            options.KnownProxies.Clear();
            options.KnownIPNetworks.Clear();
            foreach (var network in networks)
                options.KnownIPNetworks.Add(System.Net.IPNetwork.Parse(network));
        });
    }

    /// <summary>Lets the origins in <c>Cors:AllowedOrigins</c> call the API with credentials; nobody by default.</summary>
    public static IServiceCollection AddCrossOrigin(this IServiceCollection services, IConfiguration configuration)
    {
        var origins = configuration.GetSection("Cors:AllowedOrigins").Get<string[]>() ?? [];
        return services.AddCors(cors => cors.AddDefaultPolicy(policy =>
        {
            if (origins.Length > 0)
                policy.WithOrigins(origins).AllowCredentials().WithHeaders("Content-Type", AntiforgeryGuard.Header).AllowAnyMethod();
        }));
    }
}
