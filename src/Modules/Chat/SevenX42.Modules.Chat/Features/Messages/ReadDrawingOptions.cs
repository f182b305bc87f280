using MediatR;
using Microsoft.AspNetCore.Http;
using SevenX42.Contracts.Generation;
using SevenX42.Http;

namespace SevenX42.Modules.Chat.Features.Messages;

/// <summary>Reads what a model that draws can be told: what the composer fetches when another one is picked.</summary>
internal sealed record ReadDrawingOptions(string Model) : IChatQuery<DrawingOptionsVm>;

internal sealed class ReadDrawingOptionsHandler(IGenerationApi generation) : IRequestHandler<ReadDrawingOptions, Result<DrawingOptionsVm>>
{
    public async Task<Result<DrawingOptionsVm>> Handle(ReadDrawingOptions request, CancellationToken cancellationToken)
    {
        var models = await generation.GetImageModelsAsync(cancellationToken);
        return models.FirstOrDefault(m => m.Id == request.Model) is { } model
            ? new DrawingOptionsVm(models, model, null)
            : Error.NotFound("This model is not available now. Choose another one.");
    }
}

internal static class ReadDrawingOptionsEndpoint
{
    public static async Task<IResult> Get(string? imageModel, ISender sender)
    {
        var result = await sender.Send(new ReadDrawingOptions(imageModel ?? ""));
        return result.IsSuccess
            ? Html.Fragment<DrawingOptions>(new Dictionary<string, object?> { ["Model"] = result.Value })
            : result.Error.ToResult();
    }
}

/// <summary>What can be said about the next pictures.</summary>
/// <param name="Models">The models that draw.</param>
/// <param name="Chosen">The one that is chosen; only what it can be told is offered.</param>
/// <param name="Last">How the last pictures of the conversation were drawn, when its last message asked for some: so are the next.</param>
public sealed record DrawingOptionsVm(IReadOnlyList<ImageModelInfo> Models, ImageModelInfo Chosen, ImageOptions? Last)
{
    /// <summary>For a conversation whose last message asked for these; null where nothing draws.</summary>
    internal static DrawingOptionsVm? Of(IReadOnlyList<ImageModelInfo> models, DrawingVm? last) => models.Count == 0
        ? null
        : new DrawingOptionsVm(models, models.FirstOrDefault(m => m.Id == last?.Model) ?? models[0], last?.Options);
}
