using SevenX42.Contracts.Generation;
using SevenX42.Modules.Generation.Domain.Images;

namespace SevenX42.Modules.Generation.Infrastructure.Jobs;

/// <summary>A job as its claimant sees it.</summary>
/// <param name="Attempt">The claim's number: the fence of everything the claimant writes.</param>
/// <param name="Text">The text at the last checkpoint, prefix included.</param>
/// <param name="Reasoning">The reasoning at the last checkpoint, its prefix included.</param>
/// <param name="Image">How pictures are to be drawn; <see langword="null"/> for a job that writes.</param>
/// <param name="Drawn">How far they were at the last checkpoint.</param>
/// <param name="Pictures">Assets that each message shows; empty where none shows any.</param>
internal sealed record ClaimedJob(
    Guid Id,
    Guid AnswerId,
    Guid ConversationId,
    Guid UserId,
    string Purpose,
    string Channel,
    string Subject,
    string Provider,
    string Model,
    string[] Roles,
    string[] Contents,
    string Prefix,
    string ReasoningPrefix,
    int Attempt,
    int Crashes,
    bool CancelRequested,
    string Text,
    string Reasoning,
    TimeSpan Age,
    ImageOptions? Image,
    Drawn Drawn,
    IReadOnlyList<IReadOnlyList<Guid>> Pictures)
{
    /// <summary>Whether it draws, and does not write.</summary>
    public bool IsImage => Image is not null;

    public bool IsTitle => Purpose == "title";
}

/// <summary>What a job has come to: all that is stored of it.</summary>
/// <param name="Text">The text, prefix included; empty for a job that draws.</param>
/// <param name="Reasoning">The reasoning, its prefix included.</param>
/// <param name="Drawn">How far pictures are; <see langword="null"/> for a job that writes.</param>
internal sealed record JobContent(string Text, string Reasoning, Drawn? Drawn = null);

/// <summary>How a generation ends.</summary>
/// <param name="Status">A final status.</param>
/// <param name="Content">What it came to.</param>
internal sealed record Outcome(string Status, JobContent Content, string ErrorCode, string ErrorMessage, long InputTokens, long OutputTokens);

/// <summary>What storing an outcome came to.</summary>
internal enum FinishResult
{
    /// <summary>Stored, by this call or an earlier one whose answer was lost.</summary>
    Finished,

    /// <summary>The job is another worker's now, or no more.</summary>
    Lost,
}

/// <summary>A running job's lease is to be extended; with its content, where that is new.</summary>
internal readonly record struct Checkpoint(Guid Id, int Attempt, JobContent? Content);

/// <summary>A job that a heartbeat still found to be this worker's.</summary>
internal readonly record struct Heartbeat(Guid Id, int Attempt, bool CancelRequested);

/// <summary>A queued job's new place.</summary>
internal readonly record struct QueuePlace(Guid Id, string Channel, string Subject, int Position, bool IsImage);

/// <summary>A finished job whose channel may lack the end.</summary>
internal sealed record Unannounced(
    Guid Id, string Channel, string Subject, string Status, string Text, string Reasoning, string ErrorCode, string ErrorMessage, bool IsImage);
