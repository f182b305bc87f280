using SevenX42.Realtime;

namespace SevenX42.Host.Realtime;

/// <summary>
/// One channel on this replica: reads the log when it is woken, runs the projector once, encodes once, and hands the same
/// bytes to every viewer at the head; each viewer that is behind is caught up from the log by itself. It holds nothing that
/// the log (and the database) could not give again.
/// </summary>
/// <remarks>
/// All work is done by one pump at a time, which runs only when there is something to do: at once when the channel was
/// idle, else when the <see cref="FlushClock"/> says so. An idle feed has neither a task nor a timer.
/// </remarks>
internal sealed partial class ChannelFeed : Timed, IThreadPoolWorkItem
{
    private const int BatchSize = 512;
    private const int CachedCatchUps = 8;

    // A feed whose flushes are costly is flushed the more rarely, and not on the thread that flushes the others.
    private const int LeastRest = 4;
    private static readonly TimeSpan LongestRest = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Costly = TimeSpan.FromMilliseconds(4);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    private readonly ChannelFeeds _feeds;
    private readonly IChannelKind _kind;
    private readonly Lock _gate = new();

    // Guarded by the gate.
    private List<(FeedViewer? Viewer, Request Kind)>? _requests;
    private bool _woken;
    private bool _pumping;
    private bool _timing;
    private bool _flushNow;
    private bool _closed;

    // The pump's own.
    private readonly List<FeedViewer> _viewers = new(1);
    private List<(long From, SharedFrame Frame)>? _catchUps;
    private IDisposable? _subscription;
    private IChannelProjector? _projector;
    private ChannelPosition _position;
    private bool _loaded;
    private bool _stale;
    private long _flushed;
    private TimeSpan _cost;
    private long _read;
    private long _moved;
    private long _cached;

    // Since when the log can't be reached; 0 while it can.
    private long _awaySince;

    public ChannelFeed(ChannelFeeds feeds, string channel, bool raw, IChannelKind kind)
    {
        (_feeds, Channel, Raw, _kind) = (feeds, channel, raw, kind);
        _flushed = feeds.Time.GetTimestamp() - (long)(feeds.Options.FlushInterval.TotalSeconds * feeds.Time.TimestampFrequency) - 1;
    }

    private enum Request
    {
        Attach,
        CatchUp,
        Detach,
        ForgetCatchUps,
    }

    public string Channel { get; }

    /// <summary>Whether viewers get the log's own events instead of what the projector makes of them.</summary>
    public bool Raw { get; }

    /// <summary>How many hold this feed. <see cref="ChannelFeeds"/>'s.</summary>
    internal int Holders { get; set; }

    /// <summary>Since when nobody has. <see cref="ChannelFeeds"/>'s.</summary>
    internal long IdleSince { get; set; }

    /// <summary>Begins to serve a viewer from its position.</summary>
    public void Attach(FeedViewer viewer) => Enqueue(viewer, Request.Attach);

    /// <summary>Tells the feed that a viewer which had no room has some.</summary>
    public void CatchUp(FeedViewer viewer) => Enqueue(viewer, Request.CatchUp);

    /// <summary>Stops serving a viewer; a call to it may still be under way.</summary>
    public void Detach(FeedViewer viewer) => Enqueue(viewer, Request.Detach);

    /// <summary>
    /// Reads the log once more if the last time is long ago: wake-ups are hints, and hints get lost. An idle channel is
    /// looked at seldom; what was lost there is found with the next wake-up at the latest.
    /// </summary>
    public void Recheck(long now)
    {
        var time = _feeds.Time;
        var busy = Volatile.Read(ref _awaySince) != 0 || time.GetElapsedTime(Volatile.Read(ref _moved), now) < TimeSpan.FromMinutes(1);
        var interval = busy ? _feeds.Options.RecheckInterval : _feeds.Options.RecheckInterval * 20;
        if (time.GetElapsedTime(Volatile.Read(ref _read), now) >= interval)
            Wake();
    }

    /// <summary>Lets go of what was kept for viewers that come at the same moment, once the moment is over.</summary>
    public void Trim(long now)
    {
        var cached = Volatile.Read(ref _cached);
        if (cached != 0 && _feeds.Time.GetElapsedTime(cached, now) >= TimeSpan.FromSeconds(2))
            Enqueue(null, Request.ForgetCatchUps);
    }

    /// <summary>Lets go of everything. Nobody holds the feed, and nobody will.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _closed = true;
            Schedule();
        }
    }

    /// <summary>The clock says that a flush is due; it is done on the clock's thread.</summary>
    public void OnFlushDue()
    {
        lock (_gate)
        {
            _timing = false;
            if (_pumping)
                return;
            _pumping = true;
            _flushNow = true;
        }

        if (_cost > Costly)
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        else
            _ = PumpAsync();
    }

    void IThreadPoolWorkItem.Execute() => _ = PumpAsync();

    private void Wake()
    {
        lock (_gate)
        {
            if (_woken)
                return;
            _woken = true;
            Schedule();
        }
    }

    private void Enqueue(FeedViewer? viewer, Request kind)
    {
        lock (_gate)
        {
            (_requests ??= []).Add((viewer, kind));
            Schedule();
        }
    }

    /// <summary>Queues the pump, now or when the next flush is due. Under the gate.</summary>
    private void Schedule()
    {
        if (_pumping)
            return;
        var wait = _requests is not null || _closed ? TimeSpan.Zero : _woken ? UntilFlush() : Timeout.InfiniteTimeSpan;
        if (wait == TimeSpan.Zero)
        {
            _pumping = true;
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
        else if (wait > TimeSpan.Zero && !_timing)
        {
            _timing = true;
            _feeds.Clock.Schedule(this, wait);
        }
    }

    private TimeSpan UntilFlush()
    {
        var rest = _cost * LeastRest < LongestRest ? _cost * LeastRest : LongestRest;
        var interval = rest > _feeds.Options.FlushInterval ? rest : _feeds.Options.FlushInterval;
        var left = interval - _feeds.Time.GetElapsedTime(_flushed);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    private async Task PumpAsync()
    {
        var scratch = _feeds.RentScratch();
        while (TryTakeWork(out var requests, out var flush))
        {
            if (requests is not null)
                await ServeAsync(requests, scratch);
            if (flush && _loaded)
                await GuardedFlushAsync(scratch);
        }

        _feeds.ReturnScratch(scratch);
    }

    private bool TryTakeWork(out List<(FeedViewer? Viewer, Request Kind)>? requests, out bool flush)
    {
        lock (_gate)
        {
            (requests, _requests) = (_requests, null);
            flush = _woken && (_flushNow || UntilFlush() == TimeSpan.Zero);
            _flushNow = false;
            if (flush)
                _woken = false;
            if (flush || requests is not null)
                return true;
            if (_closed)
            {
                // Stays "pumping", so that no late wake-up begins again.
                _subscription?.Dispose();
                ForgetCatchUps();
                return false;
            }

            _pumping = false;
            Schedule();
            return false;
        }
    }

    private async ValueTask ServeAsync(List<(FeedViewer? Viewer, Request Kind)> requests, FeedScratch scratch)
    {
        foreach (var (viewer, kind) in requests)
        {
            try
            {
                if (viewer is null)
                    ForgetCatchUps();
                else if (kind is Request.Attach)
                    await AttachAsync(viewer, scratch);
                else if (kind is Request.Detach)
                    Remove(viewer);
                else if (viewer.State is ViewerState.Behind)
                    await CatchUpAsync(viewer, scratch);
            }
            catch (Exception e)
            {
                if (kind is Request.Attach && viewer is { State: ViewerState.Detached })
                    viewer.OnUnavailable();
                Fail(e);
            }
        }
    }

    private async ValueTask AttachAsync(FeedViewer viewer, FeedScratch scratch)
    {
        if (!_loaded)
            await LoadAsync(scratch);
        // Pages are rendered anywhere, so one may already know what this feed has not read yet.
        if (_stale || viewer.From is not { } wanted || wanted.Epoch != _position.Epoch || wanted.Seq > _position.Seq)
        {
            await FlushAsync(scratch);
            if (!_loaded)
                await LoadAsync(scratch);
        }

        var from = viewer.From ?? _position;
        var recovered = from.Epoch == _position.Epoch && from.Seq <= _position.Seq;
        SharedFrame? missed = null;
        if (recovered && from.Seq < _position.Seq)
        {
            missed = await FindCatchUpAsync(from.Seq, scratch);
            recovered = missed is not null;
        }

        if (!recovered)
        {
            viewer.State = ViewerState.Parked;
            viewer.OnAttached(_position, recovered: false);
            return;
        }

        Add(viewer, from.Seq);
        viewer.OnAttached(from, recovered: true);
        // The log's own events build on nothing, so that a viewer of them is live as soon as it is at the head.
        if (missed is null && _projector is null)
            viewer.State = ViewerState.Live;
        else if (missed is not null && viewer.TryBeginCatchUp() && Push(viewer, missed))
            await CatchUpAsync(viewer, scratch);
    }

    private async ValueTask LoadAsync(FeedScratch scratch)
    {
        // Subscribed first: what is appended while this loads wakes the feed.
        _subscription ??= _feeds.Log.Subscribe(Channel, Wake);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10), _feeds.Time);
        _projector = Raw ? null : _kind.CreateProjector(Channel);
        if (_projector is null)
        {
            _position = await _feeds.Log.GetPositionAsync(Channel, limit.Token);
        }
        else
        {
            scratch.Events.Clear();
            var head = (await _feeds.Log.ReadRetainedAsync(Channel, scratch.Events, limit.Token)).Head;
            await _projector.LoadAsync(scratch.Events, limit.Token);
            _position = head;
        }

        ForgetCatchUps();
        (_loaded, _awaySince, _stale) = (true, 0, false);
    }

    private async ValueTask GuardedFlushAsync(FeedScratch scratch)
    {
        if (_viewers.Count == 0)
        {
            // Nobody looks; whoever comes next brings the feed to the head.
            _stale = true;
            return;
        }

        var begun = _feeds.Time.GetTimestamp();
        try
        {
            await FlushAsync(scratch);
        }
        catch (Exception e)
        {
            Fail(e);
        }

        _cost = _feeds.Time.GetElapsedTime(begun);
    }

    /// <summary>Comes to the head of the log and brings all viewers along.</summary>
    private async ValueTask FlushAsync(FeedScratch scratch)
    {
        Volatile.Write(ref _read, _feeds.Time.GetTimestamp());
        ChannelPosition head;
        do
        {
            scratch.Events.Clear();
            (head, var recovered) = await _feeds.Log.ReadAsync(Channel, _position, BatchSize, scratch.Events, CancellationToken.None);
            (_awaySince, _stale) = (0, false);
            if (!recovered)
            {
                ResetAll(head, head.Epoch == _position.Epoch ? RealtimeCodes.Lag : RealtimeCodes.Epoch);
                return;
            }

            if (scratch.Events.Count > 0)
            {
                _flushed = _read;
                Volatile.Write(ref _moved, _read);
                Distribute(scratch);
            }

            await CatchUpBehindAsync(scratch);
        }
        while (head.Seq > _position.Seq);
    }

    /// <summary>Projects what was just read and pushes it to the viewers that have everything before it.</summary>
    private void Distribute(FeedScratch scratch)
    {
        var (events, output) = (scratch.Events, scratch.Output);
        output.Clear();
        if (_projector is null)
            WriteRaw(events, output, int.MaxValue);
        else
            _projector.Project(events, output);
        _position = _position with { Seq = events[^1].Seq };
        ForgetCatchUps();
        var frame = SharedFrame.Of(output, _position.Seq);
        try
        {
            foreach (var viewer in _viewers)
            {
                if (viewer.State is ViewerState.Live)
                    Push(viewer, frame);
            }
        }
        finally
        {
            frame.Release();
        }
    }

    private async ValueTask CatchUpBehindAsync(FeedScratch scratch)
    {
        for (var i = 0; i < _viewers.Count; i++)
        {
            if (_viewers[i].State is ViewerState.Behind)
                await CatchUpAsync(_viewers[i], scratch);
        }
    }

    /// <summary>Brings a viewer that is behind as far as its window lets it.</summary>
    private async ValueTask CatchUpAsync(FeedViewer viewer, FeedScratch scratch)
    {
        while (viewer.State is ViewerState.Behind && viewer.Seq < _position.Seq && viewer.TryBeginCatchUp())
        {
            if (await FindCatchUpAsync(viewer.Seq, scratch) is not { } missed)
            {
                Reset(viewer, _position, RealtimeCodes.Lag);
                return;
            }

            if (!Push(viewer, missed))
                return;
        }
    }

    /// <summary>
    /// The frame that brings a viewer on from a sequence number; viewers at the same place share it (a thousand that
    /// reconnect stand at few places). <see langword="null"/> when the log no longer reaches back so far.
    /// </summary>
    private async ValueTask<SharedFrame?> FindCatchUpAsync(long from, FeedScratch scratch)
    {
        _catchUps ??= new(1);
        foreach (var (start, cached) in _catchUps)
        {
            if (start == from)
                return cached;
        }

        var (events, output) = (scratch.Events, scratch.Output);
        events.Clear();
        for (var at = from; at < _position.Seq; at = events[^1].Seq)
        {
            var count = (int)Math.Min(_position.Seq - at, int.MaxValue);
            var read = await _feeds.Log.ReadAsync(Channel, _position with { Seq = at }, count, events, CancellationToken.None);
            if (!read.Recovered || events.Count == 0)
                return null;
        }

        output.Clear();
        var reached = _position.Seq;
        if (_projector is null)
            reached = WriteRaw(events, output, _feeds.Options.ChannelWindowBytes / 2);
        else
            _projector.CatchUp(from, events, output);
        var frame = SharedFrame.Of(output, reached);
        if (_catchUps.Count == CachedCatchUps)
        {
            _catchUps[0].Frame.Release();
            _catchUps.RemoveAt(0);
        }

        _catchUps.Add((from, frame));
        Volatile.Write(ref _cached, _feeds.Time.GetTimestamp());
        return frame;
    }

    /// <summary>Gives a viewer a frame and notes how far it has come.</summary>
    private bool Push(FeedViewer viewer, SharedFrame frame)
    {
        if (frame.Length > 0 && !viewer.TryPush(frame))
        {
            viewer.State = ViewerState.Behind;
            return false;
        }

        viewer.Seq = frame.Reached;
        viewer.State = frame.Reached == _position.Seq ? ViewerState.Live : ViewerState.Behind;
        return true;
    }

    private static long WriteRaw(List<ChannelEvent> events, ProjectedEvents output, int enough)
    {
        foreach (var e in events)
        {
            output.Write(e.Seq, e.Type, e.Data.Span);
            if (output.WrittenSpan.Length >= enough)
                return e.Seq;
        }

        return events[^1].Seq;
    }

    private void Add(FeedViewer viewer, long seq)
    {
        (viewer.Seq, viewer.State, viewer.Index) = (seq, ViewerState.Behind, _viewers.Count);
        _viewers.Add(viewer);
    }

    private void Remove(FeedViewer viewer)
    {
        if (viewer.State is ViewerState.Live or ViewerState.Behind)
        {
            var last = _viewers[^1];
            (_viewers[viewer.Index], last.Index) = (last, viewer.Index);
            _viewers.RemoveAt(_viewers.Count - 1);
        }

        viewer.State = ViewerState.Detached;
    }

    private void Reset(FeedViewer viewer, ChannelPosition head, string code)
    {
        Remove(viewer);
        viewer.State = ViewerState.Parked;
        _feeds.Metrics.Reset(code);
        viewer.OnReset(head, code);
    }

    /// <summary>Sends everyone back to the snapshot; the next who comes from there finds a new projector.</summary>
    private void ResetAll(ChannelPosition head, string code)
    {
        (_loaded, _projector) = (false, null);
        ForgetCatchUps();
        if (_viewers.Count > 0)
            LogReset(_feeds.Logger, Channel, code);
        while (_viewers.Count > 0)
            Reset(_viewers[^1], head, code);
    }

    private void Fail(Exception e)
    {
        if (e is ChannelLogUnavailableException)
        {
            // Viewers stay where they are for a while; the next check of the position tries again. Then the snapshot, which comes
            // from the database, is more than nothing.
            var now = _feeds.Time.GetTimestamp();
            if (_awaySince == 0)
            {
                LogUnavailable(_feeds.Logger, e, Channel);
                Volatile.Write(ref _awaySince, now);
            }
            else if (_feeds.Time.GetElapsedTime(_awaySince, now) >= Patience)
            {
                ResetAll(_position, RealtimeCodes.Unavailable);
            }

            return;
        }

        LogFailed(_feeds.Logger, e, Channel);
        ResetAll(_position, RealtimeCodes.Fault);
    }

    private void ForgetCatchUps()
    {
        if (_catchUps is not { Count: > 0 } catchUps)
            return;
        foreach (var (_, frame) in catchUps)
            frame.Release();
        catchUps.Clear();
        Volatile.Write(ref _cached, 0);
    }

    [LoggerMessage(1, LogLevel.Information, "Viewers of {Channel} go back to the snapshot: {Code}")]
    private static partial void LogReset(ILogger logger, string channel, string code);

    [LoggerMessage(2, LogLevel.Warning, "The log of {Channel} can't be reached now")]
    private static partial void LogUnavailable(ILogger logger, Exception exception, string channel);

    [LoggerMessage(3, LogLevel.Error, "The projector of {Channel} failed; its viewers go back to the snapshot")]
    private static partial void LogFailed(ILogger logger, Exception exception, string channel);
}
