using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace SevenX42.Faults.Tests;

/// <summary>A message that somebody sent.</summary>
/// <param name="Id">The client's id of it.</param>
/// <param name="ConversationId">The conversation it is for.</param>
/// <param name="Prompt">Its number, which decides what the answer has to be; every message has another.</param>
internal sealed record Sent(Guid Id, Guid ConversationId, int Prompt)
{
    /// <summary>How often it was sent until the server acknowledged it, clicks and repetitions alike.</summary>
    public int Tries { get; set; }

    /// <summary>Tries whose outcome nobody learned.</summary>
    public int Unknown { get; set; }

    /// <summary>Whether the server said that it has it.</summary>
    public bool IsAcknowledged { get; set; }

    /// <summary>Whether somebody asked to stop the answer.</summary>
    public bool MayBeStopped { get; set; }

    /// <summary>Whether whoever works on it dies of it.</summary>
    public bool IsPoison { get; init; }
}

/// <summary>What somebody's page showed of an answer in the end.</summary>
/// <param name="Sent">The message that it answers.</param>
/// <param name="Html">Its blocks, one after the other.</param>
/// <param name="Streamed">What deltas alone had made of it when its end came; null when the end was fetched.</param>
/// <param name="Status">How it ended.</param>
internal sealed record View(Sent Sent, string Html, string? Streamed, string Status);

/// <summary>A time without a word for somebody who watched an answer.</summary>
internal sealed record Gap(long Began, TimeSpan Length)
{
    /// <summary>Whether some of it was between two timestamps.</summary>
    public bool Overlaps(long from, long to) => Began <= to && Began + (Length.TotalSeconds * Stopwatch.Frequency) >= from;
}

/// <summary>What happened in a run, as those outside saw it.</summary>
internal sealed class History
{
    private int _prompts;

    public ConcurrentBag<Sent> Messages { get; } = [];

    public ConcurrentBag<View> Views { get; } = [];

    public ConcurrentBag<Gap> Gaps { get; } = [];

    /// <summary>What was wrong at the moment it was seen, in a sentence each.</summary>
    public ConcurrentBag<string> Wrong { get; } = [];

    /// <summary>How often each kind of thing was done.</summary>
    public ConcurrentDictionary<string, int> Counts { get; } = new();

    public Sent Send(Guid id, Guid conversationId, bool isPoison = false)
    {
        var sent = new Sent(id, conversationId, Interlocked.Increment(ref _prompts)) { IsPoison = isPoison };
        Messages.Add(sent);
        return sent;
    }

    public void Count(string what) => Counts.AddOrUpdate(what, 1, (_, count) => count + 1);

    public string Summary() => string.Join(
        ", ", Counts.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => string.Create(CultureInfo.InvariantCulture, $"{c.Key}: {c.Value}")));
}
