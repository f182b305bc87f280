using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using SevenX42.Http;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Features.Messages;

/// <summary>Reads one message: what a page fetches when it hears that the message changed.</summary>
internal sealed record ReadMessage(Guid ConversationId, Guid MessageId) : IChatQuery<MessageVm>;

internal sealed class ReadMessageHandler(ChatDbContext context, MessageViews views, LiveAnswers live, ICurrentUser user)
    : IRequestHandler<ReadMessage, Result<MessageVm>>
{
    public async Task<Result<MessageVm>> Handle(ReadMessage request, CancellationToken cancellationToken)
    {
        var position = await live.GetPositionAsync(request.ConversationId, cancellationToken);
        var message = await context.Messages.AsNoTracking().SingleOrDefaultAsync(
            m => m.Id == request.MessageId && m.ConversationId == request.ConversationId && m.OwnerId == user.RequiredId
                && context.Conversations.Any(c => c.Id == m.ConversationId && c.DeletedAt == null),
            cancellationToken);
        return message is null ? Error.NotFound() : (await views.OfAsync(request.ConversationId, [message], position, cancellationToken))[0];
    }
}

internal static class ReadMessageEndpoint
{
    public static async Task<IResult> Get(Guid conversationId, Guid messageId, ISender sender)
    {
        var result = await sender.Send(new ReadMessage(conversationId, messageId));
        return result.IsSuccess
            ? Html.Fragment<MessageView>(new Dictionary<string, object?> { ["Message"] = result.Value })
            : result.Error.ToResult();
    }

    /// <summary>The message as the form that says it anew.</summary>
    public static async Task<IResult> Edit(Guid conversationId, Guid messageId, ISender sender, TimeProvider time)
    {
        var result = await sender.Send(new ReadMessage(conversationId, messageId));
        return result.IsSuccess
            ? Html.Fragment<MessageView>(new Dictionary<string, object?> { ["Message"] = result.Value, ["NewId"] = Guid.CreateVersion7(time.GetUtcNow()) })
            : result.Error.ToResult();
    }
}
