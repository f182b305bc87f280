using SevenX42.Contracts.Generation;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Infrastructure.Providers.Images;

namespace SevenX42.Modules.Generation.Infrastructure.Providers;

/// <summary>The providers that are known now and the models they have. In memory.</summary>
internal sealed class ProviderRegistry
{
    private readonly TaskCompletionSource _known = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile State _state = new(
        new Dictionary<string, IModelProvider>(), new Dictionary<string, (IImageProvider, ImageModel)>(), [], [], [], new Dictionary<string, int>());

    /// <summary>Running generations per provider, over all workers.</summary>
    public IReadOnlyDictionary<string, int> Slots => _state.Slots;

    /// <summary>The models that write and can be chosen, the demo model last.</summary>
    public IReadOnlyList<ModelInfo> Models => _state.Models;

    /// <summary>The models that draw and can be chosen, the demo last.</summary>
    public IReadOnlyList<ImageModelInfo> ImageModels => _state.ImageModels;

    /// <summary>The configured and found servers.</summary>
    public IReadOnlyList<ProviderInfo> Infos => _state.Infos;

    /// <summary>Waits until configured and local servers were asked once.</summary>
    public Task WaitUntilKnownAsync(CancellationToken cancellationToken) => _known.Task.WaitAsync(cancellationToken);

    public IModelProvider? Find(string name) => _state.Providers.GetValueOrDefault(name);

    /// <summary>Who draws with a model, whether it can be chosen now or could be a while ago.</summary>
    /// <param name="model">Id of the model: <c>provider/model</c>.</param>
    public (IImageProvider Provider, ImageModel Model)? FindImages(string model) =>
        _state.Images.TryGetValue(model, out var found) ? found : null;

    public void Set(
        IReadOnlyCollection<IModelProvider> providers,
        IReadOnlyList<ModelInfo> models,
        IReadOnlyList<DrawingModel> images,
        IReadOnlyList<ProviderInfo> infos)
    {
        var drawing = images.DistinctBy(i => IdOf(i.Provider, i.Model)).ToList();

        // A server that writes and draws has its limit for both together.
        var slots = providers.ToDictionary(p => p.Name, p => p.Limits.MaxConcurrent);
        foreach (var image in drawing)
            slots[image.Provider.Name] = image.Provider.Limits.MaxConcurrent;
        _state = new State(
            providers.ToDictionary(p => p.Name, StringComparer.OrdinalIgnoreCase),
            drawing.ToDictionary(i => IdOf(i.Provider, i.Model), i => (i.Provider, i.Model)),
            models,
            [.. drawing.Where(i => i.IsOffered).Select(i => Describe(i.Provider, i.Model))],
            infos,
            slots);
    }

    /// <summary>Everybody was asked once.</summary>
    public void Known() => _known.TrySetResult();

    private static string IdOf(IImageProvider provider, ImageModel model) => new ModelId(provider.Name, model.Model).ToString();

    private static ImageModelInfo Describe(IImageProvider provider, ImageModel model) => new(
        IdOf(provider, model),
        model.Name,
        provider.Name,
        model.IsDemo,
        [.. model.Capabilities.Sizes.Select(s => new ImageSizeInfo(s.Width, s.Height))],
        model.Capabilities.MaxCount,
        model.Capabilities.MaxPrompt,
        model.Capabilities.MaxSeed,
        model.Capabilities.HasNegativePrompt,
        model.Capabilities.Steps is { } steps ? new ImageStepsInfo(steps.Min, steps.Max, steps.Usual) : null);

    private sealed record State(
        IReadOnlyDictionary<string, IModelProvider> Providers,
        IReadOnlyDictionary<string, (IImageProvider Provider, ImageModel Model)> Images,
        IReadOnlyList<ModelInfo> Models,
        IReadOnlyList<ImageModelInfo> ImageModels,
        IReadOnlyList<ProviderInfo> Infos,
        IReadOnlyDictionary<string, int> Slots);
}

/// <summary>A model that draws, and who draws with it.</summary>
/// <param name="Provider">Who.</param>
/// <param name="Model">The model.</param>
/// <param name="IsOffered">Whether it can be chosen now.</param>
internal readonly record struct DrawingModel(IImageProvider Provider, ImageModel Model, bool IsOffered);
