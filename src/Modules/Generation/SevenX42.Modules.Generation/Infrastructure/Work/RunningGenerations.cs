using System.Collections.Concurrent;

namespace SevenX42.Modules.Generation.Infrastructure.Work;

/// <summary>The attempts that run in this process.</summary>
internal sealed class RunningGenerations
{
    private readonly ConcurrentDictionary<(Guid Id, int Attempt), GenerationAttempt> _attempts = new();

    public int Count => _attempts.Count;

    public IEnumerable<GenerationAttempt> All => _attempts.Values;

    public void Add(GenerationAttempt attempt) => _attempts[(attempt.Job.Id, attempt.Job.Attempt)] = attempt;

    public void Remove(GenerationAttempt attempt) => _attempts.TryRemove((attempt.Job.Id, attempt.Job.Attempt), out _);

    /// <summary>Stops a generation, if it runs here.</summary>
    public void Stop(Guid id, StopReason reason)
    {
        foreach (var attempt in _attempts.Values)
        {
            if (attempt.Job.Id == id)
                attempt.Stop(reason);
        }
    }
}
