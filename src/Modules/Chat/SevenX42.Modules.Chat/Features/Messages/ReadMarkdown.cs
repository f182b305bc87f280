using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using SevenX42.Http;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Features.Messages;

/// <summary>Reads a message's markdown, for copying.</summary>
internal sealed record ReadMarkdown(Guid ConversationId, Guid MessageId) : IChatQuery<string>;

internal sealed class ReadMarkdownHandler(ChatDbContext context, ICurrentUser user) : IRequestHandler<ReadMarkdown, Result<string>>
{
    public async Task<Result<string>> Handle(ReadMarkdown request, CancellationToken cancellationToken)
    {
        var content = await context.Messages
            .Where(m => m.Id == request.MessageId && m.ConversationId == request.ConversationId && m.OwnerId == user.RequiredId)
            .Where(m => context.Conversations.Any(c => c.Id == m.ConversationId && c.DeletedAt == null))
            .Select(m => m.Content)
            .SingleOrDefaultAsync(cancellationToken);
        return content is null ? Error.NotFound() : content;
    }
}

internal static class ReadMarkdownEndpoint
{
    public static async Task<IResult> Get(Guid conversationId, Guid messageId, ISender sender)
    {
        var result = await sender.Send(new ReadMarkdown(conversationId, messageId));
        return result.IsSuccess ? TypedResults.Text(result.Value, "text/plain; charset=utf-8") : result.Error.ToResult();
    }
}
