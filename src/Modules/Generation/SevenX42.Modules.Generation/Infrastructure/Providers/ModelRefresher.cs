using Microsoft.Extensions.Hosting;
using SevenX42.Modules.Generation.Infrastructure.Providers.Demo;

namespace SevenX42.Modules.Generation.Infrastructure.Providers;

/// <summary>Keeps the registry up to date.</summary>
internal sealed class ModelRefresher(ProviderRegistry registry, GenerationOptions options, TimeProvider time) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        registry.Set(
            options.Demo ? [new DemoProvider(options.DemoTokensPerSecond, time)] : [],
            options.Demo ? [DemoProvider.Model] : []);
        return Task.CompletedTask;
    }
}
