using FluentValidation;
using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using SevenX42.Http;
using SevenX42.Messaging;
using SevenX42.Modules.Chat.Domain;
using SevenX42.Modules.Chat.Features.Messages;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Features.Conversations;

/// <summary>Changes what a conversation is called, whether it is pinned, and how it is answered; null leaves as it is, and so does an empty model.</summary>
internal sealed record ChangeConversation(Guid ConversationId, string? Title = null, bool? Pinned = null, string? Model = null, string? Instructions = null)
    : IChatCommand;

internal sealed class ChangeConversationValidator : AbstractValidator<ChangeConversation>
{
    public ChangeConversationValidator()
    {
        RuleFor(c => c.Title)
            .Must(title => title is null || !string.IsNullOrWhiteSpace(title)).WithErrorCode("title_empty").WithMessage("A conversation needs a name.")
            .MaximumLength(Conversation.LongestTitle).WithErrorCode("title_too_long")
            .WithMessage($"This name is too long: at most {Conversation.LongestTitle} characters.")
            .Must(title => title is null || !ControlCharacters.InLine(title.Trim())).WithErrorCode("title_control_characters")
            .WithMessage("This name holds control characters or line breaks. Remove them and save again.");
        RuleFor(c => c.Instructions)
            .MaximumLength(Conversation.LongestInstructions).WithErrorCode("instructions_too_long")
            .WithMessage($"These instructions are too long: at most {Conversation.LongestInstructions:N0} characters.")
            .Must(text => text is null || !ControlCharacters.InText(text)).WithErrorCode("instructions_control_characters")
            .WithMessage("These instructions hold control characters. Remove them and save again.");
    }
}

internal sealed class ChangeConversationHandler(ChatDbContext context, AnswerRequests answers, ICurrentUser user, TimeProvider time)
    : IRequestHandler<ChangeConversation, Result>
{
    public async Task<Result> Handle(ChangeConversation request, CancellationToken cancellationToken)
    {
        if (await context.LockAsync(user.RequiredId, request.ConversationId, cancellationToken) is not { IsStudio: false } conversation)
            return Error.NotFound();
        var now = time.GetUtcNow();
        if (!string.IsNullOrEmpty(request.Model) && await answers.PickModelAsync(request.Model, conversation, cancellationToken) is { IsSuccess: false } refused)
            return refused.Error;
        conversation.Instructions = request.Instructions?.Trim() ?? conversation.Instructions;
        if (request.Title is { } title)
        {
            conversation.Rename(title.Trim());
            context.Raise(Changes.Title(conversation, now));
        }

        if (request.Pinned is { } pinned)
        {
            conversation.Pin(pinned ? now : null);
            context.Raise(Changes.InList(conversation, "pinned", now));
        }

        return Result.Success;
    }
}

/// <summary>Forms that change a conversation.</summary>
internal sealed class ChangeConversationForm
{
    public string? Title { get; set; }

    public bool? Pinned { get; set; }

    public string? Model { get; set; }

    public string? Instructions { get; set; }
}

internal static class ChangeConversationEndpoint
{
    public static Task<IResult> Title(Guid conversationId, [FromForm] ChangeConversationForm? form, ISender sender, HttpContext http) =>
        ChangeAsync(new ChangeConversation(conversationId, Title: form?.Title ?? ""), sender, http);

    public static Task<IResult> Pin(Guid conversationId, [FromForm] ChangeConversationForm? form, ISender sender, HttpContext http) =>
        ChangeAsync(new ChangeConversation(conversationId, Pinned: form?.Pinned ?? true), sender, http);

    public static Task<IResult> Settings(Guid conversationId, [FromForm] ChangeConversationForm? form, ISender sender, HttpContext http) =>
        ChangeAsync(
            new ChangeConversation(conversationId, form?.Title, Model: form?.Model, Instructions: form?.Instructions is { } instructions ? MessageTextRules.Normalize(instructions) : null), sender, http);

    private static async Task<IResult> ChangeAsync(ChangeConversation command, ISender sender, HttpContext http)
    {
        var result = await sender.Send(command);
        if (!result.IsSuccess)
            return result.Error.ToResult();
        return http.Request.WantsPage() ? TypedResults.Redirect($"/c/{command.ConversationId:D}") : TypedResults.NoContent();
    }
}
