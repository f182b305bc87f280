namespace SevenX42.Contracts.Generation;

/// <summary>What other modules may ask of Generation.</summary>
public interface IGenerationApi
{
    /// <summary>
    /// The models that can be chosen now, the demo model last. From memory; refreshed in the background.
    /// </summary>
    ValueTask<IReadOnlyList<ModelInfo>> GetModelsAsync(CancellationToken cancellationToken);

    /// <summary>The models that draw, the demo last. From memory, as the others.</summary>
    ValueTask<IReadOnlyList<ImageModelInfo>> GetImageModelsAsync(CancellationToken cancellationToken);

    /// <summary>Whether pictures can be asked for like that, before anything of it is stored.</summary>
    /// <param name="model">Model id as of the list.</param>
    /// <param name="prompt">What to draw.</param>
    /// <param name="options">How.</param>
    /// <param name="cancellationToken">Cancels the wait for the list.</param>
    /// <returns><see cref="ErrorKind.Invalid"/> with a sentence that says what is wrong.</returns>
    ValueTask<Result> CheckImageAsync(string model, string prompt, ImageOptions options, CancellationToken cancellationToken);

    /// <summary>
    /// The configured servers, in the order of the configuration, and those found on this machine, for telling why a model is
    /// missing. From memory.
    /// </summary>
    ValueTask<IReadOnlyList<ProviderInfo>> GetProvidersAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Asks a generation to stop; what it has written stays. The upstream request is closed within a second. Idempotent;
    /// also for a generation that is not known yet, which then never starts.
    /// </summary>
    /// <returns>Whether it is known. If not, nobody tells of its end but who asked.</returns>
    Task<bool> CancelAsync(Guid generationId, CancellationToken cancellationToken);

    /// <summary>
    /// The checkpoints of generations that have not finished or finished a moment ago; others are missing from the result.
    /// </summary>
    Task<IReadOnlyDictionary<Guid, GenerationCheckpoint>> GetCheckpointsAsync(
        IReadOnlyCollection<Guid> generationIds, CancellationToken cancellationToken);

    /// <summary>
    /// The pictures that the ends of drawings name, as <see cref="GenerationFinished.Pictures"/>, for whoever may have missed an end. Drawings
    /// that have not ended, and those that are not remembered any more, are missing from the result.
    /// </summary>
    Task<IReadOnlyDictionary<Guid, IReadOnlyList<Guid>>> GetEndedDrawingsAsync(
        IReadOnlyCollection<Guid> generationIds, CancellationToken cancellationToken);
}

/// <summary>A model that can be chosen.</summary>
/// <param name="Id"><c>provider/model</c>, unique.</param>
/// <param name="Name">Name for people: the model's name at its provider.</param>
/// <param name="Provider">The provider's name.</param>
/// <param name="ContextTokens">The model's context window in tokens, where known; a safe assumption otherwise.</param>
/// <param name="IsDemo">Whether this is the built-in demo model, which is no language model and must be labelled so.</param>
/// <param name="Sees">Whether it can be shown pictures; <see langword="null"/> where nobody says.</param>
public sealed record ModelInfo(string Id, string Name, string Provider, int ContextTokens, bool IsDemo, bool? Sees = null)
{
    /// <summary>No model has a longer id, UTF-16 code units: so much room is kept for it wherever it is stored.</summary>
    public const int LongestId = 256;
}

/// <summary>A server that models come from.</summary>
/// <param name="Name">The provider's name.</param>
/// <param name="State"><see cref="Ready"/>, <see cref="Unavailable"/> or <see cref="Asking"/>.</param>
/// <param name="Message">What is wrong, and what to do about it, in a sentence or two; empty when nothing is. Never holds a key.</param>
/// <param name="ModelCount">How many models it offers now; not zero, whatever is wrong, where they are named in the configuration.</param>
/// <param name="IsDiscovered">Whether it was found on this machine, rather than configured.</param>
public sealed record ProviderInfo(string Name, string State, string Message, int ModelCount, bool IsDiscovered)
{
    /// <summary>Its models can be chosen.</summary>
    public const string Ready = "ready";

    /// <summary>It does not answer, or not as it should.</summary>
    public const string Unavailable = "unavailable";

    /// <summary>It has not said yet which models it has.</summary>
    public const string Asking = "asking";
}

/// <summary>How far a generation has come, as last stored.</summary>
/// <param name="GenerationId">The generation.</param>
/// <param name="Status">One of <see cref="GenerationStatus"/>.</param>
/// <param name="Attempt">The attempt that wrote the text; 0 before the first.</param>
/// <param name="Text">The answer's text so far, its prefix included. The channel's log is ahead of it as a rule, and behind it only while
/// the log is away; offsets merge the two either way.</param>
/// <param name="Reasoning">The reasoning so far.</param>
/// <param name="QueuePosition">How many generations are before this one; 0 when it runs or is next.</param>
/// <param name="Image">How far its pictures are; <see langword="null"/> when it draws none, or has not begun.</param>
public sealed record GenerationCheckpoint(
    Guid GenerationId, string Status, int Attempt, string Text, string Reasoning, int QueuePosition, ImageProgress? Image = null);

/// <summary>States of a generation.</summary>
public static class GenerationStatus
{
    /// <summary>Waits for its turn.</summary>
    public const string Queued = "queued";

    /// <summary>A worker holds its lease.</summary>
    public const string Running = "running";

    /// <summary>Final: the model finished.</summary>
    public const string Completed = "completed";

    /// <summary>Final: somebody stopped it.</summary>
    public const string Stopped = "stopped";

    /// <summary>
    /// Final: it broke off, and there is text, of its own or of before, which is kept and can be continued; or some of the pictures.
    /// </summary>
    public const string Interrupted = "interrupted";

    /// <summary>Final: an error, or three attempts that died, and there is no text and no picture at all.</summary>
    public const string Failed = "failed";
}
