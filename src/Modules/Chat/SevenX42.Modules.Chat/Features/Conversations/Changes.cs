using System.Text.Json;
using SevenX42.Contracts.Chat;
using SevenX42.Modules.Chat.Domain;

namespace SevenX42.Modules.Chat.Features.Conversations;

/// <summary>What open pages are told of conversations.</summary>
internal static class Changes
{
    public const string MessageKind = "changed";
    public const string TitleKind = "title";
    public const string DeletedKind = "deleted";

    /// <summary>The operation of a deletion.</summary>
    public const string DeletedOperation = "deleted";

    public static ConversationChanged Tree(Conversation conversation, Guid leafId, DateTimeOffset now) =>
        Of(conversation, "tree", JsonSerializer.Serialize(new { leaf = leafId }), "touched", now);

    public static ConversationChanged Message(Message answer, DateTimeOffset now) => new(
        Guid.CreateVersion7(now),
        answer.ConversationId,
        answer.OwnerId,
        MessageKind,
        JsonSerializer.Serialize(new { n = answer.Number, g = answer.GenerationId }),
        "");

    /// <summary>
    /// The message's number and the generation that has ended, out of the data of the event that tells of its change;
    /// <see langword="null"/> where a version tells of it that does not say which.
    /// </summary>
    public static (int Number, Guid? GenerationId) EndOf(ReadOnlySpan<byte> messageData)
    {
        var reader = new Utf8JsonReader(messageData);
        var (number, generationId) = (0, (Guid?)null);
        while (reader.Read())
        {
            if (reader.TokenType is JsonTokenType.Number)
                number = reader.GetInt32();
            else if (reader.TokenType is JsonTokenType.String && reader.TryGetGuid(out var id))
                generationId = id;
        }

        return (number, generationId);
    }

    public static ConversationChanged Title(Conversation conversation, DateTimeOffset now) =>
        Of(conversation, TitleKind, TitleData(conversation), "renamed", now);

    public static ConversationChanged Model(Conversation conversation, DateTimeOffset now) =>
        Of(conversation, "model", JsonSerializer.Serialize(new { m = conversation.Model }), "", now);

    /// <summary>Data of the event that tells a title.</summary>
    public static string TitleData(Conversation conversation) => JsonSerializer.Serialize(new { t = conversation.Title });

    public static ConversationChanged Deleted(Conversation conversation, DateTimeOffset now) => Of(conversation, DeletedKind, "{}", DeletedOperation, now);

    public static ConversationChanged InList(Conversation conversation, string operation, DateTimeOffset now) =>
        Of(conversation, "", "", operation, now);

    // No list shows a studio.
    private static ConversationChanged Of(Conversation conversation, string kind, string data, string operation, DateTimeOffset now) =>
        new(Guid.CreateVersion7(now), conversation.Id, conversation.OwnerId, kind, data, conversation.IsStudio ? "" : operation);
}
