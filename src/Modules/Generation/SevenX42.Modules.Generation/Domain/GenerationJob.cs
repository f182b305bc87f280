namespace SevenX42.Modules.Generation.Domain;

/// <summary>
/// One generation: what is asked, who works on it, how far it has come. Workers move it by single conditional statements
/// (see the job store); this class is its shape.
/// </summary>
internal sealed class GenerationJob
{
    /// <summary>The generation's id, given by whoever asked.</summary>
    public required Guid Id { get; init; }

    public required Guid AnswerId { get; init; }

    public required Guid ConversationId { get; init; }

    public required Guid UserId { get; init; }

    public required string Purpose { get; init; }

    /// <summary>How pictures are to be drawn, JSON; <see langword="null"/> for a job that writes.</summary>
    public string? Image { get; init; }

    /// <summary>How far they were at the last checkpoint, JSON.</summary>
    public string? Drawn { get; private set; }

    /// <summary>Channel to stream to; empty when nobody watches.</summary>
    public required string Channel { get; init; }

    public required string Subject { get; init; }

    /// <summary>Name of the provider: the part of the model's id before its first slash.</summary>
    public required string Provider { get; init; }

    /// <summary>The whole model id, <c>provider/model</c>.</summary>
    public required string Model { get; init; }

    public required string[] Roles { get; init; }

    public required string[] Contents { get; init; }

    /// <summary>Assets that each message shows, JSON; <see langword="null"/> where none shows any.</summary>
    public string? Pictures { get; init; }

    /// <summary>Text the answer began with.</summary>
    public required string Prefix { get; init; }

    /// <summary>Reasoning it began with.</summary>
    public string ReasoningPrefix { get; init; } = "";

    public required string Status { get; set; }

    /// <summary>Grows with every claim; the fence of everything the claimant writes.</summary>
    public int Attempt { get; private set; }

    /// <summary>Attempts that ended without a word: their lease expired, or they threw. Graceful releases don't count.</summary>
    public int Crashes { get; private set; }

    public string? WorkerId { get; private set; }

    /// <summary>Database time until which the claimant may work without a heartbeat.</summary>
    public DateTimeOffset? LeaseUntil { get; private set; }

    /// <summary>
    /// Database time before which nobody claims it; of a job with pictures, drawn or shown, infinite, so that a worker of a version that
    /// knows none never does.
    /// </summary>
    public DateTimeOffset NotBefore { get; private set; }

    /// <summary>The same for a job with pictures; <see langword="null"/> for any other.</summary>
    public DateTimeOffset? PicturesNotBefore { get; private set; }

    public bool CancelRequested { get; private set; }

    /// <summary>Place in the provider's queue as last announced.</summary>
    public int QueuePosition { get; private set; }

    /// <summary>The answer's text at the last checkpoint, prefix included; <see langword="null"/> once it was cleared.</summary>
    public string? Text { get; private set; }

    public string? Reasoning { get; private set; }

    public string ErrorCode { get; private set; } = "";

    public string ErrorMessage { get; private set; } = "";

    public long InputTokens { get; private set; }

    public long OutputTokens { get; private set; }

    public DateTimeOffset CreatedAt { get; private set; }

    /// <summary>When it was first claimed.</summary>
    public DateTimeOffset? ClaimedAt { get; private set; }

    public DateTimeOffset? FinishedAt { get; private set; }

    /// <summary>Whether the channel's log has the end.</summary>
    public bool Announced { get; private set; }
}

/// <summary>A generation that was cancelled before it was known; it never starts.</summary>
internal sealed class CancelledGeneration
{
    public required Guid Id { get; init; }

    public DateTimeOffset CancelledAt { get; private set; }
}

/// <summary>That a user is no more; what was still on its way from them is not begun. Stays for ever, and is nothing but this id.</summary>
internal sealed class DeletedUser
{
    public required Guid Id { get; init; }

    public DateTimeOffset DeletedAt { get; private set; }
}

/// <summary>That a conversation is no more; the same, for as long as something of it may still be on its way.</summary>
internal sealed class DeletedConversation
{
    public required Guid Id { get; init; }

    public DateTimeOffset DeletedAt { get; private set; }
}
