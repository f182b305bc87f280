using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using SevenX42.Messaging;
using SevenX42.Modules.Chat.Features.Conversations;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Features.Messages;

/// <summary>Shows the branch that goes through a message, down to its newest end.</summary>
internal sealed record SelectBranch(Guid ConversationId, Guid MessageId) : IChatCommand;

internal sealed class SelectBranchHandler(ChatDbContext context, ICurrentUser user, TimeProvider time) : IRequestHandler<SelectBranch, Result>
{
    public async Task<Result> Handle(SelectBranch request, CancellationToken cancellationToken)
    {
        if (await context.LockAsync(user.RequiredId, request.ConversationId, cancellationToken) is not { } conversation)
            return Error.NotFound();
        if (await context.FindEndAsync(conversation.Id, request.MessageId, cancellationToken) is not { } leafId)
            return Error.Conflict("stale_branch", "This branch is not there any more. Reload the conversation.");
        conversation.Show(leafId);
        context.Raise(Changes.Tree(conversation, leafId, time.GetUtcNow()));
        return Result.Success;
    }
}

/// <summary>The buttons' form.</summary>
internal sealed class SelectBranchForm
{
    public Guid? MessageId { get; set; }
}

internal static class SelectBranchEndpoint
{
    public static async Task<IResult> Post(Guid conversationId, [FromForm] SelectBranchForm? form, ISender sender, HttpContext http)
    {
        var result = await sender.Send(new SelectBranch(conversationId, form?.MessageId ?? Guid.Empty));
        return await TranscriptResponse.OfAsync(result.Error, conversationId, sender, http);
    }
}
