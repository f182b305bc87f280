using System.ComponentModel.DataAnnotations;
using System.Threading.RateLimiting;
using Microsoft.Extensions.Options;
using SevenX42.Http;

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

/// <summary>One token bucket per person for commands and one for queries.</summary>
internal static class RateLimits
{
    public static IServiceCollection AddRateLimits(this IServiceCollection services)
    {
        services.AddOptions<RateLimitOptions>().BindConfiguration("RateLimits").ValidateDataAnnotations().ValidateOnStart();
        services.AddRateLimiter(limiter =>
        {
            limiter.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
            limiter.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, (bool Command, string Who)>(Partition);
            limiter.OnRejected = async (rejected, _) =>
            {
                var wait = rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? after : TimeSpan.FromSeconds(1);
                await Error.TooMany("rate_limited", "That was a lot at once. Wait a moment and try again.", wait)
                    .ToResult().ExecuteAsync(rejected.HttpContext);
            };
        });
        return services;
    }

    private static RateLimitPartition<(bool Command, string Who)> Partition(HttpContext context)
    {
        var who = context.User.FindFirst(UserClaims.UserId)?.Value ?? ClientAddress.CustomerAt(ClientAddress.Of(context));
        var command = !HttpMethods.IsGet(context.Request.Method) && !HttpMethods.IsHead(context.Request.Method);
        var options = context.RequestServices.GetRequiredService<IOptions<RateLimitOptions>>().Value;
        return RateLimitPartition.GetTokenBucketLimiter((Command: command, Who: who), key =>
        {
            var perMinute = key.Command ? options.CommandsPerMinute : options.QueriesPerMinute;
            return new TokenBucketRateLimiterOptions
            {
                TokenLimit = Math.Max(1, perMinute / 2),
                TokensPerPeriod = 1,
                ReplenishmentPeriod = TimeSpan.FromMinutes(1) / perMinute,
                AutoReplenishment = true,
            };
        });
    }
}
