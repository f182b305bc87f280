namespace SevenX42.Contracts.Chat;

/// <summary>
/// Pictures are wanted as an answer. Carries everything that is needed to draw them, so that nobody has to ask back.
/// </summary>
/// <param name="EventId">Unique id of this occurrence.</param>
/// <param name="GenerationId">Id of the generation to make; one generation per id, however often this is delivered.</param>
/// <param name="AnswerId">The message that the result belongs to.</param>
/// <param name="ConversationId">The conversation, with which the pictures are deleted.</param>
/// <param name="UserId">Whose turn in the queue this takes, and whose the pictures are.</param>
/// <param name="Channel">Channel to tell of the progress.</param>
/// <param name="Subject">Short opaque name of the answer in the channel's events; the answer's number in its conversation.</param>
/// <param name="Model">Model id as of the list of models that draw: <c>provider/model</c>.</param>
/// <param name="Prompt">What to draw.</param>
/// <param name="Width">Of each picture, in pixels.</param>
/// <param name="Height">Of each picture, in pixels.</param>
/// <param name="Count">How many, 1 to 4.</param>
/// <param name="Seed">Where chance begins; <see langword="null"/> for a seed that is drawn when the job is queued.</param>
/// <param name="NegativePrompt">What to leave out; empty for nothing.</param>
/// <param name="Steps">Steps of each picture; <see langword="null"/> for what the model usually takes.</param>
[EventName("chat.image-requested.v1")]
public sealed record ImageRequested(
    Guid EventId,
    Guid GenerationId,
    Guid AnswerId,
    Guid ConversationId,
    Guid UserId,
    string Channel,
    string Subject,
    string Model,
    string Prompt,
    int Width,
    int Height,
    int Count,
    long? Seed,
    string NegativePrompt,
    int? Steps) : IIntegrationEvent;
