using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Caching.Memory;
using SevenX42.Contracts.Generation;
using SevenX42.Http;
using SevenX42.Modules.Chat.Domain;
using SevenX42.Modules.Chat.Infrastructure;
using SevenX42.Modules.Chat.Rendering;

namespace SevenX42.Modules.Chat.Features.Messages;

/// <summary>Reads the end of the shown branch, or the part before a message.</summary>
/// <param name="ConversationId">The conversation.</param>
/// <param name="BeforeId">Read what stands before this message; the branch's end when null.</param>
internal sealed record ReadTranscript(Guid ConversationId, Guid? BeforeId = null) : IChatQuery<TranscriptVm>;

internal sealed class ReadTranscriptHandler(ChatDbContext context, MessageViews views, LiveAnswers live, ICurrentUser user)
    : IRequestHandler<ReadTranscript, Result<TranscriptVm>>
{
    /// <summary>Messages on a page; more come as the reader scrolls up.</summary>
    private const int PageSize = 50;

    public async Task<Result<TranscriptVm>> Handle(ReadTranscript request, CancellationToken cancellationToken)
    {
        // The position first: what happens from here on comes over the channel.
        var position = await live.GetPositionAsync(request.ConversationId, cancellationToken);
        var conversation = await context.Conversations.AsNoTracking().SingleOrDefaultAsync(
            c => c.Id == request.ConversationId && c.OwnerId == user.RequiredId && c.DeletedAt == null, cancellationToken);
        if (conversation is null)
            return Error.NotFound("This conversation does not exist, or it is not yours.");
        List<Message> branch = [];
        if ((request.BeforeId ?? conversation.LeafId) is { } from)
            branch = await context.ReadBranchAsync(conversation.Id, from, PageSize + 1, cancellationToken);
        if (request.BeforeId is not null && branch.Count > 0)
            branch.RemoveAt(0);
        var hasEarlier = branch.Count > 0 && branch[Math.Min(branch.Count, PageSize) - 1].ParentId is not null;
        branch = [.. branch.Take(PageSize).Reverse()];
        return new TranscriptVm(
            conversation.Id,
            Channels.OfConversation(conversation.Id),
            position.ToString(),
            await views.OfAsync(conversation.Id, branch, position, cancellationToken),
            hasEarlier ? branch[0].Id : null);
    }
}

internal static class ReadTranscriptEndpoint
{
    public static async Task<IResult> Get(Guid conversationId, ISender sender)
    {
        var result = await sender.Send(new ReadTranscript(conversationId));
        return result.IsSuccess
            ? Html.Fragment<Transcript>(new Dictionary<string, object?> { ["Model"] = result.Value })
            : result.Error.ToResult();
    }

    /// <summary>What stands before a message, for the reader who scrolls up.</summary>
    public static async Task<IResult> Earlier(Guid conversationId, Guid before, ISender sender)
    {
        var result = await sender.Send(new ReadTranscript(conversationId, before));
        return result.IsSuccess
            ? Html.Fragment<TranscriptPart>(new Dictionary<string, object?> { ["Model"] = result.Value })
            : result.Error.ToResult();
    }
}

/// <summary>A branch, or a part of it.</summary>
/// <param name="ConversationId">The conversation.</param>
/// <param name="Channel">The channel to watch.</param>
/// <param name="Position">Where to watch from.</param>
/// <param name="Messages">Messages, oldest first.</param>
/// <param name="EarlierThan">There are more before this message; null when there are not.</param>
public sealed record TranscriptVm(
    Guid ConversationId, string Channel, string Position, IReadOnlyList<MessageVm> Messages, Guid? EarlierThan);

/// <summary>A message as it is shown.</summary>
/// <param name="Id">The message.</param>
/// <param name="ConversationId">Its conversation.</param>
/// <param name="Number">Its number in the conversation.</param>
/// <param name="IsAnswer">Whether it is a model's.</param>
/// <param name="Status">For answers queued, running, waiting, completed, stopped, interrupted or failed.</param>
/// <param name="Text">Text of a person's message; empty for answers.</param>
/// <param name="Blocks">Safe HTML of an answer, by block.</param>
/// <param name="Reasoning">What the model thought.</param>
/// <param name="Progress">Where an answer stands that is being written, in a sentence.</param>
/// <param name="ErrorMessage">What went wrong, in one sentence; empty when nothing did.</param>
/// <param name="ModelName">The model that answers.</param>
/// <param name="IsDemo">Whether that is the demo model.</param>
/// <param name="InputTokens">Tokens read; 0 when unknown.</param>
/// <param name="OutputTokens">Tokens written; 0 when unknown.</param>
/// <param name="OmittedMessages">Messages that no longer fitted.</param>
/// <param name="Sibling">Which of its siblings this is, from 1.</param>
/// <param name="Siblings">How many siblings there are, itself included.</param>
/// <param name="PreviousSibling">The one before; null for the first.</param>
/// <param name="NextSibling">The one after; null for the last.</param>
/// <param name="CreatedAt">When it was sent.</param>
public sealed record MessageVm(
    Guid Id,
    Guid ConversationId,
    int Number,
    bool IsAnswer,
    string Status,
    string Text,
    IReadOnlyList<string> Blocks,
    string Reasoning,
    string Progress,
    string ErrorMessage,
    string ModelName,
    bool IsDemo,
    long InputTokens,
    long OutputTokens,
    int OmittedMessages,
    int Sibling,
    int Siblings,
    Guid? PreviousSibling,
    Guid? NextSibling,
    DateTimeOffset CreatedAt)
{
    /// <summary>Whether the answer is still being written, or waits to be.</summary>
    public bool IsRunning => Status is "queued" or "running" or "waiting";
}

/// <summary>Makes what is shown of messages: rendered, with their siblings, and with what those being written have so far.</summary>
internal sealed class MessageViews(
    ChatDbContext context, MarkdownRenderer renderer, RenderedMessages rendered, LiveAnswers live, IGenerationApi generation)
{
    public async Task<IReadOnlyList<MessageVm>> OfAsync(
        Guid conversationId, IReadOnlyList<Message> messages, SevenX42.Realtime.ChannelPosition position, CancellationToken cancellationToken)
    {
        var parents = messages.Select(m => m.ParentId).ToList();
        var siblings = (await context.Messages.AsNoTracking()
                .Where(m => m.ConversationId == conversationId && parents.Contains(m.ParentId))
                .Select(m => new { m.Id, m.ParentId, m.Number, m.Role })
                .ToListAsync(cancellationToken))
            .GroupBy(m => (m.ParentId, m.Role))
            .ToDictionary(g => g.Key, g => g.OrderBy(m => m.Number).Select(m => m.Id).ToList());
        var running = await live.ReadAsync(
            conversationId, [.. messages.Where(m => m is { Status: MessageStatus.Pending, GenerationId: not null })], position, cancellationToken);
        var models = (await generation.GetModelsAsync(cancellationToken)).ToDictionary(m => m.Id);
        return [.. messages.Select(m =>
        {
            var family = siblings.GetValueOrDefault((m.ParentId, m.Role)) ?? [m.Id];
            var index = Math.Max(0, family.IndexOf(m.Id));
            var answer = running.GetValueOrDefault(m.Id);
            var model = models.GetValueOrDefault(m.Model);
            return new MessageVm(
                m.Id,
                conversationId,
                m.Number,
                m.Role == MessageRole.Assistant,
                answer?.Progress.State ?? m.Status.ToString().ToLowerInvariant(),
                m.Role == MessageRole.User ? m.Content : "",
                answer is not null ? Stream(answer.Text) : m.Role == MessageRole.Assistant ? rendered.Of(m) : [],
                answer?.Reasoning ?? m.Reasoning,
                answer?.Progress.Sentence ?? "",
                m.ErrorMessage,
                model?.Name ?? m.Model,
                model?.IsDemo ?? false,
                m.InputTokens,
                m.OutputTokens,
                m.OmittedMessages,
                index + 1,
                family.Count,
                index > 0 ? family[index - 1] : null,
                index + 1 < family.Count ? family[index + 1] : null,
                m.CreatedAt);
        })];
    }

    // Through the same renderer as the stream, so that the stream's blocks go on where the page's end.
    private List<string> Stream(string text)
    {
        var streaming = new StreamingMarkdown(renderer);
        streaming.Append(text);
        streaming.Flush();
        return [.. Enumerable.Range(0, streaming.BlockCount).Select(streaming.BlockHtml)];
    }
}

/// <summary>Rendered answers, so that opening a conversation again does not render it again. Bounded by its text's size.</summary>
internal sealed class RenderedMessages(MarkdownRenderer renderer) : IDisposable
{
    private const int MostCharacters = 32 * 1024 * 1024;
    private readonly MemoryCache _cache = new(new MemoryCacheOptions { SizeLimit = MostCharacters });

    public IReadOnlyList<string> Of(Message message)
    {
        // Text of a finished answer changes only when it is generated anew.
        var key = (message.Id, message.GenerationId, message.Content.Length);
        if (_cache.TryGetValue(key, out IReadOnlyList<string>? blocks) && blocks is not null)
            return blocks;
        blocks = renderer.RenderBlocks(message.Content);
        _cache.Set(key, blocks, new MemoryCacheEntryOptions { Size = 64 + (2 * message.Content.Length) });
        return blocks;
    }

    public void Dispose() => _cache.Dispose();
}
