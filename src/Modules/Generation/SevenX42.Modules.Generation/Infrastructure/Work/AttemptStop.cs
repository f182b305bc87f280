namespace SevenX42.Modules.Generation.Infrastructure.Work;

/// <summary>Whether and why an attempt is to stop: asked by its runner, set by whoever has a reason.</summary>
#pragma warning disable CA1001 // Its token sources have no timer and no handle; a stop may come after the end, so they are never disposed.
internal sealed class AttemptStop
#pragma warning restore CA1001
{
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _abandon = new();
    private readonly CancellationTokenSource _leave = new();
    private int _reason;

    /// <summary>The first reason that was given.</summary>
    public StopReason Reason => (StopReason)Volatile.Read(ref _reason);

    /// <summary>The provider is to be left, whatever the reason.</summary>
    public CancellationToken Stopped => _stop.Token;

    /// <summary>The job is another's: nothing more may be written.</summary>
    public CancellationToken Abandoned => _abandon.Token;

    /// <summary>The process stops, or the job is another's: nothing is to be waited for.</summary>
    public CancellationToken Left => _leave.Token;

    /// <summary>Makes the attempt stop; the first reason counts. The upstream request is closed at once.</summary>
    public void Stop(StopReason reason)
    {
        if (reason is StopReason.LeaseLost)
            _abandon.CancelAsync().Forget();
        if (reason is StopReason.LeaseLost or StopReason.Shutdown)
            _leave.CancelAsync().Forget();
        if (Interlocked.CompareExchange(ref _reason, (int)reason, (int)StopReason.None) == (int)StopReason.None)
            _stop.CancelAsync().Forget();
    }
}
