using SevenX42.Contracts.Generation;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Infrastructure.Jobs;
using SevenX42.Modules.Generation.Infrastructure.Providers;

namespace SevenX42.Modules.Generation.Infrastructure.Work;

/// <summary>How an attempt ends.</summary>
/// <param name="Status">A final status, or queued.</param>
/// <param name="Failure">What went wrong, if anything did.</param>
internal sealed record End(string Status, GenerationFailure? Failure)
{
    /// <summary>No end: the job is given back.</summary>
    public static End GivenBack { get; } = new(GenerationStatus.Queued, null);

    /// <summary>All that was asked for is there.</summary>
    public static End Completed { get; } = new(GenerationStatus.Completed, null);
}

/// <summary>
/// What a kind of job does with its provider, from the request to the last byte. Claims, leases, fences, tries, the time in all and the
/// end are the attempt's, the same for every kind.
/// </summary>
internal abstract class Runner(ClaimedJob job, AttemptServices services, AttemptStop stop) : IDisposable
{
    /// <summary>What the attempt has come to.</summary>
    public abstract IAttemptRecord Record { get; }

    /// <summary>Whether all that was asked for is there.</summary>
    public virtual bool IsDone => false;

    protected ClaimedJob Job { get; } = job;

    protected AttemptServices Services { get; } = services;

    protected AttemptStop Stop { get; } = stop;

    /// <summary>Takes over what an attempt that died has left elsewhere and could not record.</summary>
    /// <param name="wake">Says that the record has more.</param>
    public virtual Task ResumeAsync(Action wake) => Task.CompletedTask;

    /// <summary>Finds who is asked, and says what they are given.</summary>
    /// <returns>The limits, or why nobody can be asked.</returns>
    public abstract (ProviderLimits? Limits, GenerationFailure? Failure) Prepare();

    /// <summary>One request. Either an end, or a failure before anything came of what is missing, which may be tried again.</summary>
    /// <param name="wake">Says that the record has more.</param>
    public abstract Task<(End? End, GenerationFailure? Failure)> TryAsync(Action wake);

    /// <summary>What a stop makes of the job. Before <see cref="Prepare"/>, only a stop by somebody or something outside.</summary>
    public abstract End EndOf(StopReason reason);

    /// <summary>Interrupted when there is something to keep, else failed.</summary>
    public End Broken(GenerationFailure failure) => new(Record.HasContent ? GenerationStatus.Interrupted : GenerationStatus.Failed, failure);

    /// <summary>Tokens, as the provider reports them.</summary>
    public virtual (long Input, long Output) Usage => (0, 0);

    public abstract void Dispose();
}
