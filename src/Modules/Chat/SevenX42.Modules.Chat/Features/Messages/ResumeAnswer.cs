using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using SevenX42.Modules.Chat.Domain;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Features.Messages;

/// <summary>
/// Takes up an answer that did not come to its end: continues its text (Continue), or begins it again (Retry), beside the text
/// it has, if any, which is kept as a sibling: the second attempt may come to less.
/// </summary>
internal sealed record ResumeAnswer(Guid ConversationId, Guid AnswerId, bool KeepText, string? Model, string? ImageModel = null) : IChatCommand;

internal sealed class ResumeAnswerHandler(ChatDbContext context, AnswerRequests answers, Drawings drawings, ICurrentUser user)
    : IRequestHandler<ResumeAnswer, Result>
{
    public async Task<Result> Handle(ResumeAnswer request, CancellationToken cancellationToken)
    {
        if (await context.LockAsync(user.RequiredId, request.ConversationId, cancellationToken) is not { } conversation)
            return Error.NotFound();
        var answer = await context.Messages.SingleOrDefaultAsync(
            m => m.Id == request.AnswerId && m.ConversationId == conversation.Id && m.Role == MessageRole.Assistant, cancellationToken);
        if (answer is null)
            return Error.Conflict("stale_branch", "This answer is not there any more. Reload the conversation.");
        if (answer.Status is MessageStatus.Pending)
            return Result.Success;
        if (answer.Status is MessageStatus.Completed)
            return Error.Conflict("answer_complete", "This answer is complete. Regenerate it to get another one.");
        var begins = (!request.KeepText || answer.Drawing is not null) && answer.Content.Length > 0;
        if (begins && await answers.IsAnsweredNowAsync(answer.ParentId, cancellationToken))
            return Result.Success;
        if (answer.Drawing is { } before)
        {
            var drawing = await drawings.AgainAsync(before, request.ImageModel, cancellationToken);
            if (!drawing.IsSuccess)
                return drawing.Error;
            if (begins && answer.ParentId is { } askedFor)
                answers.DrawAnother(conversation, askedFor, drawing.Value);
            else
                answers.Draw(conversation, answer, drawing.Value);
            return Result.Success;
        }

        var model = await answers.PickModelAsync(request.Model, conversation, cancellationToken);
        if (!model.IsSuccess)
            return model.Error;
        if (await answers.CheckSightAsync(model.Value, answer.ParentId, cancellationToken) is { } blind)
            return blind;
        if (begins && answer.ParentId is { } questionId)
            await answers.RequestAnotherAsync(conversation, questionId, model.Value, cancellationToken);
        else
            await answers.RequestAgainAsync(conversation, answer, model.Value, request.KeepText, cancellationToken);
        return Result.Success;
    }
}

internal static class ResumeAnswerEndpoint
{
    public static async Task<IResult> Continue(Guid conversationId, Guid answerId, ISender sender, HttpContext http) =>
        await ResumeAsync(new ResumeAnswer(conversationId, answerId, KeepText: true, await http.FieldAsync("model")), sender, http);

    public static async Task<IResult> Retry(Guid conversationId, Guid answerId, ISender sender, HttpContext http) =>
        await ResumeAsync(new ResumeAnswer(conversationId, answerId, KeepText: false, await http.FieldAsync("model"), await http.FieldAsync("imageModel")), sender, http);

    private static async Task<IResult> ResumeAsync(ResumeAnswer command, ISender sender, HttpContext http) =>
        await TranscriptResponse.OfAsync((await sender.Send(command)).Error, command.ConversationId, sender, http);
}
