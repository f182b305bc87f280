namespace SevenX42.Contracts.Generation;

/// <summary>A generation came to its end, whatever end. Exactly one per generation.</summary>
/// <param name="EventId">Unique id of this occurrence.</param>
/// <param name="GenerationId">The generation.</param>
/// <param name="AnswerId">The message the result belongs to.</param>
/// <param name="ConversationId">The conversation.</param>
/// <param name="Purpose">As requested: <c>answer</c>, <c>title</c> or <c>image</c>.</param>
/// <param name="Status">
/// <see cref="GenerationStatus.Completed"/>, <see cref="GenerationStatus.Stopped"/>,
/// <see cref="GenerationStatus.Interrupted"/> or <see cref="GenerationStatus.Failed"/>.
/// </param>
/// <param name="Text">The whole text, prefix included; equal to what the channel's events assemble to.</param>
/// <param name="Reasoning">The whole reasoning; empty when there was none.</param>
/// <param name="Model">The model that answered.</param>
/// <param name="ErrorCode">Stable code of what went wrong; empty when nothing did.</param>
/// <param name="ErrorMessage">One sentence for the reader; empty when nothing went wrong.</param>
/// <param name="InputTokens">As reported by the provider; 0 when it reports nothing.</param>
/// <param name="OutputTokens">As reported by the provider; 0 when it reports nothing.</param>
/// <param name="DurationMilliseconds">From the first claim to the end.</param>
/// <param name="Pictures">
/// Ids of the assets that were drawn, all of them when it is completed; <see langword="null"/> when it draws none.
/// </param>
/// <param name="Seed">The seed of the first picture; <see langword="null"/> where the model knows no seeds.</param>
[EventName("generation.finished.v1")]
public sealed record GenerationFinished(
    Guid EventId,
    Guid GenerationId,
    Guid AnswerId,
    Guid ConversationId,
    string Purpose,
    string Status,
    string Text,
    string Reasoning,
    string Model,
    string ErrorCode,
    string ErrorMessage,
    long InputTokens,
    long OutputTokens,
    long DurationMilliseconds,
    IReadOnlyList<Guid>? Pictures = null,
    long? Seed = null) : IIntegrationEvent;
