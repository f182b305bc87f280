using FluentValidation;
using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;
using SevenX42.Contracts.Chat;
using SevenX42.Contracts.Generation;
using SevenX42.Http;
using SevenX42.Messaging;
using SevenX42.Modules.Chat.Domain;
using SevenX42.Modules.Chat.Features.Conversations;
using SevenX42.Modules.Chat.Features.Studio;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Features.Messages;

/// <summary>
/// Sends a message: stores it and its pending answer, and requests the answer. The message's id is the client's, so sending
/// it again, however often, is sending it once; see <see cref="MessageIds"/>.
/// </summary>
/// <param name="ConversationId">The conversation; a new one, under the message's id, when null.</param>
/// <param name="MessageId">The message's id.</param>
/// <param name="ParentId">The message it follows; the end of the shown branch when null.</param>
/// <param name="Text">The message.</param>
/// <param name="Model">The model to ask; the conversation's when empty.</param>
/// <param name="Choice">How pictures are to be drawn, when that is what is asked for; <c>/image</c> asks for them, too.</param>
/// <param name="Pictures">Pictures to be seen; with them the text may be empty.</param>
/// <param name="InStudio">Whether to send it to the person's studio, which begins with the first that is drawn there.</param>
internal sealed record SendMessage(
    Guid? ConversationId,
    Guid MessageId,
    Guid? ParentId,
    string Text,
    string? Model,
    DrawingChoice? Choice = null,
    IReadOnlyList<IFormFile>? Pictures = null,
    bool InStudio = false)
    : IChatCommand<SentMessage>;

/// <summary>A message that is stored.</summary>
internal sealed record SentMessage(Guid ConversationId, Guid MessageId);

internal sealed class SendMessageValidator : AbstractValidator<SendMessage>
{
    public SendMessageValidator()
    {
        RuleFor(c => c.MessageId).NotEmpty().WithErrorCode("message_id").WithMessage("This message has no id. Reload the page and send it again.");
        RuleFor(c => c.Text).MessageText(mayBeEmpty: c => c.Pictures is { Count: > 0 });
        RuleFor(c => c.Choice)
            .Must(choice => !ControlCharacters.InText(choice?.NegativePrompt ?? "")).WithErrorCode("negative_control_characters")
            .WithMessage("What to leave out holds control characters, which can't be stored. Remove them and send it again.");
    }
}

internal static class MessageTextRules
{
    /// <summary>What a person may write in a message.</summary>
    public static void MessageText<T>(this IRuleBuilderInitial<T, string> rule, Func<T, bool>? mayBeEmpty = null) => rule
        .Cascade(CascadeMode.Stop)
        .Must((message, text) => !string.IsNullOrWhiteSpace(text) || mayBeEmpty?.Invoke(message) is true).WithErrorCode("message_empty").WithMessage("Write a message first.")
        .Must(text => text.Length <= Message.LongestText).WithErrorCode("message_too_long")
        .WithMessage($"This message is too long: at most {Message.LongestText:N0} characters. Shorten it, or send it in parts.")
        .Must(text => !ControlCharacters.InText(text)).WithErrorCode("message_control_characters")
        .WithMessage("This message holds control characters, which can't be stored. Remove them and send it again.");

    /// <summary>Line breaks as one character, whatever a form made of them.</summary>
    public static string Normalize(string? text) => (text ?? "").ReplaceLineEndings("\n");
}

internal sealed class SendMessageHandler(
    ChatDbContext context, MessageIds ids, AnswerRequests answers, Drawings drawings, SentPictures pictures, ICurrentUser user, TimeProvider time)
    : IRequestHandler<SendMessage, Result<SentMessage>>
{
    private static readonly Error NotDrawn = Error.Invalid(
        "pictures_not_drawn", "A picture is drawn from words alone. Remove the attached pictures, or ask for an answer instead.", SentPictures.Field);

    public async Task<Result<SentMessage>> Handle(SendMessage request, CancellationToken cancellationToken)
    {
        var command = Drawing.PromptOf(request.Text);
        var draws = command is not null || request.Choice is not null || request.InStudio;
        if (draws)
            request = request with { Text = command ?? request.Text.Trim() };

        // What takes longest comes before the lock.
        var tokens = TokenCounter.Count(request.Text);
        IReadOnlyList<Guid> held = [];
        if (request.Pictures is { Count: > 0 } sent)
        {
            if (draws)
                return NotDrawn;
            if (string.IsNullOrWhiteSpace(request.Text))
                request = request with { Text = "" };
            var sending = ids.SendingOf(request.MessageId, request.ConversationId ?? Guid.Empty, request.Text);
            var result = await pictures.HoldAsync(sending, sent, cancellationToken);
            if (!result.IsSuccess)
                return result.Error;
            held = result.Value;
        }

        if (request.InStudio)
            return await DrawInStudioAsync(request, tokens, cancellationToken);
        return request.ConversationId is { } conversationId
            ? await ContinueAsync(request, conversationId, draws, tokens, held, cancellationToken)
            : await BeginAsync(request, draws, tokens, held, cancellationToken);
    }

    private async Task<Result<SentMessage>> BeginAsync(
        SendMessage request, bool draws, int tokens, IReadOnlyList<Guid> held, CancellationToken cancellationToken)
    {
        if (!await context.LockBeginningAsync(user.RequiredId, request.MessageId, cancellationToken))
            return Error.Unauthenticated();
        var (id, stored) = await ids.FindAsync(
            request.MessageId, place: Guid.Empty, request.Text, held, m => m.ParentId is null && m.ConversationId == m.Id, cancellationToken);
        if (stored is not null)
            return stored.IsDeleted ? Error.NotFound("This message was sent, and its conversation has been deleted since.") : new SentMessage(id, id);
        var chosen = await ChooseAsync(request, null, draws, held.Count, cancellationToken);
        if (!chosen.IsSuccess)
            return chosen.Error;
        var kept = await pictures.KeepAsync(held, id, cancellationToken);
        if (!kept.IsSuccess)
            return kept.Error;
        var conversation = Conversation.Begin(id, user.RequiredId, request.Text, time.GetUtcNow());
        context.Conversations.Add(conversation);
        context.Raise(Changes.InList(conversation, "created", time.GetUtcNow()));
        return await StoreAsync(request, conversation, id, parentId: null, chosen.Value, tokens, held, cancellationToken);
    }

    private async Task<Result<SentMessage>> ContinueAsync(
        SendMessage request, Guid conversationId, bool draws, int tokens, IReadOnlyList<Guid> held, CancellationToken cancellationToken)
    {
        if (await context.LockAsync(user.RequiredId, conversationId, cancellationToken) is not { } conversation)
            return Error.NotFound("This conversation does not exist, or it is not yours.");
        // Whatever is said in a studio is a prompt.
        if (conversation.IsStudio && held.Count > 0)
            return NotDrawn;
        return conversation.IsStudio
            ? await FollowAsync(request with { Text = request.Text.Trim() }, conversation, draws: true, tokens, [], cancellationToken)
            : await FollowAsync(request, conversation, draws, tokens, held, cancellationToken);
    }

    private async Task<Result<SentMessage>> DrawInStudioAsync(SendMessage request, int tokens, CancellationToken cancellationToken)
    {
        var studio = await context.LockStudioAsync(user.RequiredId, cancellationToken);
        if (studio is null)
        {
            if (!await context.LockBeginningAsync(user.RequiredId, request.MessageId, cancellationToken))
                return Error.Unauthenticated();
            // Of two that come at once the second has waited for the first, and goes on in its studio.
            studio = await context.LockStudioAsync(user.RequiredId, cancellationToken);
        }

        if (studio is null)
        {
            studio = Conversation.Studio(Guid.CreateVersion7(time.GetUtcNow()), user.RequiredId, time.GetUtcNow());
            context.Conversations.Add(studio);
        }

        // Versions before the studio list it as a conversation, and delete it. Whoever draws before it is gone for good has it back: there is
        // no second one beside it.
        studio.Restore();
        return await FollowAsync(request, studio, draws: true, tokens, [], cancellationToken);
    }

    /// <summary>Behind the end of a conversation that nobody else changes meanwhile.</summary>
    private async Task<Result<SentMessage>> FollowAsync(
        SendMessage request, Conversation conversation, bool draws, int tokens, IReadOnlyList<Guid> held, CancellationToken cancellationToken)
    {
        var (id, stored) = await ids.FindAsync(
            request.MessageId, conversation.Id, request.Text, held, m => m.ConversationId == conversation.Id, cancellationToken);
        if (stored is not null)
            return new SentMessage(conversation.Id, id);
        var chosen = await ChooseAsync(request, conversation, draws, held.Count, cancellationToken);
        if (!chosen.IsSuccess)
            return chosen.Error;
        var parentId = request.ParentId ?? conversation.LeafId;
        if (conversation.LastNumber == 0)
            return await StoreAsync(request, conversation, id, parentId: null, chosen.Value, tokens, held, cancellationToken);
        var parent = await context.Messages.AsNoTracking()
            .Where(m => m.Id == parentId && m.ConversationId == conversation.Id)
            .Select(m => new { m.Role, m.Status, Draws = m.Drawing != null })
            .SingleOrDefaultAsync(cancellationToken);
        if (parent is not { Role: MessageRole.Assistant })
            return Error.Conflict("stale_branch", "The message that you answer is not there any more. Reload the conversation; your text is kept.");
        if (parent.Status == MessageStatus.Pending)
        {
            return Error.Conflict(
                "answer_running",
                $"{(parent.Draws ? "A picture is still being drawn" : "The answer is still being written")}. Stop it, or wait until it is done; your text is kept.");
        }

        var kept = await pictures.KeepAsync(held, conversation.Id, cancellationToken);
        if (!kept.IsSuccess)
            return kept.Error;
        return await StoreAsync(request, conversation, id, parentId, chosen.Value, tokens, held, cancellationToken);
    }

    /// <summary>
    /// What is drawn, or the model that writes: for pictures none has to be there, and none is chosen. Only of a message that is not stored:
    /// sent once more it is the same, whatever has become of its model.
    /// </summary>
    private async Task<Result<(Drawing? Drawing, ModelInfo? Model)>> ChooseAsync(
        SendMessage request, Conversation? conversation, bool draws, int shown, CancellationToken cancellationToken)
    {
        if (draws)
        {
            var drawing = await drawings.ReadAsync(request.Text, request.Choice, cancellationToken);
            return drawing.IsSuccess ? (drawing.Value, (ModelInfo?)null) : drawing.Error;
        }

        var model = await answers.ChooseModelAsync(request.Model, conversation, cancellationToken);
        if (!model.IsSuccess)
            return model.Error;
        return SentPictures.Check(model.Value, shown) is { } blind ? blind : ((Drawing?)null, model.Value);
    }

    private async Task<SentMessage> StoreAsync(
        SendMessage request,
        Conversation conversation,
        Guid id,
        Guid? parentId,
        (Drawing? Drawing, ModelInfo? Model) chosen,
        int tokens,
        IReadOnlyList<Guid> attachments,
        CancellationToken cancellationToken)
    {
        var (drawing, model) = chosen;
        var question = Message.OfPerson(id, conversation, parentId, request.Text, tokens, time.GetUtcNow(), drawing, attachments);
        if (drawing is not null)
        {
            answers.AskForPictures(conversation, question, drawing);
            return new SentMessage(conversation.Id, id);
        }

        if (attachments.Count > 0)
            context.Raise(new PicturesSent(Guid.CreateVersion7(time.GetUtcNow()), conversation.Id, conversation.OwnerId, attachments));
        // What was chosen for this message is meant for the next ones, too.
        if (!string.IsNullOrEmpty(request.Model))
            conversation.Model = model!.Id;
        await answers.AskAsync(conversation, question, model!, cancellationToken);
        return new SentMessage(conversation.Id, id);
    }
}

/// <summary>The composer's form.</summary>
internal sealed class SendMessageForm
{
    /// <summary>The page's, made with it or by its script.</summary>
    public string? MessageId { get; set; }

    public Guid? ParentId { get; set; }

    public string? Text { get; set; }

    public string? Model { get; set; }

    /// <summary>Whether pictures are asked for; the following fields say how.</summary>
    public bool Draw { get; set; }

    public string? ImageModel { get; set; }

    public string? Size { get; set; }

    public string? Count { get; set; }

    public string? Seed { get; set; }

    public string? Negative { get; set; }

    public string? Steps { get; set; }

    public DrawingChoice? Choice => Draw ? new DrawingChoice(ImageModel, Size, Count, Seed, MessageTextRules.Normalize(Negative), Steps) : null;
}

internal static class SendMessageEndpoint
{
    /// <summary>The first message of a conversation.</summary>
    public static async Task<IResult> Begin([FromForm] SendMessageForm? form, ISender sender, HttpContext http, TimeProvider time)
    {
        var result = await sender.Send(new SendMessage(
            ConversationId: null,
            MessageIdOf(form, http, time),
            ParentId: null,
            MessageTextRules.Normalize(form?.Text),
            form?.Model,
            form?.Choice,
            Pictures(http)));
        if (!result.IsSuccess)
            return result.Error.ToResult();
        var path = $"/c/{result.Value.ConversationId:D}";
        if (!http.Request.WantsFragment())
            return TypedResults.Redirect($"{path}#m-1");
        if (http.Features.Get<GuestCreated>() is null)
        {
            http.Response.Headers["HX-Push-Url"] = path;
            return await ReadConversationEndpoint.Get(result.Value.ConversationId, message: null, sender, http);
        }

        // A whole load: a guest that was made just now needs the page, and its tokens, to be theirs.
        http.Response.Headers["HX-Redirect"] = path;
        return TypedResults.Ok();
    }

    /// <summary>A further message. Answers with the transcript, which carries the position to watch from.</summary>
    public static async Task<IResult> Post(Guid conversationId, [FromForm] SendMessageForm? form, ISender sender, HttpContext http, TimeProvider time)
    {
        var result = await sender.Send(new SendMessage(
            conversationId,
            MessageIdOf(form, http, time),
            form?.ParentId,
            MessageTextRules.Normalize(form?.Text),
            form?.Model,
            form?.Choice,
            Pictures(http)));
        return await TranscriptResponse.OfAsync(result.Error, conversationId, sender, http);
    }

    // Read by now, for the other fields. A chooser in which nothing was chosen brings no file.
    private static IReadOnlyList<IFormFile> Pictures(HttpContext http) =>
        http.Request.HasFormContentType ? http.Request.Form.Files.GetFiles(SentPictures.Field) : [];

    /// <summary>What the studio is to draw. Answers with the stage, which carries the position to watch from.</summary>
    public static async Task<IResult> Draw([FromForm] SendMessageForm? form, ISender sender, HttpContext http, TimeProvider time)
    {
        var result = await sender.Send(new SendMessage(
            ConversationId: null,
            MessageIdOf(form, http, time),
            ParentId: null,
            MessageTextRules.Normalize(form?.Text),
            Model: null,
            form?.Choice,
            InStudio: true));
        if (!result.IsSuccess)
            return result.Error.ToResult();
        if (!http.Request.WantsFragment())
            return TypedResults.Redirect(ReadStudioEndpoint.Path);
        if (http.Features.Get<GuestCreated>() is null)
            return await ReadTranscriptEndpoint.Get(result.Value.ConversationId, from: null, to: null, message: null, sender);
        // As above.
        http.Response.Headers["HX-Redirect"] = ReadStudioEndpoint.Path;
        return TypedResults.Ok();
    }

    // Pages bring an id. Whoever sends forms of their own, without one, sends them once.
    private static Guid MessageIdOf(SendMessageForm? form, HttpContext http, TimeProvider time) =>
        Guid.TryParse(form?.MessageId, out var id) || http.Request.WantsFragment() ? id : Guid.CreateVersion7(time.GetUtcNow());
}
