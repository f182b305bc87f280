using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using SevenX42.Contracts.Generation;
using SevenX42.Http;
using SevenX42.Modules.Chat.Features.Messages;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Features.Conversations;

/// <summary>Reads a conversation's page; the page of a new one when there is no id.</summary>
/// <param name="ConversationId">The conversation.</param>
/// <param name="LastModel">The model that a new one is offered first; the first there is when it is gone.</param>
internal sealed record ReadConversation(Guid? ConversationId, string LastModel = "") : IChatQuery<ConversationVm>;

internal sealed class ReadConversationHandler(ChatDbContext context, IGenerationApi generation, ISender sender, ICurrentUser user)
    : IRequestHandler<ReadConversation, Result<ConversationVm>>
{
    public async Task<Result<ConversationVm>> Handle(ReadConversation request, CancellationToken cancellationToken)
    {
        var models = await generation.GetModelsAsync(cancellationToken);
        if (request.ConversationId is not { } id)
            return new ConversationVm(null, "New chat", request.LastModel, "", false, models, null);
        var transcript = await sender.Send(new ReadTranscript(id), cancellationToken);
        if (!transcript.IsSuccess)
            return transcript.Error;
        var conversation = await context.Conversations.AsNoTracking().SingleAsync(
            c => c.Id == id && c.OwnerId == user.RequiredId, cancellationToken);
        return new ConversationVm(
            id, conversation.Title, conversation.Model, conversation.Instructions, conversation.PinnedAt is not null, models, transcript.Value);
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
        PageAsync(new ReadConversation(null, http.Request.Cookies[LastModelCookie] ?? ""), sender, deleted);

    public static Task<IResult> Get(Guid conversationId, ISender sender) => PageAsync(new ReadConversation(conversationId), sender);

    /// <summary>What can be changed of it, as it is now: other tabs and devices change it, too.</summary>
    public static async Task<IResult> Settings(Guid conversationId, ISender sender, HttpContext http)
    {
        var result = await sender.Send(new ReadConversation(conversationId));
        if (!result.IsSuccess)
            return result.Error.ToResult();
        var parameters = new Dictionary<string, object?> { ["Model"] = result.Value };
        return http.Request.WantsFragment()
            ? Html.Fragment<SettingsForm>(parameters)
            : Html.Page<SettingsForm>("Conversation settings", parameters);
    }

    private static async Task<IResult> PageAsync(ReadConversation query, ISender sender, Guid? deleted = null)
    {
        var result = await sender.Send(query);
        return result.IsSuccess
            ? Html.Page<ConversationPage>(result.Value.Title, new Dictionary<string, object?> { ["Model"] = result.Value, ["Deleted"] = deleted })
            : result.Error.ToResult();
    }
}

/// <summary>A conversation's page.</summary>
/// <param name="Id">The conversation; null for one that begins with the next message.</param>
/// <param name="Title">Its title.</param>
/// <param name="ModelId">Its model; empty for the default.</param>
/// <param name="Instructions">Its system prompt.</param>
/// <param name="IsPinned">Whether it is pinned.</param>
/// <param name="Models">The models to choose from.</param>
/// <param name="Transcript">Its messages; null for a new one.</param>
public sealed record ConversationVm(
    Guid? Id, string Title, string ModelId, string Instructions, bool IsPinned, IReadOnlyList<ModelInfo> Models, TranscriptVm? Transcript)
{
    /// <summary>The model that answers next.</summary>
    public ModelInfo? Model => Models.FirstOrDefault(m => m.Id == ModelId) ?? (Models.Count > 0 ? Models[0] : null);
}
