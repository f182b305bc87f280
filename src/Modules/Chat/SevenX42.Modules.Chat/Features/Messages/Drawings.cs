using System.Globalization;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Chat.Domain;

namespace SevenX42.Modules.Chat.Features.Messages;

/// <summary>What a person chose for pictures, as a form brings it.</summary>
/// <param name="Model">The model that draws; the first there is when empty.</param>
/// <param name="Size"><c>768x512</c>; the model's usual size when empty.</param>
/// <param name="Count">How many; one when empty.</param>
/// <param name="Seed">Where chance begins; anywhere when empty.</param>
/// <param name="NegativePrompt">What to leave out.</param>
/// <param name="Steps">How many steps; as many as usual when empty.</param>
internal sealed record DrawingChoice(string? Model, string? Size, string? Count, string? Seed, string? NegativePrompt, string? Steps);

/// <summary>Makes of what people want what can be drawn, or says why it can't be.</summary>
internal sealed class Drawings(IGenerationApi generation)
{
    /// <summary>A drawing that its model can make.</summary>
    /// <param name="prompt">What to draw.</param>
    /// <param name="choice">What was chosen; nothing when null.</param>
    /// <param name="cancellationToken">Cancels the wait for the models.</param>
    public async Task<Result<Drawing>> ReadAsync(string prompt, DrawingChoice? choice, CancellationToken cancellationToken)
    {
        var models = await generation.GetImageModelsAsync(cancellationToken);
        var model = string.IsNullOrEmpty(choice?.Model) ? models.Count > 0 ? models[0] : null : models.FirstOrDefault(m => m.Id == choice.Model);
        if (model is null)
        {
            return string.IsNullOrEmpty(choice?.Model)
                ? Error.Unavailable("no_model", "No model that draws is there. Connect one, or switch the demo on.")
                : Error.Invalid("unknown_model", $"The model {choice.Model} is not available now. Choose another one.", "imageModel");
        }

        var size = model.Sizes[0];
        if (!string.IsNullOrEmpty(choice?.Size))
        {
            if (choice.Size.Split('x') is not [var width, var height] || Number(width) is not { } w || Number(height) is not { } h)
                return Invalid("A size is a width and a height, such as 512x512.", "size");
            size = new ImageSizeInfo((int)Math.Min(w, int.MaxValue), (int)Math.Min(h, int.MaxValue));
        }

        if (!TryRead(choice?.Count, out var count))
            return Invalid(string.Create(CultureInfo.InvariantCulture, $"Ask for 1 to {model.MaxCount} pictures."), "count");
        if (!TryRead(choice?.Seed, out var seed))
            return Invalid("A seed is a whole number that is not negative.", "seed");
        if (!TryRead(choice?.Steps, out var steps))
            return Invalid("The number of steps is a whole number.", "steps");
        var options = new ImageOptions(
            size.Width,
            size.Height,
            (int)Math.Min(count ?? 1, int.MaxValue),
            seed,
            choice?.NegativePrompt?.Trim() ?? "",
            steps is { } s ? (int)Math.Min(s, int.MaxValue) : null);
        return await CheckAsync(new Drawing(model.Id, prompt, options), cancellationToken);
    }

    /// <summary>The same drawing once more, if it can still be made.</summary>
    /// <param name="drawing">What was drawn.</param>
    /// <param name="model">Another model to draw it with; the same one when empty.</param>
    /// <param name="cancellationToken">Cancels the wait for the models.</param>
    public Task<Result<Drawing>> AgainAsync(Drawing drawing, string? model, CancellationToken cancellationToken) =>
        CheckAsync(string.IsNullOrEmpty(model) ? drawing : drawing with { Model = model }, cancellationToken);

    private async Task<Result<Drawing>> CheckAsync(Drawing drawing, CancellationToken cancellationToken)
    {
        var result = await generation.CheckImageAsync(drawing.Model, drawing.Prompt, drawing.Options, cancellationToken);
        return result.IsSuccess ? drawing : result.Error;
    }

    private static bool TryRead(string? text, out long? number)
    {
        number = Number(text);
        return number is not null || string.IsNullOrWhiteSpace(text);
    }

    // A number that is too large is one all the same: what is said of it is how large it may be.
    private static long? Number(string? text) =>
        long.TryParse(text?.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
        : !string.IsNullOrWhiteSpace(text) && text.Trim().All(char.IsAsciiDigit) ? long.MaxValue
        : null;

    private static Error Invalid(string sentence, string field) => Error.Invalid("invalid_image_request", sentence, field);
}
