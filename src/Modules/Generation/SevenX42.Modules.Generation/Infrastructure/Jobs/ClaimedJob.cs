namespace SevenX42.Modules.Generation.Infrastructure.Jobs;

/// <summary>A job as its claimant sees it.</summary>
/// <param name="Attempt">The claim's number: the fence of everything the claimant writes.</param>
/// <param name="Text">The text at the last checkpoint, prefix included.</param>
/// <param name="Reasoning">The reasoning at the last checkpoint, its prefix included.</param>
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
    TimeSpan Age)
{
    public bool IsTitle => Purpose == "title";
}

/// <summary>How a generation ends.</summary>
/// <param name="Status">A final status.</param>
internal sealed record Outcome(
    string Status, string Text, string Reasoning, string ErrorCode, string ErrorMessage, long InputTokens, long OutputTokens);

/// <summary>What storing an outcome came to.</summary>
internal enum FinishResult
{
    /// <summary>Stored, by this call or an earlier one whose answer was lost.</summary>
    Finished,

    /// <summary>The job is another worker's now, or no more.</summary>
    Lost,
}

/// <summary>New text of a running job.</summary>
internal readonly record struct Checkpoint(Guid Id, int Attempt, string? Text, string? Reasoning);

/// <summary>A job that a heartbeat still found to be this worker's.</summary>
internal readonly record struct Heartbeat(Guid Id, int Attempt, bool CancelRequested);

/// <summary>A queued job's new place.</summary>
internal readonly record struct QueuePlace(Guid Id, string Channel, string Subject, int Position);

/// <summary>A finished job whose channel may lack the end.</summary>
internal sealed record Unannounced(
    Guid Id, string Channel, string Subject, string Status, string Text, string Reasoning, string ErrorCode, string ErrorMessage);
