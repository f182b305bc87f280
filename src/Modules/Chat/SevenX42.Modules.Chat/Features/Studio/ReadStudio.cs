using MediatR;
using Microsoft.AspNetCore.Http;
using SevenX42.Contracts.Generation;
using SevenX42.Http;
using SevenX42.Modules.Chat.Features.Messages;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Features.Studio;

/// <summary>Reads the page where pictures are drawn and nothing else.</summary>
/// <param name="Prompt">What stands in the form; empty for nothing.</param>
/// <param name="Choice">How it is to be drawn; as the last drawing when null.</param>
internal sealed record ReadStudio(string Prompt, DrawingChoice? Choice) : IChatQuery<StudioVm>;

internal sealed class ReadStudioHandler(ChatDbContext context, IGenerationApi generation, ICurrentUser user, ISender sender)
    : IRequestHandler<ReadStudio, Result<StudioVm>>
{
    public async Task<Result<StudioVm>> Handle(ReadStudio request, CancellationToken cancellationToken)
    {
        var models = await generation.GetImageModelsAsync(cancellationToken);
        var transcript = user.Id is { } owner && await context.FindStudioAsync(owner, cancellationToken) is { } id
            ? await sender.Send(new ReadTranscript(id), cancellationToken)
            : null;
        if (transcript is { IsSuccess: false })
            return transcript.Error;
        var prompts = await sender.Send(new ListPrompts(), cancellationToken);
        if (!prompts.IsSuccess)
            return prompts.Error;
        var last = transcript?.Value.Messages.LastOrDefault(m => m.IsAnswer)?.Drawing;
        var drawing = request.Choice is { } choice
            ? DrawingOptionsVm.Of(models, choice.Model ?? last?.Model, DrawingFieldsVm.Of(choice))
            : DrawingOptionsVm.Of(models, last);
        return new StudioVm(request.Prompt, drawing, transcript?.Value, prompts.Value, user.Id is not null);
    }
}

internal static class ReadStudioEndpoint
{
    public const string Path = "/studio";

    /// <summary>The page. What its address says, as a link to draw something again does, stands in its form.</summary>
    public static async Task<IResult> Get(
        string? prompt, string? model, string? size, string? seed, string? negative, string? steps, ISender sender, HttpContext http)
    {
        var isFilled = (prompt ?? model ?? size ?? seed ?? negative ?? steps) is not null;
        // Whoever comes back to the page finds what they wrote since.
        if (isFilled && http.Request.WantsMain())
            http.Response.Headers["HX-Push-Url"] = Path;
        var result = await sender.Send(new ReadStudio(
            prompt ?? "", isFilled ? new DrawingChoice(model, size, Count: null, seed, negative, steps) : null));
        return result.IsSuccess
            ? Html.Page<StudioPage>("Studio", new Dictionary<string, object?> { ["Model"] = result.Value })
            : result.Error.ToResult();
    }

    /// <summary>In place of the page that other conversations have.</summary>
    public static async Task<IResult> Instead(ISender sender, HttpContext http)
    {
        if (!http.Request.WantsFragment())
            return TypedResults.Redirect(Path);
        http.Response.Headers["HX-Push-Url"] = Path;
        return await Get(prompt: null, model: null, size: null, seed: null, negative: null, steps: null, sender, http);
    }
}

/// <summary>The studio.</summary>
/// <param name="Prompt">What stands in the form.</param>
/// <param name="Drawing">How pictures can be asked for; null where nothing draws.</param>
/// <param name="Transcript">The newest drawing; null before the first.</param>
/// <param name="Prompts">What was drawn last.</param>
/// <param name="HasPictures">Whether there is somebody who may have pictures.</param>
public sealed record StudioVm(string Prompt, DrawingOptionsVm? Drawing, TranscriptVm? Transcript, PromptsVm Prompts, bool HasPictures);
