using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Domain.Images;

namespace SevenX42.Modules.Generation.Infrastructure.Providers.Images;

/// <summary>
/// A source of pictures. A port of our own: <c>IImageGenerator</c> of Microsoft.Extensions.AI answers once, when all is done, and can
/// tell neither of a queue nor of steps.
/// </summary>
internal interface IImageProvider
{
    /// <summary>First part of its models' ids.</summary>
    string Name { get; }

    /// <summary>What it is given, and for how long; <see cref="ProviderLimits.FirstToken"/> is until the first step or picture.</summary>
    ProviderLimits Limits { get; }

    /// <summary>
    /// Draws. Read through <see cref="ImageRun"/>, which holds the limits and turns what is thrown into <see cref="ImageFailed"/>.
    /// Whoever cancels, or stops reading, has stopped the drawing at the provider, too, when this has ended: within a second as a rule.
    /// </summary>
    IAsyncEnumerable<ImageUpdate> GenerateAsync(ImageRequest request, CancellationToken cancellationToken);

    /// <summary>What an exception of <see cref="GenerateAsync"/> means, in the reader's words.</summary>
    GenerationFailure Explain(Exception exception, string model);
}

/// <summary>A model that draws.</summary>
/// <param name="Model">The provider's own name of it.</param>
/// <param name="Name">Name for people.</param>
/// <param name="Capabilities">What it can be told.</param>
/// <param name="IsDemo">Whether this is the built-in demo, which is no image model and must be labelled so.</param>
internal sealed record ImageModel(string Model, string Name, ImageCapabilities Capabilities, bool IsDemo = false);
