using FluentValidation;
using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;
using SevenX42.Http;
using SevenX42.Messaging;
using SevenX42.Modules.Chat.Domain;
using SevenX42.Modules.Chat.Features.Conversations;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Features.Messages;

/// <summary>
/// Sends a message: stores it and its pending answer, and requests the answer. The message's id is the client's, so sending
/// it again, however often, is sending it once.
/// </summary>
/// <param name="ConversationId">The conversation; a new one when <paramref name="Begins"/>.</param>
/// <param name="Begins">Whether this is the first message of a conversation.</param>
/// <param name="MessageId">The message's id.</param>
/// <param name="ParentId">The message it follows; the end of the shown branch when null.</param>
/// <param name="Text">The message.</param>
/// <param name="Model">The model to ask; the conversation's when empty.</param>
internal sealed record SendMessage(Guid ConversationId, bool Begins, Guid MessageId, Guid? ParentId, string Text, string? Model)
    : IChatCommand<SentMessage>;

/// <summary>A message that is stored.</summary>
internal sealed record SentMessage(Guid ConversationId, Guid MessageId, Guid AnswerId);

internal sealed class SendMessageValidator : AbstractValidator<SendMessage>
{
    public SendMessageValidator()
    {
        RuleFor(c => c.MessageId).NotEmpty().WithErrorCode("message_id").WithMessage("This message has no id. Reload the page and send it again.");
        RuleFor(c => c.Text).MessageText();
    }
}

internal static class MessageTextRules
{
    /// <summary>What a person may write in a message.</summary>
    public static void MessageText<T>(this IRuleBuilderInitial<T, string> rule) => rule
        .Cascade(CascadeMode.Stop)
        .Must(text => !string.IsNullOrWhiteSpace(text)).WithErrorCode("message_empty").WithMessage("Write a message first.")
        .Must(text => text.Length <= Message.LongestText).WithErrorCode("message_too_long")
        .WithMessage($"This message is too long: at most {Message.LongestText:N0} characters. Shorten it, or send it in parts.")
        .Must(text => !text.Any(IsForbidden)).WithErrorCode("message_control_characters")
        .WithMessage("This message holds control characters, which can't be stored. Remove them and send it again.");

    /// <summary>Line breaks as one character, whatever a form made of them.</summary>
    public static string Normalize(string? text) => (text ?? "").ReplaceLineEndings("\n");

    private static bool IsForbidden(char c) => char.IsControl(c) && c is not ('\n' or '\t');
}

internal sealed class SendMessageHandler(ChatDbContext context, AnswerRequests answers, ICurrentUser user, TimeProvider time)
    : IRequestHandler<SendMessage, Result<SentMessage>>
{
    public async Task<Result<SentMessage>> Handle(SendMessage request, CancellationToken cancellationToken)
    {
        var conversation = await context.LockAsync(user.RequiredId, request.ConversationId, cancellationToken);
        if (await FindSentAsync(request, cancellationToken) is { } sent)
            return sent;
        if (conversation is null && !request.Begins)
            return Error.NotFound("This conversation does not exist, or it is not yours.");

        var model = await answers.ChooseModelAsync(request.Model, conversation, cancellationToken);
        if (!model.IsSuccess)
            return model.Error;
        var now = time.GetUtcNow();
        if (conversation is null)
        {
            conversation = Conversation.Begin(request.ConversationId, user.RequiredId, request.Text, now);
            context.Conversations.Add(conversation);
            context.Raise(Changes.InList(conversation, "created", now));
        }

        // What was chosen for this message is meant for the next ones, too.
        if (!string.IsNullOrEmpty(request.Model))
            conversation.Model = model.Value.Id;
        var parentId = request.ParentId ?? conversation.LeafId;
        if (parentId is { } id)
        {
            var parent = await context.Messages.AsNoTracking()
                .SingleOrDefaultAsync(m => m.Id == id && m.ConversationId == conversation.Id, cancellationToken);
            if (parent is not { Role: MessageRole.Assistant })
                return Error.Conflict("stale_branch", "The message that you answer is not there any more. Reload the conversation; your text is kept.");
            if (parent.Status == MessageStatus.Pending)
                return Error.Conflict("answer_running", "The answer is still being written. Stop it, or wait until it is done; your text is kept.");
        }

        var question = Message.OfPerson(request.MessageId, conversation, parentId, request.Text, now);
        var answer = Message.Answer(Guid.CreateVersion7(now), conversation, question.Id, now);
        context.Messages.AddRange(question, answer);
        await answers.RequestAsync(conversation, answer, question, model.Value, keepText: false, cancellationToken);
        return new SentMessage(conversation.Id, question.Id, answer.Id);
    }

    private async Task<Result<SentMessage>?> FindSentAsync(SendMessage request, CancellationToken cancellationToken)
    {
        var sent = await context.Messages.AsNoTracking()
            .Where(m => m.Id == request.MessageId)
            .Select(m => new
            {
                m.ConversationId,
                m.OwnerId,
                AnswerId = context.Messages.Where(a => a.ParentId == m.Id).OrderBy(a => a.Number).Select(a => a.Id).FirstOrDefault(),
            })
            .SingleOrDefaultAsync(cancellationToken);
        if (sent is null)
            return null;
        return sent.OwnerId == user.RequiredId && sent.ConversationId == request.ConversationId
            ? new SentMessage(sent.ConversationId, request.MessageId, sent.AnswerId)
            : (Result<SentMessage>)Error.Conflict("message_id", "This message's id is taken. Reload the page and send it again.");
    }
}

/// <summary>The composer's form.</summary>
internal sealed class SendMessageForm
{
    public Guid? ConversationId { get; set; }

    /// <summary>Empty when no script has made one.</summary>
    public string? MessageId { get; set; }

    public Guid? ParentId { get; set; }

    public string? Text { get; set; }

    public string? Model { get; set; }
}

internal static class SendMessageEndpoint
{
    /// <summary>The first message of a conversation.</summary>
    public static async Task<IResult> Begin([FromForm] SendMessageForm? form, ISender sender, HttpContext http, TimeProvider time)
    {
        // The message's id makes the send idempotent; the conversation's follows from it when the client gave none.
        var messageId = MessageIdOf(form, http, time);
        var result = await sender.Send(new SendMessage(
            form?.ConversationId ?? messageId, Begins: true, messageId, ParentId: null, MessageTextRules.Normalize(form?.Text), form?.Model));
        if (!result.IsSuccess)
            return result.Error.ToResult();
        var path = $"/c/{result.Value.ConversationId:D}";
        if (!http.Request.WantsFragment())
            return TypedResults.Redirect($"{path}#m-1");
        if (http.Features.Get<GuestCreated>() is null)
        {
            http.Response.Headers["HX-Push-Url"] = path;
            return await ReadConversationEndpoint.Get(result.Value.ConversationId, sender);
        }

        // A whole load: a guest that was made just now needs the page, and its tokens, to be theirs.
        http.Response.Headers["HX-Redirect"] = path;
        return TypedResults.Ok();
    }

    /// <summary>A further message. Answers with the transcript, which carries the position to watch from.</summary>
    public static async Task<IResult> Post(Guid conversationId, [FromForm] SendMessageForm? form, ISender sender, HttpContext http, TimeProvider time)
    {
        var messageId = MessageIdOf(form, http, time);
        var result = await sender.Send(new SendMessage(
            conversationId, Begins: false, messageId, form?.ParentId, MessageTextRules.Normalize(form?.Text), form?.Model));
        return await TranscriptResponse.OfAsync(result.Error, conversationId, sender, http);
    }

    // Only the page's script makes ids; a browser without one sends a form once, and the server makes it.
    private static Guid MessageIdOf(SendMessageForm? form, HttpContext http, TimeProvider time) =>
        Guid.TryParse(form?.MessageId, out var id) || http.Request.WantsFragment() ? id : Guid.CreateVersion7(time.GetUtcNow());
}
