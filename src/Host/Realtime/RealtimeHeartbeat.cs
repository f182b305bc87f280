namespace SevenX42.Host.Realtime;

/// <summary>The one clock of all sockets and feeds: beats, time limits, checks for lost wake-ups.</summary>
internal sealed partial class RealtimeHeartbeat(ChannelFeeds feeds, TimeProvider time, ILogger<RealtimeHeartbeat> logger)
    : BackgroundService
{
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly TimingWheel _wheel = new();
    private readonly long _started = time.GetTimestamp();

    /// <summary>The second that it has come to; a test that moves the clock waits for it.</summary>
    public long Now
    {
        get
        {
            lock (_gate)
                return _wheel.Now;
        }
    }

    /// <summary>Calls <see cref="RealtimeConnection.OnDue"/> after some seconds, instead of whenever it was due.</summary>
    public void Schedule(RealtimeConnection connection, int seconds)
    {
        lock (_gate)
            _wheel.Schedule(connection, seconds);
    }

    public void Cancel(RealtimeConnection connection)
    {
        lock (_gate)
            _wheel.Cancel(connection);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var due = new List<Timed>();
        using var timer = new PeriodicTimer(Tick, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            due.Clear();
            lock (_gate)
                _wheel.Advance((long)time.GetElapsedTime(_started).TotalSeconds, due);
            foreach (var item in due)
                Guard(() => ((RealtimeConnection)item).OnDue());
            Guard(feeds.Tend);
        }
    }

    /// <summary>One that fails must not stop the clock of all.</summary>
    private void Guard(Action action)
    {
        try
        {
            action();
        }
        catch (Exception e)
        {
            LogFailed(e);
        }
    }

    [LoggerMessage(1, LogLevel.Error, "A socket's or channel's turn on the clock failed")]
    private partial void LogFailed(Exception exception);
}
