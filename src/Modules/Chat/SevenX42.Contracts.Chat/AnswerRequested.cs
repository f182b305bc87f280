namespace SevenX42.Contracts.Chat;

/// <summary>
/// An answer is wanted: a message was sent or edited, or an answer is to be regenerated, retried or continued. Carries
/// everything that is needed to generate it, so that nobody has to ask back.
/// </summary>
/// <param name="EventId">Unique id of this occurrence.</param>
/// <param name="GenerationId">Id of the generation to make; one generation per id, however often this is delivered.</param>
/// <param name="AnswerId">The message that the result belongs to.</param>
/// <param name="ConversationId">The conversation, for logs and for deletion.</param>
/// <param name="UserId">Whose turn in the queue this takes.</param>
/// <param name="Purpose"><c>answer</c>, or <c>title</c> for a conversation's automatic title.</param>
/// <param name="Channel">Channel to stream to; empty when nobody watches (titles).</param>
/// <param name="Subject">Short opaque name of the answer in the channel's events; the answer's number in its conversation.</param>
/// <param name="Model">Model id as of the model list: <c>provider/model</c>.</param>
/// <param name="Roles">Role of each message: <c>system</c>, <c>user</c> or <c>assistant</c>.</param>
/// <param name="Contents">Text of each message, markdown; as many as <paramref name="Roles"/>.</param>
/// <param name="Prefix">Text the answer already has and that is to be continued; empty to begin at the beginning.</param>
/// <param name="ReasoningPrefix">Reasoning the answer already has; what comes is put behind it.</param>
[EventName("chat.answer-requested.v1")]
public sealed record AnswerRequested(
    Guid EventId,
    Guid GenerationId,
    Guid AnswerId,
    Guid ConversationId,
    Guid UserId,
    string Purpose,
    string Channel,
    string Subject,
    string Model,
    IReadOnlyList<string> Roles,
    IReadOnlyList<string> Contents,
    string Prefix,
    string ReasoningPrefix = "") : IIntegrationEvent;

/// <summary>A conversation was deleted for good (its time to undo is over).</summary>
/// <param name="EventId">Unique id of this occurrence.</param>
/// <param name="ConversationId">The conversation that is no more.</param>
/// <param name="UserId">Its owner.</param>
[EventName("chat.conversation-deleted.v1")]
public sealed record ConversationDeleted(Guid EventId, Guid ConversationId, Guid UserId) : IIntegrationEvent;
