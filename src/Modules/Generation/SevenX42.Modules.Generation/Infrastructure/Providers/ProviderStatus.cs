using SevenX42.Contracts.Generation;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Infrastructure.Providers.OpenAI;

namespace SevenX42.Modules.Generation.Infrastructure.Providers;

/// <summary>A server and what is known of it. Immutable.</summary>
/// <param name="Options">Its configuration, or what stands for it when it was found.</param>
/// <param name="IsDiscovered">Whether it was found on this machine.</param>
/// <param name="Provider">How it is used.</param>
/// <param name="Models">The models it offers now.</param>
/// <param name="Failure">What is wrong with it.</param>
/// <param name="IsAsked">Whether it has been asked for its models.</param>
internal sealed record ProviderStatus(
    ProviderOptions Options, bool IsDiscovered, OpenAIProvider Provider, IReadOnlyList<ModelInfo> Models, GenerationFailure? Failure, bool IsAsked)
{
    public ProviderInfo Info => new(
        Options.Name,
        Failure is not null ? ProviderInfo.Unavailable : IsAsked || Models.Count > 0 ? ProviderInfo.Ready : ProviderInfo.Asking,
        Failure?.Message ?? "",
        Models.Count,
        IsDiscovered);
}
