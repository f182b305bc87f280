namespace SevenX42.Modules.Generation.Domain.Images;

/// <summary>Pictures that are asked for. Checked against the model's <see cref="ImageCapabilities"/> before anybody is asked.</summary>
/// <param name="Model">The provider's own name of the model.</param>
/// <param name="Prompt">What to draw.</param>
/// <param name="Size">How large each is.</param>
/// <param name="Count">How many.</param>
/// <param name="Seed">
/// Where chance begins, for the first picture; the following ones have the numbers after it. <see langword="null"/> where the model
/// knows no seeds.
/// </param>
/// <param name="NegativePrompt">What to leave out; empty for nothing.</param>
/// <param name="Steps">Steps of each picture; <see langword="null"/> for what the provider thinks best.</param>
internal sealed record ImageRequest(
    string Model, string Prompt, ImageSize Size, int Count = 1, long? Seed = null, string NegativePrompt = "", int? Steps = null);

/// <summary>A picture's size in pixels.</summary>
internal readonly record struct ImageSize(int Width, int Height)
{
    public override string ToString() => FormattableString.Invariant($"{Width}×{Height}");
}
