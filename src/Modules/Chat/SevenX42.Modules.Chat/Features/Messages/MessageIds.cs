using System.Security.Cryptography;
using System.Text;
using Microsoft.EntityFrameworkCore;
using SevenX42.Modules.Chat.Domain;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Features.Messages;

/// <summary>
/// Decides which message a person means. Their page chooses its id, so that sending it again after an outcome nobody knows sends
/// it once. But a page can't know everything: another tab, a form that the Back button brought back or somebody else may have used
/// the id for something else. That is another message then, and gets an id that follows from all that makes it one: nothing is
/// mistaken for something sent already, and sending it again still sends it once.
/// </summary>
internal sealed class MessageIds(ChatDbContext context, ICurrentUser user)
{
    /// <summary>The id of a message, and the message when it is stored already.</summary>
    /// <param name="id">The id that the page chose.</param>
    /// <param name="place">Where it is said: the conversation, or the message that it replaces; empty for a new conversation.</param>
    /// <param name="text">What it says.</param>
    /// <param name="pictures">What it shows.</param>
    /// <param name="isThere">Whether a stored message of this person, this text and these pictures stands in that place.</param>
    /// <param name="cancellationToken">Cancels the reading.</param>
    public async Task<(Guid Id, StoredMessage? Stored)> FindAsync(
        Guid id, Guid place, string text, IReadOnlyList<Guid> pictures, Func<StoredMessage, bool> isThere, CancellationToken cancellationToken)
    {
        var other = Derive(user.RequiredId, place, id, pictures.Count == 0 ? text : $"{text}\0{string.Join(' ', pictures)}");
        var found = await context.Messages
            .Where(m => m.Id == id || m.Id == other)
            .Select(m => new
            {
                m.Id,
                m.ConversationId,
                m.ParentId,
                SaysSame = m.Role == MessageRole.User && m.OwnerId == user.RequiredId && m.Content == text,
                m.Attachments,
                IsDeleted = context.Conversations.Any(c => c.Id == m.ConversationId && c.DeletedAt != null),
            })
            .ToListAsync(cancellationToken);
        var stored = found.ConvertAll(m => new StoredMessage(
            m.Id, m.ConversationId, m.ParentId, m.SaysSame && m.Attachments.SequenceEqual(pictures), m.IsDeleted));
        var same = stored.Find(m => m.IsSame && (m.Id == other || isThere(m)));
        return (same?.Id ?? (stored.Exists(m => m.Id == id) ? other : id), same);
    }

    /// <summary>What the pictures of a message are stored under, before anybody can know whether it is there: the same for the same message.</summary>
    /// <inheritdoc cref="FindAsync"/>
    public Guid SendingOf(Guid id, Guid place, string text) => Derive(user.RequiredId, place, id, text);

    private static Guid Derive(Guid owner, Guid place, Guid id, string text)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes($"{owner:N}{place:N}{id:N}{text}"), hash);
        // Marked as what RFC 9562 calls version 8: made by a rule of one's own.
        hash[6] = (byte)((hash[6] & 0x0f) | 0x80);
        hash[8] = (byte)((hash[8] & 0x3f) | 0x80);
        return new Guid(hash[..16], bigEndian: true);
    }
}

/// <summary>A message under an id that somebody asked for.</summary>
/// <param name="Id">Its id.</param>
/// <param name="ConversationId">Its conversation.</param>
/// <param name="ParentId">The message before it.</param>
/// <param name="IsSame">Whether the same person has said and shown the same.</param>
/// <param name="IsDeleted">Whether its conversation is deleted.</param>
internal sealed record StoredMessage(Guid Id, Guid ConversationId, Guid? ParentId, bool IsSame, bool IsDeleted);
