using SevenX42.Contracts.Generation;

namespace SevenX42.Modules.Generation.Infrastructure.Providers;

/// <summary>The providers that are known now and the models they have. In memory.</summary>
internal sealed class ProviderRegistry
{
    private readonly TaskCompletionSource _known = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile State _state = new([], [], new Dictionary<string, int>());

    /// <summary>Running generations per provider, over all workers.</summary>
    public IReadOnlyDictionary<string, int> Slots => _state.Slots;

    /// <summary>The models that can be chosen, the demo model last.</summary>
    public IReadOnlyList<ModelInfo> Models => _state.Models;

    /// <summary>Waits until configured and local servers were asked once.</summary>
    public Task WaitUntilKnownAsync(CancellationToken cancellationToken) => _known.Task.WaitAsync(cancellationToken);

    public IModelProvider? Find(string name) =>
        _state.Providers.FirstOrDefault(p => string.Equals(p.Name, name, StringComparison.OrdinalIgnoreCase));

    public void Set(IReadOnlyList<IModelProvider> providers, IReadOnlyList<ModelInfo> models)
    {
        _state = new State(providers, models, providers.ToDictionary(p => p.Name, p => p.Limits.MaxConcurrent));
        _known.TrySetResult();
    }

    private sealed record State(
        IReadOnlyList<IModelProvider> Providers, IReadOnlyList<ModelInfo> Models, IReadOnlyDictionary<string, int> Slots);
}
