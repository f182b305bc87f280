namespace SevenX42.Contracts.Chat;

/// <summary>
/// An answer is wanted that looks at pictures. An event of its own: processes leave events that they don't know to those of a newer
/// version, instead of answering without having seen anything.
/// </summary>
/// <param name="EventId">Unique id of this occurrence.</param>
/// <param name="GenerationId">Id of the generation to make; one generation per id, however often this is delivered.</param>
/// <param name="AnswerId">The message that the result belongs to.</param>
/// <param name="ConversationId">The conversation, for logs and for deletion.</param>
/// <param name="UserId">Whose turn in the queue this takes, and whose the pictures are.</param>
/// <param name="Channel">Channel to stream to.</param>
/// <param name="Subject">Short opaque name of the answer in the channel's events; the answer's number in its conversation.</param>
/// <param name="Model">Model id as of the model list: <c>provider/model</c>.</param>
/// <param name="Roles">Role of each message: <c>system</c>, <c>user</c> or <c>assistant</c>.</param>
/// <param name="Contents">Text of each message, markdown; as many as <paramref name="Roles"/>.</param>
/// <param name="Pictures">Assets that each message shows; as many as <paramref name="Roles"/>, most of them empty.</param>
/// <param name="Prefix">Text the answer already has and that is to be continued; empty to begin at the beginning.</param>
/// <param name="ReasoningPrefix">Reasoning the answer already has; what comes is put behind it.</param>
[EventName("chat.answer-to-pictures-requested.v1")]
public sealed record AnswerToPicturesRequested(
    Guid EventId,
    Guid GenerationId,
    Guid AnswerId,
    Guid ConversationId,
    Guid UserId,
    string Channel,
    string Subject,
    string Model,
    IReadOnlyList<string> Roles,
    IReadOnlyList<string> Contents,
    IReadOnlyList<IReadOnlyList<Guid>> Pictures,
    string Prefix,
    string ReasoningPrefix = "") : IIntegrationEvent;
