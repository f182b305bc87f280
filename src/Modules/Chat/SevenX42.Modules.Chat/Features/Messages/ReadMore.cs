using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using SevenX42.Http;
using SevenX42.Modules.Chat.Domain;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Features.Messages;

/// <summary>Reads what stands in a branch before or after what a page shows, for the reader who scrolls.</summary>
/// <param name="ConversationId">The conversation.</param>
/// <param name="Before">What stands before this message.</param>
/// <param name="After">What stands after the message of this number.</param>
/// <param name="LeafId">In the branch that ends with this message.</param>
internal sealed record ReadMore(Guid ConversationId, Guid? Before = null, int? After = null, Guid? LeafId = null) : IChatQuery<TranscriptVm>;

internal sealed class ReadMoreHandler(ChatDbContext context, MessageViews views, LiveAnswers live, ICurrentUser user)
    : IRequestHandler<ReadMore, Result<TranscriptVm>>
{
    private const int PageSize = ReadTranscriptHandler.PageSize;

    public async Task<Result<TranscriptVm>> Handle(ReadMore request, CancellationToken cancellationToken)
    {
        if (!await context.Conversations.AnyAsync(c => c.Id == request.ConversationId && c.OwnerId == user.RequiredId && c.DeletedAt == null, cancellationToken))
            return Error.NotFound("This conversation does not exist, or it is not yours.");
        // Before the messages: what happens from here on comes over the channel.
        var position = await live.GetPositionAsync(request.ConversationId, cancellationToken);
        var messages = request is { After: { } number, LeafId: { } leafId }
            ? await ReadAfterAsync(request.ConversationId, number, leafId, cancellationToken)
            : await ReadBeforeAsync(request.ConversationId, request.Before ?? Guid.Empty, cancellationToken);
        return new TranscriptVm(
            request.ConversationId,
            Channels.OfConversation(request.ConversationId),
            position.ToString(),
            await views.OfAsync(request.ConversationId, messages, position, cancellationToken),
            messages is [{ ParentId: not null } first, ..] ? first.Id : null,
            messages.Count > 0 && messages[^1].Id != request.LeafId ? request.LeafId : null);
    }

    private async Task<List<Message>> ReadBeforeAsync(Guid conversationId, Guid messageId, CancellationToken cancellationToken)
    {
        var branch = await context.ReadBranchAsync(conversationId, messageId, PageSize + 1, from: int.MaxValue, most: 0, cancellationToken);
        branch.Reverse();
        return branch.Count > 0 ? branch[..^1] : branch;
    }

    private async Task<List<Message>> ReadAfterAsync(Guid conversationId, int number, Guid leafId, CancellationToken cancellationToken)
    {
        var path = await context.ReadPathAsync(conversationId, leafId, number, above: 0, cancellationToken);
        var ids = path.Where(p => p.Number > number).TakeLast(PageSize).Select(p => p.Id).ToList();
        return await context.Messages.AsNoTracking().Where(m => ids.Contains(m.Id)).OrderBy(m => m.Number).ToListAsync(cancellationToken);
    }
}

internal static class ReadMoreEndpoint
{
    /// <summary>What stands before a message.</summary>
    public static Task<IResult> Earlier(Guid conversationId, Guid before, ISender sender) =>
        PartAsync(new ReadMore(conversationId, Before: before), nameof(TranscriptPart.IsTop), sender);

    /// <summary>What stands after a message.</summary>
    public static Task<IResult> Later(Guid conversationId, int after, Guid leaf, ISender sender) =>
        PartAsync(new ReadMore(conversationId, After: after, LeafId: leaf), nameof(TranscriptPart.IsBottom), sender);

    private static async Task<IResult> PartAsync(ReadMore query, string end, ISender sender)
    {
        var result = await sender.Send(query);
        return result.IsSuccess
            ? Html.Fragment<TranscriptPart>(new Dictionary<string, object?> { ["Model"] = result.Value, [end] = true })
            : result.Error.ToResult();
    }
}
