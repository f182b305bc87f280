using MediatR;
using Microsoft.AspNetCore.Http;
using SevenX42.Http;
using SevenX42.Messaging;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Features.Conversations;

/// <summary>Takes a deletion back.</summary>
internal sealed record RestoreConversation(Guid ConversationId) : IChatCommand;

internal sealed class RestoreConversationHandler(ChatDbContext context, ICurrentUser user, TimeProvider time)
    : IRequestHandler<RestoreConversation, Result>
{
    public async Task<Result> Handle(RestoreConversation request, CancellationToken cancellationToken)
    {
        if (await context.LockAsync(user.RequiredId, request.ConversationId, cancellationToken, evenDeleted: true) is not { IsStudio: false } conversation)
            return Error.NotFound("This conversation can't be restored any more.");
        conversation.Restore();
        context.Raise(Changes.InList(conversation, "restored", time.GetUtcNow()));
        return Result.Success;
    }
}

internal static class RestoreConversationEndpoint
{
    public static async Task<IResult> Post(Guid conversationId, ISender sender, HttpContext http)
    {
        var result = await sender.Send(new RestoreConversation(conversationId));
        if (!result.IsSuccess)
            return result.Error.ToResult();
        if (http.Request.WantsPage())
            return TypedResults.Redirect($"/c/{conversationId:D}");
        http.Response.Headers["HX-Redirect"] = $"/c/{conversationId:D}";
        return TypedResults.Ok();
    }
}
