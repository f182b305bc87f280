using System.Globalization;
using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Caching.Memory;
using SevenX42.Contracts.Generation;
using SevenX42.Contracts.Media;
using SevenX42.Http;
using SevenX42.Modules.Chat.Domain;
using SevenX42.Modules.Chat.Infrastructure;
using SevenX42.Modules.Chat.Rendering;

namespace SevenX42.Modules.Chat.Features.Messages;

/// <summary>Reads a branch: its end, or the part around a message.</summary>
/// <param name="ConversationId">The conversation.</param>
/// <param name="From">Number of the oldest message that the page shows: it keeps what it has loaded.</param>
/// <param name="To">Number of the newest message that the page shows, when that is not the branch's end.</param>
/// <param name="Message">Number of a message to show, and with it its branch; the branch that was worked with last when null.</param>
internal sealed record ReadTranscript(Guid ConversationId, int? From = null, int? To = null, int? Message = null) : IChatQuery<TranscriptVm>;

internal sealed class ReadTranscriptHandler(ChatDbContext context, MessageViews views, LiveAnswers live, ICurrentUser user)
    : IRequestHandler<ReadTranscript, Result<TranscriptVm>>
{
    /// <summary>Messages on a page; more come as the reader scrolls.</summary>
    internal const int PageSize = 50;

    // Of a studio the newest drawing is shown: what was asked for, and the pictures.
    private const int LastDrawing = 2;

    // What scrolling has loaded stays, within reason.
    private const int MostLoaded = 1_000;

    public async Task<Result<TranscriptVm>> Handle(ReadTranscript request, CancellationToken cancellationToken)
    {
        // The position first: what happens from here on comes over the channel.
        var position = await live.GetPositionAsync(request.ConversationId, cancellationToken);
        var shown = await context.Conversations
            .Where(c => c.Id == request.ConversationId && c.OwnerId == user.RequiredId && c.DeletedAt == null)
            .Select(c => new { c.LeafId, c.IsStudio })
            .SingleOrDefaultAsync(cancellationToken);
        if (shown is null)
            return Error.NotFound("This conversation does not exist, or it is not yours.");
        var leafId = await FindLeafAsync(request, shown.LeafId, cancellationToken);
        var branch = leafId is not { } leaf ? []
            : shown.IsStudio ? await ReadEndAsync(request with { From = null }, leaf, LastDrawing, cancellationToken)
            : await ReadAsync(request, leaf, cancellationToken);
        return new TranscriptVm(
            request.ConversationId,
            Channels.OfConversation(request.ConversationId),
            position.ToString(),
            await views.OfAsync(request.ConversationId, branch, position, cancellationToken),
            branch is [{ ParentId: not null } first, ..] && !shown.IsStudio ? first.Id : null,
            branch.Count > 0 && branch[^1].Id != leafId ? leafId : null,
            leafId == shown.LeafId ? null : new OtherBranchVm(request.Message ?? 0, leafId ?? Guid.Empty),
            shown.IsStudio);
    }

    private async Task<IReadOnlyList<Message>> ReadEndAsync(ReadTranscript request, Guid leafId, int least, CancellationToken cancellationToken)
    {
        var end = await context.ReadBranchAsync(request.ConversationId, leafId, least, request.From ?? int.MaxValue, MostLoaded, cancellationToken);
        end.Reverse();
        return end;
    }

    private async Task<Guid?> FindLeafAsync(ReadTranscript request, Guid? leafId, CancellationToken cancellationToken)
    {
        if (request.Message is not { } number || leafId is not { } leaf)
            return leafId;
        var path = await context.ReadPathAsync(request.ConversationId, leaf, number, above: 0, cancellationToken);
        if (path.Exists(p => p.Number == number))
            return leafId;
        var message = await context.Messages
            .Where(m => m.ConversationId == request.ConversationId && m.Number == number)
            .Select(m => (Guid?)m.Id)
            .SingleOrDefaultAsync(cancellationToken);
        return message is { } id ? await context.FindEndAsync(request.ConversationId, id, cancellationToken) : leafId;
    }

    private async Task<IReadOnlyList<Message>> ReadAsync(ReadTranscript request, Guid leafId, CancellationToken cancellationToken)
    {
        var around = request is { Message: not null, From: null };
        if (!around && request.To is null)
            return await ReadEndAsync(request, leafId, PageSize, cancellationToken);

        var path = await context.ReadPathAsync(
            request.ConversationId, leafId, (around ? request.Message : request.From) ?? 0, around ? PageSize / 2 : 0, cancellationToken);
        path.RemoveAll(p => p.Number > request.To);
        // Near the end it may as well be the end.
        var below = path.TakeWhile(p => p.Number > request.Message).Count();
        if (around && below > PageSize)
            path.RemoveRange(0, below - (PageSize / 2));
        var ids = path.Take(MostLoaded).Select(p => p.Id).ToList();
        return await context.Messages.AsNoTracking().Where(m => ids.Contains(m.Id)).OrderBy(m => m.Number).ToListAsync(cancellationToken);
    }
}

internal static class ReadTranscriptEndpoint
{
    public static async Task<IResult> Get(Guid conversationId, int? from, int? to, int? message, ISender sender)
    {
        var result = await sender.Send(new ReadTranscript(conversationId, from, to, message));
        return result.IsSuccess
            ? Html.Fragment<Transcript>(new Dictionary<string, object?> { ["Model"] = result.Value })
            : result.Error.ToResult();
    }
}

/// <summary>A branch, or a part of it.</summary>
/// <param name="ConversationId">The conversation.</param>
/// <param name="Channel">The channel to watch.</param>
/// <param name="Position">Where to watch from.</param>
/// <param name="Messages">Messages, oldest first.</param>
/// <param name="EarlierThan">There are more before this message; null when there are not.</param>
/// <param name="LaterTo">There are more up to this one, the branch's last; null when there are not.</param>
/// <param name="Other">When it is not the branch that was worked with last.</param>
/// <param name="IsStudio">Whether it is the newest drawing of a studio.</param>
public sealed record TranscriptVm(
    Guid ConversationId,
    string Channel,
    string Position,
    IReadOnlyList<MessageVm> Messages,
    Guid? EarlierThan,
    Guid? LaterTo = null,
    OtherBranchVm? Other = null,
    bool IsStudio = false);

/// <summary>A branch that is shown without having been chosen.</summary>
/// <param name="Message">Number of the message that is shown with it.</param>
/// <param name="LeafId">Its last message; what is said here follows that.</param>
public sealed record OtherBranchVm(int Message, Guid LeafId);

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
/// <param name="Drawing">How pictures are drawn that it asks for, or answers with; null for text.</param>
/// <param name="Attached">Pictures that were sent with it; null for none.</param>
/// <param name="OmittedPictures">Pictures that the model was not shown, of messages that still fitted.</param>
/// <param name="IsBlind">Whether the model can be shown none.</param>
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
    DateTimeOffset CreatedAt,
    DrawingVm? Drawing = null,
    AttachedVm? Attached = null,
    int OmittedPictures = 0,
    bool IsBlind = false)
{
    /// <summary>Whether the answer is still being written, or waits to be.</summary>
    public bool IsRunning => Status is "queued" or "running" or "waiting";
}

/// <summary>Pictures that a message asks for, or answers with.</summary>
/// <param name="Prompt">What they show.</param>
/// <param name="Facts">How they are drawn, in a few words.</param>
/// <param name="Count">How many there were once.</param>
/// <param name="Pictures">Those that there are.</param>
/// <param name="Model">The model that draws them.</param>
/// <param name="Options">How they are drawn.</param>
public sealed record DrawingVm(
    string Prompt, string Facts, int Count, IReadOnlyList<PictureVm> Pictures, string Model, ImageOptions Options);

/// <summary>Pictures that were sent with a message.</summary>
/// <param name="Count">How many there were once.</param>
/// <param name="Pictures">Those that there are.</param>
public sealed record AttachedVm(int Count, IReadOnlyList<PictureVm> Pictures);

/// <summary>A picture as it is shown.</summary>
/// <param name="Path">Where it is served from.</param>
/// <param name="Picture">How it is shown.</param>
public sealed record PictureVm(string Path, PictureInfo Picture);

/// <summary>Makes what is shown of messages: rendered, with their siblings, and with what those being written have so far.</summary>
internal sealed class MessageViews(
    ChatDbContext context, MarkdownRenderer renderer, RenderedMessages rendered, LiveAnswers live, IGenerationApi generation, IMediaApi media)
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
        var models = (await generation.GetModelsAsync(cancellationToken)).ToDictionary(m => m.Id, m => (m.Name, m.IsDemo, IsBlind: m.Sees == false));
        var drawing = messages.Any(m => m.Drawing is not null)
            ? (await generation.GetImageModelsAsync(cancellationToken)).ToDictionary(m => m.Id, m => (m.Name, m.IsDemo, IsBlind: false))
            : [];
        var pictures = await FindPicturesAsync(messages, cancellationToken);
        return [.. messages.Select(m =>
        {
            var family = siblings.GetValueOrDefault((m.ParentId, m.Role)) ?? [m.Id];
            var index = Math.Max(0, family.IndexOf(m.Id));
            var answer = running.GetValueOrDefault(m.Id);
            var (name, isDemo, isBlind) = (m.Drawing is null ? models : drawing).GetValueOrDefault(m.Model);
            return new MessageVm(
                m.Id,
                conversationId,
                m.Number,
                m.Role == MessageRole.Assistant,
                answer?.Progress.State ?? m.Status.ToString().ToLowerInvariant(),
                m.Role == MessageRole.User ? m.Content : "",
                answer is { Progress.Image: { } image } ? [PictureProgress.Html(image)]
                    : m.Drawing is not null ? []
                    : answer is not null ? Stream(answer.Text)
                    : m.Role == MessageRole.Assistant ? rendered.Of(m) : [],
                answer?.Reasoning ?? m.Reasoning,
                answer?.Progress.Sentence ?? "",
                m.ErrorMessage,
                name ?? m.Model,
                isDemo,
                m.InputTokens,
                m.OutputTokens,
                m.OmittedMessages,
                index + 1,
                family.Count,
                index > 0 ? family[index - 1] : null,
                index + 1 < family.Count ? family[index + 1] : null,
                m.CreatedAt,
                m.Drawing is { } asked ? Describe(asked, m, pictures) : null,
                m.Attachments.Count == 0 ? null
                    : new AttachedVm(m.Attachments.Count, [.. m.Attachments.Select(p => pictures.GetValueOrDefault(p)).OfType<PictureVm>()]),
                m.OmittedPictures,
                isBlind);
        })];
    }

    private async Task<Dictionary<Guid, PictureVm>> FindPicturesAsync(IReadOnlyList<Message> messages, CancellationToken cancellationToken)
    {
        var ids = messages.SelectMany(m => m.Pictures.Concat(m.Attachments)).ToList();
        if (ids.Count == 0)
            return [];
        var found = await media.FindAsync(messages[0].OwnerId, ids, cancellationToken);
        return found.Where(a => a.Picture is not null).ToDictionary(a => a.Id, a => new PictureVm(a.Path, a.Picture!));
    }

    private static DrawingVm Describe(Drawing drawing, Message message, Dictionary<Guid, PictureVm> pictures) => new(
        drawing.Prompt,
        FactsOf(drawing),
        message.Pictures.Count,
        [.. message.Pictures.Select(p => pictures.GetValueOrDefault(p)).OfType<PictureVm>()],
        drawing.Model,
        drawing.Options);

    private static string FactsOf(Drawing drawing)
    {
        var o = drawing.Options;
        return string.Join(" · ", new[]
        {
            string.Create(CultureInfo.InvariantCulture, $"{o.Width}×{o.Height}"),
            o.Count > 1 ? string.Create(CultureInfo.InvariantCulture, $"{o.Count} pictures") : "",
            o.Steps is { } steps ? string.Create(CultureInfo.InvariantCulture, $"{steps} steps") : "",
            o.Seed is { } seed ? string.Create(CultureInfo.InvariantCulture, $"seed {seed}") : "",
            o.NegativePrompt.Length > 0 ? $"without {o.NegativePrompt}" : "",
        }.Where(fact => fact.Length > 0));
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
