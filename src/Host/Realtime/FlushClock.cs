namespace SevenX42.Host.Realtime;

/// <summary>
/// Wakes busy feeds when their next flush is due. One timer for all of them, which runs only while any is busy: hundreds of
/// streams share a tick, instead of each waking a thread of its own thirty times a second.
/// </summary>
internal sealed class FlushClock(TimeProvider time) : IDisposable
{
    /// <summary>A quarter of the usual interval between flushes.</summary>
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(8);

    /// <summary>What one thread does by itself; beyond it others help, if there are processors for them.</summary>
    private const int LeastShare = 32;

    private readonly Lock _gate = new();
    private readonly TimingWheel _wheel = new();
    private ITimer? _timer;
    private readonly List<Timed> _due = [];
    private int _waiting;
    private bool _running;
    private bool _ticking;

    /// <summary>Calls <see cref="ChannelFeed.OnFlushDue"/> after about that long, once.</summary>
    public void Schedule(ChannelFeed feed, TimeSpan wait)
    {
        lock (_gate)
        {
            if (!_running)
                Start();
            // Rounded up from a tick that is on average half over: in the mean, as long as was asked for.
            _wheel.Schedule(feed, (long)Math.Ceiling(wait / Tick));
            _waiting++;
        }
    }

    public void Dispose() => _timer?.Dispose();

    private void Start()
    {
        _running = true;
        _wheel.Advance(Now(), []);
        if (_timer is not null)
        {
            _timer.Change(Tick, Tick);
            return;
        }

        // It outlives whichever request happens to be the first to need it.
        using (ExecutionContext.SuppressFlow())
            _timer = time.CreateTimer(static clock => ((FlushClock)clock!).OnTick(), this, Tick, Tick);
    }

    private long Now() => (long)(time.GetElapsedTime(0) / Tick);

    private void OnTick()
    {
        lock (_gate)
        {
            // A tick that takes longer than the next one's turn does that one's work in the one after.
            if (_ticking)
                return;
            _ticking = true;
            _wheel.Advance(Now(), _due);
            _waiting -= _due.Count;
            if (_waiting == 0)
            {
                _running = false;
                _timer!.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            }
        }

        var shares = Math.Clamp(_due.Count / LeastShare, 1, Environment.ProcessorCount);
        var share = (_due.Count + shares - 1) / shares;
        for (var start = share; start < _due.Count; start += share)
            ThreadPool.UnsafeQueueUserWorkItem(new Batch([.. _due.Skip(start).Take(share)]), preferLocal: false);
        for (var i = 0; i < Math.Min(share, _due.Count); i++)
            ((ChannelFeed)_due[i]).OnFlushDue();
        _due.Clear();
        lock (_gate)
            _ticking = false;
    }

    private sealed class Batch(Timed[] feeds) : IThreadPoolWorkItem
    {
        public void Execute()
        {
            foreach (var feed in feeds)
                ((ChannelFeed)feed).OnFlushDue();
        }
    }
}
