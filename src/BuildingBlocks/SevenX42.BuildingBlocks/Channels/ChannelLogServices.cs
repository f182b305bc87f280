using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;

namespace SevenX42.Realtime;

/// <summary>Registers the channel log.</summary>
public static class ChannelLogServices
{
    /// <summary>
    /// Adds the <see cref="IChannelLog"/>: in a Redis that all replicas of an installation share, or in this process's memory
    /// where there is one replica.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="redis">Where Redis is, see <see cref="RedisConnectionString"/>; <see langword="null"/> for memory.</param>
    public static IServiceCollection AddChannelLog(this IServiceCollection services, string? redis)
    {
        // The settings of both are read, so that what means nothing is named wherever it stands.
        services.AddOptions<MemoryChannelLogOptions>()
            .BindConfiguration("ChannelLog:Memory")
            .ValidateDataAnnotations()
            .Validate(o => o.MaxAge > TimeSpan.Zero && o.MaxIdle > TimeSpan.Zero, "ChannelLog:Memory: times must be positive.")
            .ValidateOnStart();
        services.AddOptions<RedisChannelLogOptions>()
            .BindConfiguration("ChannelLog:Redis")
            .ValidateDataAnnotations()
            .Validate(
                o => o.MaxAge > TimeSpan.Zero && o.MaxIdle > TimeSpan.Zero && o.CheckInterval > TimeSpan.Zero,
                "ChannelLog:Redis: times must be positive.")
            .ValidateOnStart();
        services.TryAddSingleton(TimeProvider.System);
        return redis is null ? services.AddSingleton<IChannelLog, MemoryChannelLog>() : services.AddRedis(redis);
    }

    /// <summary>Adds an <see cref="IChannelLog"/> in this process's memory.</summary>
    public static IServiceCollection AddMemoryChannelLog(this IServiceCollection services) => services.AddChannelLog(null);

    private static IServiceCollection AddRedis(this IServiceCollection services, string connectionString)
    {
        services.AddMetrics();
        services.AddSingleton<ChannelLogMetrics>();
        services.AddSingleton<RedisNames>();
        services.AddSingleton(provider => new RedisConnections(connectionString, provider.GetRequiredService<ILogger<RedisConnections>>()));
        services.AddSingleton<RedisHints>();
        services.AddSingleton<IChannelLog, RedisChannelLog>();
        services.AddHostedService<RedisStart>();
        return services;
    }
}
