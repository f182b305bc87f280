using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using SevenX42.Http;
using SevenX42.Modules.Chat.Domain;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Features.Studio;

/// <summary>Lists what a person last had drawn, in the studio or in conversations, each once, the newest first.</summary>
internal sealed record ListPrompts : IChatQuery<PromptsVm>;

internal sealed class ListPromptsHandler(ChatDbContext context, ICurrentUser user) : IRequestHandler<ListPrompts, Result<PromptsVm>>
{
    private const int Most = 8;

    // Whoever draws the same again and again finds fewer.
    private const int LookedThrough = 200;

    public async Task<Result<PromptsVm>> Handle(ListPrompts request, CancellationToken cancellationToken)
    {
        if (user.Id is not { } owner)
            return new PromptsVm([]);
        return new PromptsVm(await context.Messages
            .Where(m => m.OwnerId == owner && m.Role == MessageRole.User && m.Drawing != null)
            .Where(m => context.Conversations.Any(c => c.Id == m.ConversationId && c.DeletedAt == null))
            .OrderByDescending(m => m.CreatedAt)
            .Take(LookedThrough)
            .GroupBy(m => m.Content)
            .Select(g => new { Prompt = g.Key, At = g.Max(m => m.CreatedAt) })
            .OrderByDescending(p => p.At)
            .Take(Most)
            .Select(p => p.Prompt)
            .ToListAsync(cancellationToken));
    }
}

internal static class ListPromptsEndpoint
{
    public static async Task<IResult> Get(ISender sender)
    {
        var result = await sender.Send(new ListPrompts());
        return result.IsSuccess
            ? Html.Fragment<PromptList>(new Dictionary<string, object?> { ["Model"] = result.Value })
            : result.Error.ToResult();
    }
}

/// <summary>What was drawn last.</summary>
/// <param name="Prompts">Each once, the newest first.</param>
public sealed record PromptsVm(IReadOnlyList<string> Prompts);
