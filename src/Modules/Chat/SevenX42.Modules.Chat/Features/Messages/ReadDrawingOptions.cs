using System.Globalization;
using MediatR;
using Microsoft.AspNetCore.Http;
using SevenX42.Contracts.Generation;
using SevenX42.Http;

namespace SevenX42.Modules.Chat.Features.Messages;

/// <summary>
/// Reads what a model that draws can be told: what the composer fetches when another one is picked. What was chosen for the one before
/// stays, as far as this one can be told it.
/// </summary>
internal sealed record ReadDrawingOptions(DrawingChoice Choice) : IChatQuery<DrawingOptionsVm>;

internal sealed class ReadDrawingOptionsHandler(IGenerationApi generation) : IRequestHandler<ReadDrawingOptions, Result<DrawingOptionsVm>>
{
    public async Task<Result<DrawingOptionsVm>> Handle(ReadDrawingOptions request, CancellationToken cancellationToken)
    {
        var models = await generation.GetImageModelsAsync(cancellationToken);
        return models.FirstOrDefault(m => m.Id == request.Choice.Model) is { } model
            ? new DrawingOptionsVm(models, model, DrawingFieldsVm.Of(request.Choice))
            : Error.NotFound("This model is not available now. Choose another one.");
    }
}

internal static class ReadDrawingOptionsEndpoint
{
    public static async Task<IResult> Get(
        string? imageModel, string? size, string? count, string? seed, string? negative, string? steps, ISender sender)
    {
        var result = await sender.Send(new ReadDrawingOptions(new DrawingChoice(imageModel, size, count, seed, negative, steps)));
        return result.IsSuccess
            ? Html.Fragment<DrawingOptions>(new Dictionary<string, object?> { ["Model"] = result.Value })
            : result.Error.ToResult();
    }
}

/// <summary>What can be said about the next pictures.</summary>
/// <param name="Models">The models that draw.</param>
/// <param name="Chosen">The one that is chosen; only what it can be told is offered.</param>
/// <param name="Fields">What is chosen for the pictures; null for nothing.</param>
public sealed record DrawingOptionsVm(IReadOnlyList<ImageModelInfo> Models, ImageModelInfo Chosen, DrawingFieldsVm? Fields)
{
    /// <summary>For a conversation whose last message asked for these, so that the next are drawn in the same way; null where nothing draws.</summary>
    internal static DrawingOptionsVm? Of(IReadOnlyList<ImageModelInfo> models, DrawingVm? last) =>
        Of(models, last?.Model, last is null ? null : DrawingFieldsVm.Of(last.Options));

    /// <summary>With this model, if it is there.</summary>
    internal static DrawingOptionsVm? Of(IReadOnlyList<ImageModelInfo> models, string? model, DrawingFieldsVm? fields) => models.Count == 0
        ? null
        : new DrawingOptionsVm(models, models.FirstOrDefault(m => m.Id == model) ?? models[0], fields);
}

/// <summary>What stands in the fields; empty for what was not chosen.</summary>
/// <param name="Size">As <c>768x512</c>.</param>
/// <param name="Count">How many.</param>
/// <param name="Seed">Where chance begins.</param>
/// <param name="Negative">What to leave out.</param>
/// <param name="Steps">How many steps.</param>
public sealed record DrawingFieldsVm(string Size, string Count, string Seed, string Negative, string Steps)
{
    /// <summary>As pictures were drawn; in the next, chance begins elsewhere.</summary>
    internal static DrawingFieldsVm Of(ImageOptions options) => new(
        string.Create(CultureInfo.InvariantCulture, $"{options.Width}x{options.Height}"),
        options.Count.ToString(CultureInfo.InvariantCulture),
        Seed: "",
        options.NegativePrompt,
        options.Steps?.ToString(CultureInfo.InvariantCulture) ?? "");

    /// <summary>As a form brings it.</summary>
    internal static DrawingFieldsVm Of(DrawingChoice choice) => new(
        choice.Size ?? "", choice.Count ?? "", choice.Seed ?? "", choice.NegativePrompt ?? "", choice.Steps ?? "");
}
