using System.Text.Json;
using System.Text.Json.Serialization;

namespace SevenX42.Contracts.Generation;

/// <summary>
/// The events that a generation appends to its channel's log. Offsets are UTF-16 code units of the answer's whole text
/// (or reasoning), so that a reader can merge a checkpoint with any part of the log: text before what it has is known
/// already, text after a gap means that something is missing.
/// </summary>
public static class GenerationEvents
{
    /// <summary>Waits; data <see cref="QueuedData"/>. Appended when the position changes.</summary>
    public const string Queued = "gen.queued";

    /// <summary>
    /// An attempt begins; data <see cref="StartedData"/>. A second one of the same attempt follows when a later attempt begins
    /// the text again: what an earlier attempt wrote is kept until there is something new to take its place.
    /// </summary>
    public const string Started = "gen.started";

    /// <summary>The provider asked to wait, or is tried again; data <see cref="WaitingData"/>.</summary>
    public const string Waiting = "gen.waiting";

    /// <summary>More text; data <see cref="DeltaData"/>.</summary>
    public const string Delta = "gen.delta";

    /// <summary>More reasoning; data <see cref="DeltaData"/>.</summary>
    public const string Reasoning = "gen.reasoning";

    /// <summary>How far the pictures are; data <see cref="ImageProgressData"/>. At most ten a second.</summary>
    public const string Image = "gen.image";

    /// <summary>The end; data <see cref="DoneData"/>. Appended under a fence that no attempt can write after.</summary>
    public const string Done = "gen.done";

    /// <summary>Data of <see cref="Queued"/>.</summary>
    /// <param name="Subject">As in the request.</param>
    /// <param name="GenerationId">The generation.</param>
    /// <param name="Position">How many are before it; 0 when it is next.</param>
    public sealed record QueuedData(
        [property: JsonPropertyName("s")] string Subject,
        [property: JsonPropertyName("g")] Guid GenerationId,
        [property: JsonPropertyName("n")] int Position);

    /// <summary>Data of <see cref="Started"/>.</summary>
    /// <param name="Subject">As in the request.</param>
    /// <param name="GenerationId">The generation.</param>
    /// <param name="Attempt">1 for the first.</param>
    /// <param name="TextOffset">The text goes on from here; what was behind it is void. 0: begun again (or for the first time).</param>
    /// <param name="ReasoningOffset">The reasoning goes on from here.</param>
    public sealed record StartedData(
        [property: JsonPropertyName("s")] string Subject,
        [property: JsonPropertyName("g")] Guid GenerationId,
        [property: JsonPropertyName("a")] int Attempt,
        [property: JsonPropertyName("t")] int TextOffset,
        [property: JsonPropertyName("r")] int ReasoningOffset);

    /// <summary>Data of <see cref="Waiting"/>.</summary>
    /// <param name="Subject">As in the request.</param>
    /// <param name="GenerationId">The generation.</param>
    /// <param name="Code">Why: <c>rate_limited</c>, <c>provider_unavailable</c>, …</param>
    /// <param name="RetryMilliseconds">When it goes on.</param>
    public sealed record WaitingData(
        [property: JsonPropertyName("s")] string Subject,
        [property: JsonPropertyName("g")] Guid GenerationId,
        [property: JsonPropertyName("c")] string Code,
        [property: JsonPropertyName("ms")] int RetryMilliseconds);

    /// <summary>Data of <see cref="Delta"/> and <see cref="Reasoning"/>.</summary>
    /// <param name="Subject">As in the request.</param>
    /// <param name="GenerationId">The generation.</param>
    /// <param name="Offset">Where the text begins.</param>
    /// <param name="Text">The text. Never ends in half a surrogate pair.</param>
    public sealed record DeltaData(
        [property: JsonPropertyName("s")] string Subject,
        [property: JsonPropertyName("g")] Guid GenerationId,
        [property: JsonPropertyName("o")] int Offset,
        [property: JsonPropertyName("x")] string Text);

    /// <summary>Data of <see cref="Image"/>: the whole state, so that of several the last counts.</summary>
    /// <param name="Subject">As in the request.</param>
    /// <param name="GenerationId">The generation.</param>
    /// <param name="Progress">How far they are.</param>
    public sealed record ImageProgressData(
        [property: JsonPropertyName("s")] string Subject,
        [property: JsonPropertyName("g")] Guid GenerationId,
        [property: JsonPropertyName("i")] ImageProgress Progress);

    /// <summary>Data of <see cref="Done"/>.</summary>
    /// <param name="Subject">As in the request.</param>
    /// <param name="GenerationId">The generation.</param>
    /// <param name="Status">A final status of <see cref="GenerationStatus"/>.</param>
    /// <param name="Length">Length of the whole text.</param>
    /// <param name="ErrorCode">Stable code; empty when nothing went wrong.</param>
    /// <param name="ErrorMessage">One sentence; empty when nothing went wrong.</param>
    public sealed record DoneData(
        [property: JsonPropertyName("s")] string Subject,
        [property: JsonPropertyName("g")] Guid GenerationId,
        [property: JsonPropertyName("st")] string Status,
        [property: JsonPropertyName("l")] int Length,
        [property: JsonPropertyName("c")] string ErrorCode,
        [property: JsonPropertyName("m")] string ErrorMessage);
}

/// <summary>Source-generated JSON of <see cref="GenerationEvents"/>: deltas are on the hot path.</summary>
[JsonSerializable(typeof(GenerationEvents.QueuedData))]
[JsonSerializable(typeof(GenerationEvents.StartedData))]
[JsonSerializable(typeof(GenerationEvents.WaitingData))]
[JsonSerializable(typeof(GenerationEvents.DeltaData))]
[JsonSerializable(typeof(GenerationEvents.ImageProgressData))]
[JsonSerializable(typeof(GenerationEvents.DoneData))]
public sealed partial class GenerationEventsJson : JsonSerializerContext
{
    /// <summary>With an encoder that leaves letters of every script as they are.</summary>
    public static GenerationEventsJson Wire { get; } = new(new JsonSerializerOptions
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
