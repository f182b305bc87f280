using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using SevenX42.Contracts.Generation;
using SevenX42.Host.Observability;

namespace SevenX42.Host.Startup;

/// <summary>Says on the console where the application is and which models it found.</summary>
internal sealed class Banner(
    IServer server, ManagementPort management, AppRoleContext role, IHostApplicationLifetime lifetime, IGenerationApi? generation = null)
    : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var started = new TaskCompletionSource();
        await using var onStarted = lifetime.ApplicationStarted.Register(started.SetResult);
        await started.Task.WaitAsync(stoppingToken);
        var addresses = server.Features.Get<IServerAddressesFeature>()?.Addresses ?? [];
        foreach (var address in addresses.Where(a => !management.Is(a)))
            Console.WriteLine(role.ServesWeb ? $"7x42 is at {address}" : $"7x42 works in the background; health is at {address}/health/ready");
        if (generation is null)
            return;
        foreach (var provider in (await generation.GetModelsAsync(stoppingToken)).GroupBy(m => m.Provider))
        {
            Console.WriteLine(provider.Any(m => m.IsDemo)
                ? "  demo model: built in; it is no language model and says how to connect one"
                : $"  {provider.Key}: {string.Join(", ", provider.Take(5).Select(m => m.Name))}{(provider.Count() > 5 ? $" and {provider.Count() - 5} more" : "")}");
        }
    }
}
