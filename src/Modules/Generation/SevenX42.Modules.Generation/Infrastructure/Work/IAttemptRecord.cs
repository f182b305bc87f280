using SevenX42.Modules.Generation.Infrastructure.Jobs;
using SevenX42.Realtime;

namespace SevenX42.Modules.Generation.Infrastructure.Work;

/// <summary>
/// What an attempt has come to, and how much of it has gone into events. Its runner adds, the log's writer takes, the lease keeper looks:
/// safe for the three at once.
/// </summary>
internal interface IAttemptRecord
{
    /// <summary>Grows with every change that is worth storing.</summary>
    long Version { get; }

    /// <summary>Length of everything, for storing it earlier when much is new.</summary>
    int Length { get; }

    /// <summary>The least time between two pieces of news.</summary>
    TimeSpan Interval { get; }

    /// <summary>Whether there is something that is worth keeping when it breaks off.</summary>
    bool HasContent { get; }

    /// <summary>All of it, and the version it is of.</summary>
    (JobContent Content, long Version) Snapshot();

    /// <summary>An attempt begins with all that is there.</summary>
    void Begin(int attempt);

    /// <summary>What this job has written so far is void; what it began with stays.</summary>
    void Clear(int attempt);

    /// <summary>The provider is waited for.</summary>
    void Wait(string code, TimeSpan delay);

    /// <summary>Nothing more will come.</summary>
    void Complete();

    /// <summary>Moves everything that no event holds yet into events.</summary>
    /// <returns>Whether there is more among it than notices, which nobody has to wait for.</returns>
    bool Take(List<NewChannelEvent> events);
}
