namespace SevenX42.Modules.Generation.Infrastructure.Work;

/// <summary>
/// Calls back when its moment has passed. Moving the moment costs a store, not a timer: the timer looks again when it
/// fires, so a token costs nothing.
/// </summary>
internal sealed class Deadline : IDisposable
{
    private readonly TimeProvider _time;
    private readonly Action _passed;
    private readonly ITimer _timer;
    private long _due = long.MaxValue;

    public Deadline(TimeProvider time, Action passed)
    {
        (_time, _passed) = (time, passed);
        _timer = time.CreateTimer(static state => ((Deadline)state!).Look(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Sets the moment, sooner or later than before.</summary>
    public void Set(TimeSpan fromNow)
    {
        Postpone(fromNow);
        _timer.Change(fromNow, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Sets a moment that is not before the present one.</summary>
    public void Postpone(TimeSpan fromNow) =>
        Volatile.Write(ref _due, _time.GetTimestamp() + (long)(fromNow.TotalSeconds * _time.TimestampFrequency));

    /// <summary>No moment.</summary>
    public void Clear()
    {
        Volatile.Write(ref _due, long.MaxValue);
        _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        var due = Volatile.Read(ref _due);
        if (due == long.MaxValue)
            return;
        var left = _time.GetElapsedTime(_time.GetTimestamp(), due);
        if (left > TimeSpan.Zero)
            _timer.Change(left + TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan);
        else
            _passed();
    }
}
