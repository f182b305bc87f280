using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace SevenX42.Realtime;

/// <summary>Registers the channel log.</summary>
public static class ChannelLogServices
{
    /// <summary>Adds an <see cref="IChannelLog"/> in this process's memory, for an installation of one replica.</summary>
    public static IServiceCollection AddMemoryChannelLog(this IServiceCollection services)
    {
        services.AddOptions<MemoryChannelLogOptions>()
            .BindConfiguration("ChannelLog:Memory")
            .ValidateDataAnnotations()
            .Validate(o => o.MaxAge > TimeSpan.Zero && o.MaxIdle > TimeSpan.Zero, "ChannelLog:Memory: times must be positive.")
            .ValidateOnStart();
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<IChannelLog, MemoryChannelLog>();
        return services;
    }
}
