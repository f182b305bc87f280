using System.Globalization;
using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace SevenX42.Realtime;

/// <summary>
/// Wakes subscribers of channels: by pub/sub, which may lose messages and may die unnoticed, and by looking. While anybody
/// subscribes, it looks every few seconds where all their channels stand, and sends itself a message; when that does not come
/// in, the connection for hints is made anew.
/// </summary>
internal sealed partial class RedisHints : IAsyncDisposable
{
    private const int HeadsAtOnce = 256;

    // A machine that is busy for a moment is no dead subscription.
    private const int LostProbes = 2;

    private readonly RedisConnections _connections;
    private readonly RedisNames _names;
    private readonly ChannelLogMetrics _metrics;
    private readonly RedisChannelLogOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<RedisHints> _logger;
    private readonly CancellationTokenSource _stop = new();

    // Guards the channels and who subscribes to each.
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Watched> _channels = new(StringComparer.Ordinal);
    private Task _loop = Task.CompletedTask;
    private bool _running;
    private volatile Line? _line;

    // The loop's own.
    private bool _failing;

    public RedisHints(
        RedisConnections connections,
        RedisNames names,
        ChannelLogMetrics metrics,
        IOptions<RedisChannelLogOptions> options,
        TimeProvider time,
        ILogger<RedisHints> logger)
    {
        (_connections, _names, _metrics, _options, _time, _logger) = (connections, names, metrics, options.Value, time, logger);
    }

    /// <summary>Wakes after appends to a channel, until it is disposed of.</summary>
    public IDisposable Subscribe(string channel, Action wake)
    {
        lock (_gate)
        {
            if (!_channels.TryGetValue(channel, out var watched))
                _channels[channel] = watched = new Watched(this, channel);
            watched.Wakes = [.. watched.Wakes, wake];
            if (!_running)
                (_running, _loop) = (true, Task.Run(RunAsync));
            Settle(watched);
            return new Subscription(this, watched, wake);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        if (_line is { } line)
            await line.Connection.DisposeAsync();
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        using var timer = new PeriodicTimer(_options.CheckInterval, _time);
        do
        {
            Watched[] channels;
            lock (_gate)
                channels = [.. _channels.Values];
            if (channels.Length == 0)
                continue;
            // Looking helps those whom no hint reaches, so it depends on none.
            var (probe, look) = (await TryAsync(ProbeAsync), await TryAsync(() => LookAsync(channels)));
            var failure = probe ?? look;
            if (failure is not null && !_failing && !_stop.IsCancellationRequested)
                LogUnreachable(failure);
            _failing = failure is not null;
            Settle();
        }
        while (await WaitAsync(timer));
    }

    private static async Task<Exception?> TryAsync(Func<Task> attempt)
    {
        try
        {
            await attempt();
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }

    private async ValueTask<bool> WaitAsync(PeriodicTimer timer)
    {
        try
        {
            return await timer.WaitForNextTickAsync(_stop.Token);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Connects for hints, in place of the connection there was.</summary>
    private async Task DrawLineAsync()
    {
        var line = new Line(await _connections.ConnectHintsAsync(), _names.Probe(Guid.CreateVersion7(_time.GetUtcNow()).ToString("N")));
        line.Connection.ConnectionRestored += (_, _) =>
        {
            // What was said meanwhile was said to nobody.
            _metrics.Resubscribed("reconnect");
            WakeAll();
        };
        var old = _line;
        _line = line;
        Settle();
        if (old is null)
            return;
        WakeAll();
        await old.Connection.DisposeAsync();
    }

    private async Task ProbeAsync()
    {
        if (_line is null)
            await DrawLineAsync();
        var line = _line!;
        if (line.Sent - line.Seen >= LostProbes)
        {
            LogDead();
            _metrics.Resubscribed("probe");
            // So long has the first of them been on its way.
            _metrics.Lagged(LostProbes * _options.CheckInterval);
            await DrawLineAsync();
            line = _line!;
        }

        // Sent also where it can't be subscribed to for want of an answer: a connection that died before is to be missed like any other.
        var unanswered = line.HasProbe ? null : await TryAsync(() => SubscribeToProbeAsync(line));
        if (unanswered is not (null or RedisTimeoutException or RedisConnectionException))
            ExceptionDispatchInfo.Throw(unanswered);

        // Counted once Redis has taken it: a Redis that is away is another matter.
        var database = (await _connections.GetCommandsAsync()).GetDatabase();
        var probe = string.Create(CultureInfo.InvariantCulture, $"{line.Sent + 1} {_time.GetTimestamp()}");
        await database.ExecuteAsync("PUBLISH", [line.Probe, probe], CommandFlags.DemandMaster);
        line.Sent++;
        if (unanswered is not null)
            ExceptionDispatchInfo.Throw(unanswered);
    }

    private async Task SubscribeToProbeAsync(Line line)
    {
        await line.Connection.GetSubscriber().SubscribeAsync(RedisChannel.Literal(line.Probe), (_, probe) => TakeProbe(line, (string)probe!));
        line.HasProbe = true;
    }

    /// <summary>Takes a probe: its number, and the time at which this process sent it.</summary>
    private void TakeProbe(Line line, string probe)
    {
        var space = probe.IndexOf(' ', StringComparison.Ordinal);
        // The library keeps what it failed to subscribe to, so that the same may come twice.
        if (line.See(int.Parse(probe.AsSpan(0, space), CultureInfo.InvariantCulture)))
            _metrics.Lagged(_time.GetElapsedTime(long.Parse(probe.AsSpan(space + 1), CultureInfo.InvariantCulture)));
    }

    /// <summary>Looks where channels stand, and wakes those that stand elsewhere than was known.</summary>
    private async Task LookAsync(Watched[] channels)
    {
        var connection = await _connections.GetCommandsAsync();
        var database = connection.GetDatabase();
        await Task.WhenAll(channels
            .GroupBy(channel => connection.HashSlot(channel.State))
            .SelectMany(slot => slot.Chunk(HeadsAtOnce))
            .Select(async some =>
            {
                RedisValue[] values = [(long)_options.MaxIdle.TotalMilliseconds];
                RedisKey[] keys = [.. some.Select(channel => channel.State)];
                var heads = (RedisResult[])(await database.ScriptEvaluateAsync(RedisScripts.Heads, keys, values, CommandFlags.DemandMaster))!;
                for (var i = 0; i < some.Length; i++)
                    some[i].OnSeen((string)heads[i]!);
            }));
    }

    private void WakeAll()
    {
        Watched[] channels;
        lock (_gate)
            channels = [.. _channels.Values];
        foreach (var channel in channels)
            channel.Wake();
    }

    private void Settle()
    {
        lock (_gate)
        {
            foreach (var channel in _channels.Values)
                Settle(channel);
        }
    }

    /// <summary>Has a channel subscribed to, or no longer. Under the gate.</summary>
    private void Settle(Watched channel)
    {
        if (channel.Settling || TryRest(channel))
            return;
        channel.Settling = true;
        _ = Task.Run(() => SettleAsync(channel));
    }

    /// <summary>Whether there is nothing to do for a channel; one that nobody subscribes to is let go. Under the gate.</summary>
    private bool TryRest(Watched channel)
    {
        if (!channel.IsSettled(_line))
            return false;
        channel.Settling = false;
        if (channel.Wakes.Length == 0)
            _channels.Remove(channel.Name);
        return true;
    }

    // One after the other for each channel: the library mixes them up when they overlap.
    private async Task SettleAsync(Watched channel)
    {
        while (true)
        {
            Line? line;
            bool wanted;
            lock (_gate)
            {
                if (TryRest(channel))
                    return;
                (line, wanted) = (_line, channel.Wakes.Length > 0);
            }

            try
            {
                if (wanted)
                    await line!.Connection.GetSubscriber().SubscribeAsync(channel.Hints, channel.OnHint);
                else
                    await channel.Line!.Connection.GetSubscriber().UnsubscribeAsync(channel.Hints, channel.OnHint);
                channel.Line = wanted ? line : null;
            }
            catch (Exception e)
            {
                // Tried again with the next look, from the beginning: the library keeps what failed.
                LogUnsettled(e, channel.Name);
                await ForgetAsync(line, channel);
                lock (_gate)
                    channel.Settling = false;
                return;
            }

            // Whoever came before Redis had it subscribed may have missed something.
            if (wanted)
                channel.Wake();
        }
    }

    private static async Task ForgetAsync(Line? line, Watched channel)
    {
        channel.Line = null;
        try
        {
            if (line is not null)
                await line.Connection.GetSubscriber().UnsubscribeAsync(channel.Hints, channel.OnHint);
        }
        catch (Exception e) when (e is RedisException or TimeoutException or ObjectDisposedException)
        {
            // It is forgotten here all the same.
        }
    }

    private void Unsubscribe(Watched channel, Action wake)
    {
        lock (_gate)
        {
            var at = Array.IndexOf(channel.Wakes, wake);
            channel.Wakes = [.. channel.Wakes.AsSpan(0, at), .. channel.Wakes.AsSpan(at + 1)];
            Settle(channel);
        }
    }

    [LoggerMessage(1, LogLevel.Error, "A subscriber of {Channel} failed when it was woken")]
    private partial void LogWakeFailed(Exception exception, string channel);

    [LoggerMessage(2, LogLevel.Warning, "Redis gives no hints now, or does not say where channels stand")]
    private partial void LogUnreachable(Exception exception);

    [LoggerMessage(3, LogLevel.Warning, "No hints come from Redis any more; connecting anew")]
    private partial void LogDead();

    [LoggerMessage(4, LogLevel.Debug, "The hints of {Channel} can't be subscribed to now, or no longer")]
    private partial void LogUnsettled(Exception exception, string channel);

    /// <summary>A connection that hints come in on.</summary>
    private sealed class Line(ConnectionMultiplexer connection, string probe)
    {
        private volatile int _seen;

        public ConnectionMultiplexer Connection => connection;

        public string Probe => probe;

        /// <summary>Whether the probe is subscribed to. The loop's own.</summary>
        public bool HasProbe { get; set; }

        /// <summary>Number of the last probe that Redis took. The loop's own.</summary>
        public int Sent { get; set; }

        /// <summary>The highest number of a probe that came in.</summary>
        public int Seen => _seen;

        /// <summary>Takes in that a probe came; the library hands them out side by side, so that an earlier one may come last.</summary>
        /// <returns>Whether none as late had come before.</returns>
        public bool See(int probe)
        {
            for (var seen = _seen; seen < probe; seen = _seen)
            {
                if (Interlocked.CompareExchange(ref _seen, probe, seen) == seen)
                    return true;
            }

            return false;
        }
    }

    /// <summary>A channel that somebody subscribes to.</summary>
    private sealed class Watched
    {
        private readonly RedisHints _owner;
        private readonly Lock _gate = new();
        private ChannelPosition? _known;
        private bool _unhinted;

        public Watched(RedisHints owner, string name)
        {
            (_owner, Name) = (owner, name);
            (State, Hints) = (owner._names.State(name), RedisChannel.Literal(owner._names.Hints(name)));
            OnHint = TakeHint;
        }

        public string Name { get; }

        public RedisKey State { get; }

        public RedisChannel Hints { get; }

        /// <summary>The one handler that Redis' client knows, so that it can be taken away again.</summary>
        public Action<RedisChannel, RedisValue> OnHint { get; }

        public Action[] Wakes { get; set; } = [];

        public bool Settling { get; set; }

        /// <summary>Where its hints are subscribed to.</summary>
        public Line? Line { get; set; }

        public bool IsSettled(Line? line) => Wakes.Length > 0 ? line is null || Line == line : Line is null;

        /// <summary>Takes in where the channel stands now: its position; empty when it has none.</summary>
        public void OnSeen(string head)
        {
            ChannelPosition? seen = ChannelPosition.TryParse(head, out var position) ? position : null;
            lock (_gate)
            {
                // A hint may have been on its way while this looked; by the next time it would have come.
                if (_unhinted)
                    _owner._metrics.MissedHint();
                _unhinted = false;
                if (_known is { } known && seen is { } now && IsAt(known, now))
                    return;
                _unhinted = _known is { } before && before.Epoch == seen?.Epoch;
                _known = seen ?? new ChannelPosition("-", 0);
            }

            Wake();
        }

        public void Wake()
        {
            foreach (var wake in Wakes)
            {
                try
                {
                    wake();
                }
                catch (Exception e)
                {
                    _owner.LogWakeFailed(e, Name);
                }
            }
        }

        private void TakeHint(RedisChannel channel, RedisValue message)
        {
            _owner._metrics.Hinted();
            lock (_gate)
            {
                if (ChannelPosition.TryParse(message, out var position) && !(_known is { } known && IsAt(known, position)))
                    _known = position;
                _unhinted = false;
            }

            Wake();
        }

        private static bool IsAt(ChannelPosition known, ChannelPosition position) => known.Epoch == position.Epoch && known.Seq >= position.Seq;
    }

    private sealed class Subscription(RedisHints hints, Watched channel, Action wake) : IDisposable
    {
        private Action? _wake = wake;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _wake, null) is { } mine)
                hints.Unsubscribe(channel, mine);
        }
    }
}
