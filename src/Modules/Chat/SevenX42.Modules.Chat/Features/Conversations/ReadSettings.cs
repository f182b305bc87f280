using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using SevenX42.Contracts.Generation;
using SevenX42.Http;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Features.Conversations;

/// <summary>Reads what can be changed of a conversation, as it is now: other tabs and devices change it, too.</summary>
internal sealed record ReadSettings(Guid ConversationId) : IChatQuery<SettingsVm>;

internal sealed class ReadSettingsHandler(ChatDbContext context, IGenerationApi generation, ICurrentUser user) : IRequestHandler<ReadSettings, Result<SettingsVm>>
{
    public async Task<Result<SettingsVm>> Handle(ReadSettings request, CancellationToken cancellationToken)
    {
        var conversation = await context.Conversations.AsNoTracking().SingleOrDefaultAsync(
            c => c.Id == request.ConversationId && c.OwnerId == user.RequiredId && c.DeletedAt == null && !c.IsStudio, cancellationToken);
        return conversation is null
            ? Error.NotFound("This conversation does not exist, or it is not yours.")
            : new SettingsVm(
                conversation.Id,
                conversation.Title,
                conversation.Model,
                conversation.Instructions,
                conversation.PinnedAt is not null,
                await generation.GetModelsAsync(cancellationToken));
    }
}

internal static class ReadSettingsEndpoint
{
    public static async Task<IResult> Get(Guid conversationId, ISender sender, HttpContext http)
    {
        var result = await sender.Send(new ReadSettings(conversationId));
        if (!result.IsSuccess)
            return result.Error.ToResult();
        var parameters = new Dictionary<string, object?> { ["Model"] = result.Value };
        return http.Request.WantsFragment()
            ? Html.Fragment<SettingsForm>(parameters)
            : Html.Page<SettingsForm>("Conversation settings", parameters);
    }
}

/// <summary>What can be changed of a conversation.</summary>
/// <param name="Id">The conversation.</param>
/// <param name="Title">Its title.</param>
/// <param name="ModelId">Its model; empty for the default.</param>
/// <param name="Instructions">Its system prompt.</param>
/// <param name="IsPinned">Whether it is pinned.</param>
/// <param name="Models">The models to choose from.</param>
public sealed record SettingsVm(Guid Id, string Title, string ModelId, string Instructions, bool IsPinned, IReadOnlyList<ModelInfo> Models)
{
    /// <summary>The model that answers next.</summary>
    /// <remarks>
    /// One that is not available now is named all the same, without an id: what is meant for it goes to no other model, which
    /// may be elsewhere and cost money, unless the person says so.
    /// </remarks>
    public ModelInfo? Model => ModelId.Length == 0
        ? First(Models)
        : Models.FirstOrDefault(m => m.Id == ModelId) ?? new ModelInfo("", $"{ModelId[(ModelId.IndexOf('/') + 1)..]} (not available)", "", 0, false);

    /// <summary>The model that answers where nobody chose one.</summary>
    internal static ModelInfo? First(IReadOnlyList<ModelInfo> models) => models.Count > 0 ? models[0] : null;
}
