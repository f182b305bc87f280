using SevenX42.Contracts.Generation;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Infrastructure.Providers.Images;

namespace SevenX42.Modules.Generation.Infrastructure.Providers;

/// <summary>A server and what is known of it. Immutable.</summary>
/// <param name="Options">Its configuration, or what stands for it when it was found.</param>
/// <param name="IsDiscovered">Whether it was found on this machine.</param>
/// <param name="Api">Root of its API.</param>
/// <param name="Writes">How its models that write are used; <see langword="null"/> when it is a server of pictures alone.</param>
/// <param name="Draws">How its models that draw are used.</param>
/// <param name="Models">The models that write, which it offers now.</param>
/// <param name="ImageModels">The models that draw, or drew when it last told of them.</param>
/// <param name="Failure">What is wrong with it.</param>
/// <param name="IsAsked">Whether it has been asked for its models.</param>
internal sealed record ProviderStatus(
    ProviderOptions Options,
    bool IsDiscovered,
    Uri Api,
    IModelProvider? Writes,
    IImageProvider Draws,
    IReadOnlyList<ModelInfo> Models,
    IReadOnlyList<ImageModel> ImageModels,
    GenerationFailure? Failure,
    bool IsAsked)
{
    /// <summary>
    /// Whether its models that draw can be chosen. Those of a server that was found and has not answered since can't; what waits for them is
    /// drawn all the same, for a server that draws may be too busy to tell what it has.
    /// </summary>
    public bool OffersImages => !IsDiscovered || Failure is null;

    /// <summary>How many models can be chosen.</summary>
    public int Count => Models.Count + (OffersImages ? ImageModels.Count : 0);

    public ProviderInfo Info => new(
        Options.Name,
        Failure is not null ? ProviderInfo.Unavailable : IsAsked || Count > 0 ? ProviderInfo.Ready : ProviderInfo.Asking,
        Failure?.Message ?? "",
        Count,
        IsDiscovered);
}
