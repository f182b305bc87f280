using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using SevenX42.Modules.Chat.Domain;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Features.Messages;

/// <summary>Asks for another answer to the same message: a sibling, beside the one there is.</summary>
internal sealed record RegenerateAnswer(Guid ConversationId, Guid AnswerId, string? Model, string? ImageModel = null) : IChatCommand;

internal sealed class RegenerateAnswerHandler(ChatDbContext context, AnswerRequests answers, Drawings drawings, ICurrentUser user)
    : IRequestHandler<RegenerateAnswer, Result>
{
    public async Task<Result> Handle(RegenerateAnswer request, CancellationToken cancellationToken)
    {
        if (await context.LockAsync(user.RequiredId, request.ConversationId, cancellationToken) is not { } conversation)
            return Error.NotFound();
        var old = await context.Messages.AsNoTracking().SingleOrDefaultAsync(
            m => m.Id == request.AnswerId && m.ConversationId == conversation.Id && m.Role == MessageRole.Assistant, cancellationToken);
        if (old?.ParentId is not { } questionId)
            return Error.Conflict("stale_branch", "This answer is not there any more. Reload the conversation.");
        if (await answers.IsAnsweredNowAsync(questionId, cancellationToken))
            return Error.Conflict("answer_running", old.Drawing is null ? "An answer to this message is being written already." : "This is being drawn already.");
        if (old.Drawing is { } before)
        {
            // Other pictures: chance begins elsewhere.
            var drawing = await drawings.AgainAsync(before with { Options = before.Options with { Seed = null } }, request.ImageModel, cancellationToken);
            if (!drawing.IsSuccess)
                return drawing.Error;
            answers.DrawAnother(conversation, questionId, drawing.Value);
            return Result.Success;
        }

        var model = await answers.PickModelAsync(request.Model, conversation, cancellationToken);
        if (!model.IsSuccess)
            return model.Error;
        if (await answers.CheckSightAsync(model.Value, questionId, cancellationToken) is { } blind)
            return blind;
        await answers.RequestAnotherAsync(conversation, questionId, model.Value, cancellationToken);
        return Result.Success;
    }
}

internal static class RegenerateAnswerEndpoint
{
    public static async Task<IResult> Post(Guid conversationId, Guid answerId, ISender sender, HttpContext http)
    {
        var result = await sender.Send(new RegenerateAnswer(conversationId, answerId, await http.FieldAsync("model"), await http.FieldAsync("imageModel")));
        return await TranscriptResponse.OfAsync(result.Error, conversationId, sender, http);
    }
}
