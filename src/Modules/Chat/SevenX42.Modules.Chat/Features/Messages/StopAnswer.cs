using System.Diagnostics;
using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using SevenX42.Contracts.Generation;
using SevenX42.Http;
using SevenX42.Messaging;
using SevenX42.Modules.Chat.Domain;
using SevenX42.Modules.Chat.Features.Conversations;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Features.Messages;

/// <summary>
/// Stops an answer; what it has written stays. Stopping what has ended already is no error. One whose request has not got
/// through to a worker yet ends here and now: of its end nobody else would tell before the request does get through, if ever.
/// </summary>
internal sealed record StopAnswer(Guid ConversationId, Guid AnswerId) : IChatCommand;

internal sealed class StopAnswerHandler(ChatDbContext context, IGenerationApi generation, ICurrentUser user, TimeProvider time)
    : IRequestHandler<StopAnswer, Result>
{
    public async Task<Result> Handle(StopAnswer request, CancellationToken cancellationToken)
    {
        var answer = await context.Messages.AsNoTracking().SingleOrDefaultAsync(
            m => m.Id == request.AnswerId && m.ConversationId == request.ConversationId && m.OwnerId == user.RequiredId, cancellationToken);
        if (answer is null)
            return Error.NotFound();
        if (answer is not { Status: MessageStatus.Pending, GenerationId: { } generationId })
            return Result.Success;
        Activity.Current?.SetTag(RequestTags.Generation, generationId);
        if (await generation.CancelAsync(generationId, cancellationToken)
            || await context.LockAsync(user.RequiredId, request.ConversationId, cancellationToken) is null)
            return Result.Success;
        var waiting = await context.Messages.SingleAsync(m => m.Id == answer.Id, cancellationToken);
        if (waiting.Abandon(generationId, MessageStatus.Stopped, "", ""))
            context.Raise(Changes.Message(waiting, time.GetUtcNow()));
        return Result.Success;
    }
}

internal static class StopAnswerEndpoint
{
    public static async Task<IResult> Post(Guid conversationId, Guid answerId, ISender sender, HttpContext http)
    {
        var result = await sender.Send(new StopAnswer(conversationId, answerId));
        if (!result.IsSuccess)
            return result.Error.ToResult();
        // The page hears of the end where it hears of everything else: on the conversation's channel.
        return http.Request.WantsPage() ? TypedResults.Redirect($"/c/{conversationId:D}") : TypedResults.NoContent();
    }
}
