using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using SevenX42.Realtime;

namespace SevenX42.Limits;

/// <summary>Registers the limits.</summary>
public static class LimitServices
{
    /// <summary>
    /// Adds <see cref="ISharedLimits"/>, unless there are some: in the Redis that the channel log is in, or in this process's memory
    /// where there is one replica.
    /// </summary>
    /// <param name="services">The services; the channel log is among them when there is a Redis.</param>
    /// <param name="redis">Where Redis is, see <see cref="RedisConnectionString"/>; <see langword="null"/> for memory.</param>
    public static IServiceCollection AddSharedLimits(this IServiceCollection services, string? redis = null)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<MemoryLimits>();
        if (redis is null)
        {
            services.TryAddSingleton<ISharedLimits>(provider => provider.GetRequiredService<MemoryLimits>());
            return services;
        }

        services.AddMetrics();
        services.TryAddSingleton(LimitTimes.Default);
        services.AddSingleton<LimitMetrics>();
        services.AddSingleton<RedisLimits>();
        services.AddSingleton<ISharedLimits>(provider => provider.GetRequiredService<RedisLimits>());
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<RedisLimits>());
        return services;
    }
}
