using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using SevenX42.Contracts.Generation;
using SevenX42.Host.Observability;

namespace SevenX42.Host.Startup;

/// <summary>Says on the console where the application is, which models it found, and why it did not find others.</summary>
internal sealed class Banner(
    IServer server, ManagementPort management, AppRoleContext role, IHostApplicationLifetime lifetime, IGenerationApi? generation = null)
    : BackgroundService
{
    private const int MostNames = 5;

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
        foreach (var line in Describe(await generation.GetModelsAsync(stoppingToken), await generation.GetProvidersAsync(stoppingToken)))
            Console.WriteLine($"  {line}");
    }

    /// <summary>One line for each server: what it has, or what is wrong with it; a second one where both can be said.</summary>
    private static IEnumerable<string> Describe(IReadOnlyList<ModelInfo> models, IReadOnlyList<ProviderInfo> providers)
    {
        foreach (var provider in providers)
        {
            List<string> names = [.. models.Where(m => m.Provider == provider.Name).Select(m => m.Name)];
            if (names.Count > 0)
                yield return $"{provider.Name}: {string.Join(", ", names.Take(MostNames))}{(names.Count > MostNames ? $" and {names.Count - MostNames} more" : "")}";
            if (provider.State == ProviderInfo.Unavailable)
                yield return $"{provider.Name}: not available. {provider.Message}";
            else if (names.Count == 0)
                yield return $"{provider.Name}: {(provider.State == ProviderInfo.Asking ? "has not answered yet" : "has no models to chat with")}";
        }

        if (models.Any(m => m.IsDemo))
            yield return "demo model: built in; it is no language model and says how to connect one";
    }
}
