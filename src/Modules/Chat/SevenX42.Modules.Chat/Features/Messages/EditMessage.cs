using FluentValidation;
using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;
using SevenX42.Modules.Chat.Domain;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Features.Messages;

/// <summary>Says a message anew: a sibling with an answer of its own begins a branch, the old branch is kept.</summary>
/// <param name="ConversationId">The conversation.</param>
/// <param name="MessageId">The message that is said anew.</param>
/// <param name="NewMessageId">Id of the new one, by the page: editing twice is editing once; see <see cref="MessageIds"/>.</param>
/// <param name="Text">The new text.</param>
/// <param name="Model">The model to ask; the conversation's when empty.</param>
/// <param name="ImageModel">The model that draws, where the message asks for pictures; the same as before when empty.</param>
internal sealed record EditMessage(Guid ConversationId, Guid MessageId, Guid NewMessageId, string Text, string? Model, string? ImageModel = null)
    : IChatCommand;

internal sealed class EditMessageValidator : AbstractValidator<EditMessage>
{
    public EditMessageValidator() => RuleFor(c => c.Text).MessageText();
}

internal sealed class EditMessageHandler(
    ChatDbContext context, MessageIds ids, AnswerRequests answers, Drawings drawings, ICurrentUser user, TimeProvider time)
    : IRequestHandler<EditMessage, Result>
{
    public async Task<Result> Handle(EditMessage request, CancellationToken cancellationToken)
    {
        // What takes longest comes before the lock.
        var tokens = TokenCounter.Count(request.Text);
        if (await context.LockAsync(user.RequiredId, request.ConversationId, cancellationToken) is not { } conversation)
            return Error.NotFound();
        var old = await context.Messages.AsNoTracking().SingleOrDefaultAsync(
            m => m.Id == request.MessageId && m.ConversationId == conversation.Id && m.Role == MessageRole.User, cancellationToken);
        if (old is null)
            return Error.Conflict("stale_branch", "This message is not there any more. Reload the conversation.");
        var (id, stored) = await ids.FindAsync(
            request.NewMessageId, old.Id, request.Text, old.Attachments, m => m.ConversationId == conversation.Id && m.ParentId == old.ParentId && m.Id != old.Id, cancellationToken);
        if (stored is not null)
            return Result.Success;
        if (old.Drawing is { } before)
        {
            var drawing = await drawings.AgainAsync(before with { Prompt = request.Text }, request.ImageModel, cancellationToken);
            if (!drawing.IsSuccess)
                return drawing.Error;
            answers.AskForPictures(
                conversation, Message.OfPerson(id, conversation, old.ParentId, request.Text, tokens, time.GetUtcNow(), drawing.Value), drawing.Value);
            return Result.Success;
        }

        var model = await answers.PickModelAsync(request.Model, conversation, cancellationToken);
        if (!model.IsSuccess)
            return model.Error;
        if (SentPictures.Check(model.Value, old.Attachments.Count) is { } blind)
            return blind;
        // The branches share the pictures.
        var question = Message.OfPerson(id, conversation, old.ParentId, request.Text, tokens, time.GetUtcNow(), attachments: old.Attachments);
        await answers.AskAsync(conversation, question, model.Value, cancellationToken);
        return Result.Success;
    }
}

/// <summary>The form in place of the message.</summary>
internal sealed class EditMessageForm
{
    /// <summary>The page's, made with the form.</summary>
    public Guid? NewMessageId { get; set; }

    public string? Text { get; set; }

    public string? Model { get; set; }

    public string? ImageModel { get; set; }
}

internal static class EditMessageEndpoint
{
    public static async Task<IResult> Post(
        Guid conversationId, Guid messageId, [FromForm] EditMessageForm? form, ISender sender, HttpContext http, TimeProvider time)
    {
        var newId = form?.NewMessageId ?? Guid.CreateVersion7(time.GetUtcNow());
        var result = await sender.Send(new EditMessage(conversationId, messageId, newId, MessageTextRules.Normalize(form?.Text), form?.Model, form?.ImageModel));
        return await TranscriptResponse.OfAsync(result.Error, conversationId, sender, http);
    }
}
