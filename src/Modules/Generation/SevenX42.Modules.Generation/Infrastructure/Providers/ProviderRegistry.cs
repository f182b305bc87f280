using SevenX42.Contracts.Generation;

namespace SevenX42.Modules.Generation.Infrastructure.Providers;

/// <summary>The providers that are known now and the models they have. In memory.</summary>
internal sealed class ProviderRegistry
{
    private readonly TaskCompletionSource _known = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile State _state = new(new Dictionary<string, IModelProvider>(), [], [], new Dictionary<string, int>());

    /// <summary>Running generations per provider, over all workers.</summary>
    public IReadOnlyDictionary<string, int> Slots => _state.Slots;

    /// <summary>The models that can be chosen, the demo model last.</summary>
    public IReadOnlyList<ModelInfo> Models => _state.Models;

    /// <summary>The configured and found servers.</summary>
    public IReadOnlyList<ProviderInfo> Infos => _state.Infos;

    /// <summary>Waits until configured and local servers were asked once.</summary>
    public Task WaitUntilKnownAsync(CancellationToken cancellationToken) => _known.Task.WaitAsync(cancellationToken);

    public IModelProvider? Find(string name) => _state.Providers.GetValueOrDefault(name);

    public void Set(IReadOnlyCollection<IModelProvider> providers, IReadOnlyList<ModelInfo> models, IReadOnlyList<ProviderInfo> infos) =>
        _state = new State(
            providers.ToDictionary(p => p.Name, StringComparer.OrdinalIgnoreCase),
            models,
            infos,
            providers.ToDictionary(p => p.Name, p => p.Limits.MaxConcurrent));

    /// <summary>Everybody was asked once.</summary>
    public void Known() => _known.TrySetResult();

    private sealed record State(
        IReadOnlyDictionary<string, IModelProvider> Providers,
        IReadOnlyList<ModelInfo> Models,
        IReadOnlyList<ProviderInfo> Infos,
        IReadOnlyDictionary<string, int> Slots);
}
