using MediatR;
using Microsoft.AspNetCore.Http;
using SevenX42.Contracts.Generation;
using SevenX42.Http;
using SevenX42.Modules.Chat.Features.Messages;
using SevenX42.Modules.Chat.Features.Studio;

namespace SevenX42.Modules.Chat.Features.Conversations;

/// <summary>Reads a conversation's page; the page of a new one when there is no id.</summary>
/// <param name="ConversationId">The conversation.</param>
/// <param name="Message">Number of a message that the page is to show; its end when null.</param>
/// <param name="LastModel">The model that a new one is offered first; the first there is when it is gone.</param>
internal sealed record ReadConversation(Guid? ConversationId, int? Message = null, string LastModel = "") : IChatQuery<ConversationVm>;

internal sealed class ReadConversationHandler(IGenerationApi generation, ISender sender) : IRequestHandler<ReadConversation, Result<ConversationVm>>
{
    public async Task<Result<ConversationVm>> Handle(ReadConversation request, CancellationToken cancellationToken)
    {
        var images = await generation.GetImageModelsAsync(cancellationToken);
        if (request.ConversationId is not { } id)
            return new ConversationVm(await generation.GetModelsAsync(cancellationToken), null, null, DrawingOptionsVm.Of(images, null), request.LastModel);
        var transcript = await sender.Send(new ReadTranscript(id, Message: request.Message), cancellationToken);
        if (!transcript.IsSuccess)
            return transcript.Error;
        if (transcript.Value.IsStudio)
            return new ConversationVm([], null, transcript.Value, null);
        var settings = await sender.Send(new ReadSettings(id), cancellationToken);
        if (!settings.IsSuccess)
            return settings.Error;
        var last = transcript.Value.Messages.LastOrDefault(m => !m.IsAnswer)?.Drawing;
        return new ConversationVm(settings.Value.Models, settings.Value, transcript.Value, DrawingOptionsVm.Of(images, last));
    }
}

internal static class ReadConversationEndpoint
{
    // What the page's script keeps when a model is picked.
    private const string LastModelCookie = "model";

    /// <summary>A conversation that is about to begin.</summary>
    /// <param name="deleted">The conversation that was deleted just now, by a browser without scripts: the way back is shown.</param>
    /// <param name="sender">Sends the query.</param>
    /// <param name="http">The request.</param>
    public static Task<IResult> New(Guid? deleted, ISender sender, HttpContext http) =>
        PageAsync(new ReadConversation(null, LastModel: http.Request.Cookies[LastModelCookie] ?? ""), sender, http, deleted);

    public static Task<IResult> Get(Guid conversationId, int? message, ISender sender, HttpContext http) =>
        PageAsync(new ReadConversation(conversationId, message), sender, http);

    private static async Task<IResult> PageAsync(ReadConversation query, ISender sender, HttpContext http, Guid? deleted = null)
    {
        var result = await sender.Send(query);
        if (result is { IsSuccess: true, Value.IsStudio: true })
            return await ReadStudioEndpoint.Instead(sender, http);
        return result.IsSuccess
            ? Html.Page<ConversationPage>(result.Value.Title, new Dictionary<string, object?> { ["Model"] = result.Value, ["Deleted"] = deleted })
            : result.Error.ToResult();
    }
}

/// <summary>A conversation's page.</summary>
/// <param name="Models">The models to choose from.</param>
/// <param name="Settings">What can be changed of it; null for one that begins with the next message.</param>
/// <param name="Transcript">Its messages; null for a new one.</param>
/// <param name="Drawing">How pictures can be asked for; null where nothing draws.</param>
/// <param name="LastModel">The model that a new one is offered first.</param>
public sealed record ConversationVm(
    IReadOnlyList<ModelInfo> Models, SettingsVm? Settings, TranscriptVm? Transcript, DrawingOptionsVm? Drawing, string LastModel = "")
{
    /// <summary>The conversation; null for a new one.</summary>
    public Guid? Id => Settings?.Id;

    /// <summary>Whether it is the studio, which has a page of its own.</summary>
    internal bool IsStudio => Transcript is { IsStudio: true };

    /// <summary>Its title.</summary>
    public string Title => Settings?.Title ?? "New chat";

    /// <summary>The model that answers next.</summary>
    public ModelInfo? Model => Settings is null ? Models.FirstOrDefault(m => m.Id == LastModel) ?? SettingsVm.First(Models) : Settings.Model;
}
