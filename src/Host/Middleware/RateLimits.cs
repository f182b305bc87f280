using System.ComponentModel.DataAnnotations;
using System.Threading.RateLimiting;
using Microsoft.Extensions.Options;
using SevenX42.Http;
using SevenX42.Limits;

namespace SevenX42.Host.Middleware;

/// <summary>How much one person (or, before signing in, one address) may ask for. Section <c>RateLimits</c>.</summary>
internal sealed class RateLimitOptions
{
    /// <summary>Requests that change something, per minute.</summary>
    [Range(1, 1_000_000)]
    public int CommandsPerMinute { get; set; } = 120;

    /// <summary>All other requests, per minute.</summary>
    [Range(1, 1_000_000)]
    public int QueriesPerMinute { get; set; } = 1200;
}

/// <summary>One token bucket per person for commands and one for queries, over all replicas.</summary>
internal static class RateLimits
{
    public static IServiceCollection AddRateLimits(this IServiceCollection services)
    {
        services.AddOptions<RateLimitOptions>().BindConfiguration("RateLimits").ValidateDataAnnotations().ValidateOnStart();
        services.AddRateLimiter(limiter =>
        {
            limiter.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
            limiter.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, string>(Partition);
            limiter.OnRejected = async (rejected, _) =>
            {
                var wait = rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? after : TimeSpan.FromSeconds(1);
                await Error.TooMany("rate_limited", "That was a lot at once. Wait a moment and try again.", wait)
                    .ToResult().ExecuteAsync(rejected.HttpContext);
            };
        });
        return services;
    }

    private static RateLimitPartition<string> Partition(HttpContext context)
    {
        var who = context.User.FindFirst(UserClaims.UserId)?.Value ?? ClientAddress.CustomerAt(ClientAddress.Of(context));
        var isCommand = !HttpMethods.IsGet(context.Request.Method) && !HttpMethods.IsHead(context.Request.Method);
        var options = context.RequestServices.GetRequiredService<IOptions<RateLimitOptions>>().Value;
        var perMinute = isCommand ? options.CommandsPerMinute : options.QueriesPerMinute;
        var rate = new Rate(Math.Max(1, perMinute / 2), TimeSpan.FromMinutes(1) / perMinute);
        return SharedLimiter.On(context, $"{(isCommand ? "commands" : "queries")}/{who}", rate);
    }
}
