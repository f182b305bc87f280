namespace SevenX42.Testing;

/// <summary>The real time, which can be put forward. Waits that have begun end when they would have.</summary>
public sealed class ForwardClock : TimeProvider
{
    private long _ahead;

    /// <summary>Puts it forward.</summary>
    public void Forward(TimeSpan by) => Interlocked.Add(ref _ahead, by.Ticks);

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + new TimeSpan(Interlocked.Read(ref _ahead));

    /// <inheritdoc/>
    public override long GetTimestamp() =>
        base.GetTimestamp() + (long)(new TimeSpan(Interlocked.Read(ref _ahead)).TotalSeconds * TimestampFrequency);
}
