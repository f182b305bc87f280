namespace SevenX42.Modules.Generation.Domain.Images;

/// <summary>What a model of pictures can be told. What it can't be told is not offered, and refused when it comes all the same.</summary>
/// <param name="Sizes">Sizes that are offered, the usual one first; at least one.</param>
/// <param name="MaxCount">Pictures at once, 1 to <see cref="MostImages"/>.</param>
/// <param name="MaxPrompt">Characters of a prompt, UTF-16 code units.</param>
/// <param name="MaxSeed">The greatest seed, the least being 0; <see langword="null"/> where the model knows no seeds.</param>
/// <param name="HasNegativePrompt">Whether it can be told what to leave out.</param>
/// <param name="Steps">How many steps it can be told to make; <see langword="null"/> where it decides.</param>
/// <param name="ReportsSteps">Whether it tells how far it has come. If not, nobody can know, and a bar has to be indeterminate.</param>
/// <param name="HasPreviews">Whether it shows a picture before it is done.</param>
internal sealed record ImageCapabilities(
    IReadOnlyList<ImageSize> Sizes,
    int MaxCount,
    int MaxPrompt,
    long? MaxSeed,
    bool HasNegativePrompt,
    StepRange? Steps,
    bool ReportsSteps,
    bool HasPreviews)
{
    /// <summary>Nobody gets more pictures from one request.</summary>
    public const int MostImages = 4;

    /// <summary>What is wrong with a request, in one sentence; <see langword="null"/> when nothing is.</summary>
    public GenerationFailure? Check(ImageRequest request)
    {
        if (string.IsNullOrWhiteSpace(request.Prompt))
            return Invalid("Say what the picture shall show.");
        if (request.Prompt.Length > MaxPrompt)
            return Invalid(TooLong("The prompt", request.Prompt.Length));
        if (request.NegativePrompt.Length > 0 && !HasNegativePrompt)
            return Invalid("This model can't be told what to leave out.");
        if (request.NegativePrompt.Length > MaxPrompt)
            return Invalid(TooLong("What to leave out", request.NegativePrompt.Length));
        if (!Sizes.Contains(request.Size))
            return Invalid($"This model does not draw {request.Size} pixels; choose {string.Join(", ", Sizes)}.");
        if (request.Count < 1 || request.Count > MaxCount)
            return Invalid(MaxCount == 1 ? "This model draws one picture at a time." : $"Ask for 1 to {MaxCount} pictures.");
        if (request.Seed is { } seed && MaxSeed is null)
            return Invalid("This model knows no seeds.");
        if (request.Seed < 0 || request.Seed > MaxSeed)
            return Invalid(FormattableString.Invariant($"A seed is a number from 0 to {MaxSeed}."));
        if (request.Steps is not { } steps)
            return null;
        return Steps is not { } range ? Invalid("This model decides for itself how many steps it takes.")
            : steps < range.Min || steps > range.Max ? Invalid(FormattableString.Invariant($"This model takes {range.Min} to {range.Max} steps."))
            : null;
    }

    private string TooLong(string what, int length) =>
        FormattableString.Invariant($"{what} has {length:N0} characters; this model reads at most {MaxPrompt:N0}.");

    private static GenerationFailure Invalid(string sentence) => new("invalid_image_request", sentence);
}

/// <summary>Numbers of steps that a model takes, both ends included.</summary>
internal readonly record struct StepRange(int Min, int Max, int Usual);
