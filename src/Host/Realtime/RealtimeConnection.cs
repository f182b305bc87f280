using System.Buffers;
using System.Buffers.Text;
using System.Net.WebSockets;
using SevenX42.Contracts.Identity;
using SevenX42.Realtime;

namespace SevenX42.Host.Realtime;

/// <summary>
/// One socket: reads the client's messages, multiplexes its channels, and sends. While nothing happens it is a pending
/// zero-byte read and an entry on the timing wheel: no task of its own, no timer, no buffer.
/// </summary>
internal sealed partial class RealtimeConnection : Timed, IRealtimeClient
{
    private const int FirstBuffer = 512;
    private const int MaxPieces = 256;
    private const int MaxQueuedFrames = 8;
    private const int MaxQueuedControls = 128;
    private static readonly TimeSpan CloseLimit = TimeSpan.FromSeconds(2);

    private readonly RealtimeServer _server;
    private readonly HttpContext _context;
    private readonly WebSocket _socket;

    // Guards everything below that more than the receiving side touches: feeds push, the clock beats.
    private readonly Lock _gate = new();
    private readonly List<SocketViewer> _viewers = [];
    private Queue<Outgoing>? _queue;
    private TaskCompletionSource? _sent;
    private int _queuedFrames;
    private int _unacknowledged;
    private int _closeCode;
    private string _closeReason = "";
    private bool _sending;
    private bool _broken;
    private bool _over;
    private long _sendingSince;
    private long _closingSince;

    private long _heard;
    private long _beaten;
    private RealtimeIdentity _identity;

    // The receiving side's own.
    private TokenBucket _messages;
    private int _dropped;
    private long _warned;
    private int _lastNumber;

    public RealtimeConnection(RealtimeServer server, HttpContext context, WebSocket socket, RealtimeIdentity identity)
    {
        (_server, _context, _socket, _identity) = (server, context, socket, identity);
        _heard = _beaten = server.Time.GetTimestamp();
        _messages = new TokenBucket(server.Options.MessagesPerSecond, server.Options.MessageBurst, Milliseconds);
    }

    public RealtimeIdentity Identity => Volatile.Read(ref _identity);

    /// <summary>Whether it was heard since the last beat; a test that moves the clock waits for it.</summary>
    public bool HasAnswered => Volatile.Read(ref _heard) >= Volatile.Read(ref _beaten);

    private long Milliseconds => (long)_server.Time.GetElapsedTime(0).TotalMilliseconds;

    /// <summary>Serves the socket until it is closed by either side.</summary>
    public async Task RunAsync()
    {
        try
        {
            Send(ServerMessages.Hello(_context.TraceIdentifier, _server.Options));
            _server.Heartbeat.Schedule(this, NextTurn());
            var open = true;
            while (open)
            {
                // Waits here without holding a buffer, and with no more state than this: it is where most sockets are.
                var waited = await _socket.ReceiveAsync(Memory<byte>.Empty, CancellationToken.None);
                open = waited.MessageType is not WebSocketMessageType.Close
                    && await (Volatile.Read(ref _closeCode) == 0 ? ReceiveAsync(waited) : DiscardAsync());
            }
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or IOException or ObjectDisposedException)
        {
            // The client went without a word, or sent what is no WebSocket; the socket has answered by itself.
            LogLost(_server.Logger, _context.TraceIdentifier, e.Message);
        }
        finally
        {
            await CleanUpAsync();
        }
    }

    public void SignOut() => Close(RealtimeCloseCodes.SignedOut, "signed out");

    public void Drain(TimeSpan comeBackAfter)
    {
        Send(ServerMessages.Bye((int)comeBackAfter.TotalMilliseconds));
        Close(RealtimeCloseCodes.Draining, "restarting");
    }

    /// <summary>The connection's turn on the clock.</summary>
    public void OnDue()
    {
        var now = _server.Time.GetTimestamp();
        var (closing, stuck) = (false, false);
        lock (_gate)
        {
            if (_over)
                return;
            closing = _closeCode != 0 || _broken;
            stuck = closing
                ? Elapsed(_closingSince) >= CloseLimit
                : _sending && Elapsed(_sendingSince) >= _server.Options.ClientTimeout;
            if (stuck)
                Abort();
        }

        if (!closing && !stuck)
        {
            if (Identity.ExpiresAt <= _server.Time.GetUtcNow())
            {
                Close(RealtimeCloseCodes.TokenExpired, "token expired");
            }
            else if (Elapsed(Volatile.Read(ref _heard)) >= _server.Options.ClientTimeout)
            {
                Close(RealtimeCloseCodes.NoAcknowledgement, "nothing heard");
            }
            else if (Elapsed(_beaten) >= _server.Options.BeatInterval)
            {
                Volatile.Write(ref _beaten, now);
                Send(ServerMessages.Beat());
            }
        }

        _server.Heartbeat.Schedule(this, NextTurn());

        TimeSpan Elapsed(long since) => _server.Time.GetElapsedTime(since, now);
    }

    /// <summary>Seconds until something is due, whole ones and upwards.</summary>
    private int NextTurn()
    {
        if (_closeCode != 0 || _broken)
            return 1;
        var (time, options) = (_server.Time, _server.Options);
        var now = time.GetTimestamp();
        var beat = options.BeatInterval - time.GetElapsedTime(_beaten, now);
        var silence = options.ClientTimeout - time.GetElapsedTime(Volatile.Read(ref _heard), now);
        var expiry = Identity.ExpiresAt - time.GetUtcNow();
        var next = Math.Min(Math.Min(beat.TotalSeconds, silence.TotalSeconds), expiry.TotalSeconds);
        return (int)Math.Clamp(Math.Ceiling(next), 1, 60);
    }

    /// <summary>Reads and handles the message whose beginning has come.</summary>
    /// <returns>Whether there can be more.</returns>
    private async ValueTask<bool> ReceiveAsync(ValueWebSocketReceiveResult waited)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(FirstBuffer);
        try
        {
            var (length, pieces, complete) = (0, 0, waited.EndOfMessage);
            var text = waited.MessageType is WebSocketMessageType.Text;
            while (!complete)
            {
                if (length > _server.Options.MaxMessageBytes)
                    return Refuse(RealtimeCloseCodes.TooBig, "message too big");
                if (++pieces > MaxPieces)
                    return Refuse(RealtimeCloseCodes.Malformed, "too many fragments");
                if (length == buffer.Length)
                    Grow(ref buffer, length);
                var received = await _socket.ReceiveAsync(buffer.AsMemory(length), CancellationToken.None);
                if (received.MessageType is WebSocketMessageType.Close)
                    return false;
                length += received.Count;
                complete = received.EndOfMessage;
            }

            if (length > _server.Options.MaxMessageBytes)
                return Refuse(RealtimeCloseCodes.TooBig, "message too big");
            Volatile.Write(ref _heard, _server.Time.GetTimestamp());
            if (!_messages.TryTake(Milliseconds))
                return Drop();
            _dropped = Math.Max(0, _dropped - 1);
            if (!text || !ClientMessage.TryParse(buffer.AsSpan(0, length), out var message))
                return Refuse(RealtimeCloseCodes.Malformed, "malformed message");
            await HandleAsync(message);
            return true;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        static void Grow(ref byte[] buffer, int length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
            buffer.AsSpan(0, length).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(buffer);
            buffer = larger;
        }
    }

    /// <summary>
    /// After our close, reads on until the client's: bytes left unread would make the system reset the connection, and the
    /// client would never see the code. The clock ends it if the client does not.
    /// </summary>
    private async ValueTask<bool> DiscardAsync()
    {
        var buffer = ArrayPool<byte>.Shared.Rent(FirstBuffer);
        try
        {
            return (await _socket.ReceiveAsync(buffer.AsMemory(), CancellationToken.None)).MessageType is not WebSocketMessageType.Close;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private ValueTask HandleAsync(in ClientMessage message)
    {
        switch (message.Op)
        {
            case ClientOp.Acknowledge:
                Acknowledge(message.Number, message.Seq);
                return default;
            case ClientOp.Beat:
                return default;
            case ClientOp.Subscribe:
                return SubscribeAsync(message);
            case ClientOp.Unsubscribe:
                if (FindViewer(message.Number) is { } viewer)
                    Remove(viewer);
                return default;
            case ClientOp.Authenticate:
                return AuthenticateAsync(message.Token!);
            default:
                Send(ServerMessages.Error("unknown_op"));
                return default;
        }
    }

    private async ValueTask SubscribeAsync(ClientMessage message)
    {
        var (channel, raw) = (message.Channel!, message.Raw);
        var replaced = FindViewer(channel, raw);
        if (replaced is null && ViewerCount >= _server.Options.ChannelsPerConnection)
        {
            Send(ServerMessages.Denied(message.Id, RealtimeCodes.TooManyChannels));
            return;
        }

        var denied = _server.Feeds.TryFindKind(channel, out var kind)
            ? await _server.Access.AuthorizeAsync(kind, Identity.UserId, channel, CancellationToken.None)
            : RealtimeCodes.NotFound;
        if (replaced is not null)
            Remove(replaced);
        if (denied is not null)
        {
            Send(ServerMessages.Denied(message.Id, denied));
            return;
        }

        // A position that can't be read is one that can't be resumed: it came with a page of another version.
        ChannelPosition? from = message.Position is null ? null
            : ChannelPosition.TryParse(message.Position, out var parsed) ? parsed : new ChannelPosition("", 0);
        var viewer = new SocketViewer(this, _server.Feeds.Acquire(channel, raw, kind!), kind!, message.Id, ++_lastNumber) { From = from };
        lock (_gate)
            _viewers.Add(viewer);
        _server.Metrics.Subscribed(1);
        viewer.Feed.Attach(viewer);
    }

    private async ValueTask AuthenticateAsync(string token)
    {
        var identity = await _server.Access.IdentifyAsync(token, CancellationToken.None);
        if (identity is null || identity.UserId != Identity.UserId || identity.SessionId != Identity.SessionId)
        {
            Close(RealtimeCloseCodes.TokenExpired, "token refused");
            return;
        }

        Volatile.Write(ref _identity, identity);
        _server.Heartbeat.Schedule(this, NextTurn());
        SocketViewer[] viewers;
        lock (_gate)
            viewers = [.. _viewers];
        foreach (var viewer in viewers)
        {
            var denied = await _server.Access.AuthorizeAsync(viewer.Kind, identity.UserId, viewer.Feed.Channel, CancellationToken.None);
            if (denied is not null && Remove(viewer))
                Send(ServerMessages.Denied(viewer.Id, denied));
        }

        Send(ServerMessages.Authenticated((int)(identity.ExpiresAt - _server.Time.GetUtcNow()).TotalSeconds));
    }

    private void Acknowledge(int number, long seq)
    {
        lock (_gate)
        {
            if (FindViewer(number) is not { } viewer)
                return;
            _unacknowledged -= viewer.Window.Acknowledge(seq);
            ResumeWaiting();
        }
    }

    /// <summary>Lets viewers go on that had no room and have some now. Under the gate.</summary>
    private void ResumeWaiting()
    {
        foreach (var viewer in _viewers)
        {
            if (viewer.IsWaiting && HasRoomAgain(viewer))
            {
                viewer.IsWaiting = false;
                viewer.Feed.CatchUp(viewer);
            }
        }
    }

    private bool HasRoomAgain(SocketViewer viewer) =>
        viewer.Window.IsLow && _unacknowledged <= _server.Options.ConnectionWindowBytes / 2;

    private bool Refuse(int code, string reason)
    {
        Close(code, reason);
        return true;
    }

    private bool Drop()
    {
        if (++_dropped > 5 * _server.Options.MessageBurst)
            return Refuse(RealtimeCloseCodes.SlowDown, "slow down");
        if (_server.Time.GetElapsedTime(_warned) >= TimeSpan.FromSeconds(1))
        {
            _warned = _server.Time.GetTimestamp();
            Send(ServerMessages.Error("rate_limited", _messages.RetryAfter));
        }

        return true;
    }

    private int ViewerCount
    {
        get
        {
            lock (_gate)
                return _viewers.Count;
        }
    }

    private SocketViewer? FindViewer(int number)
    {
        lock (_gate)
        {
            foreach (var viewer in _viewers)
            {
                if (viewer.Number == number)
                    return viewer;
            }

            return null;
        }
    }

    private SocketViewer? FindViewer(string channel, bool raw)
    {
        lock (_gate)
        {
            foreach (var viewer in _viewers)
            {
                if (viewer.Feed.Raw == raw && string.Equals(viewer.Feed.Channel, channel, StringComparison.Ordinal))
                    return viewer;
            }

            return null;
        }
    }

    private bool Remove(SocketViewer viewer)
    {
        lock (_gate)
        {
            if (!_viewers.Remove(viewer))
                return false;
            viewer.IsRemoved = true;
            _unacknowledged -= viewer.Unacknowledged;
            ResumeWaiting();
        }

        _server.Metrics.Subscribed(-1);
        viewer.Feed.Detach(viewer);
        _server.Feeds.Release(viewer.Feed);
        return true;
    }

    /// <summary>Closes the socket after what is queued; nothing more is sent.</summary>
    private void Close(int code, string reason)
    {
        lock (_gate)
        {
            if (_closeCode != 0 || _broken || _over)
                return;
            (_closeCode, _closeReason, _closingSince) = (code, reason, _server.Time.GetTimestamp());
            _server.Heartbeat.Schedule(this, 1);
            if (_sending)
                return;
            BeginSending();
        }

        if (code != RealtimeCloseCodes.Normal)
        {
            _server.Metrics.Closed(code);
            LogClosing(_server.Logger, _context.TraceIdentifier, Identity.UserId, code, reason);
        }

        SendAll(null, 0);
    }

    /// <summary>Sends a control message and lets go of it.</summary>
    private void Send(SharedFrame message)
    {
        byte[] bytes;
        int length;
        lock (_gate)
        {
            if (_closeCode != 0 || _broken || _over)
            {
                message.Release();
                return;
            }

            if (_sending)
            {
                _queue ??= [];
                if (_queue.Count >= MaxQueuedControls)
                {
                    // It asks and asks and does not read the answers.
                    message.Release();
                    Abort();
                    return;
                }

                _queue.Enqueue(new Outgoing(null, message));
                return;
            }

            BeginSending();
            bytes = Compose(new Outgoing(null, message), out length);
        }

        SendAll(bytes, length);
    }

    private bool TryPush(SocketViewer viewer, SharedFrame frame)
    {
        byte[] bytes;
        int length;
        lock (_gate)
        {
            if (viewer.IsRemoved || _closeCode != 0 || _broken || _over)
                return false;
            var fits = viewer.Window.Fits(frame.Length)
                && (_unacknowledged == 0 || _unacknowledged + frame.Length <= _server.Options.ConnectionWindowBytes);
            if (!fits || (_sending && _queuedFrames >= MaxQueuedFrames))
            {
                viewer.IsWaiting = true;
                _server.Metrics.Stalled();
                return false;
            }

            viewer.Window.Sent(frame.LastSeq, frame.Length);
            _unacknowledged += frame.Length;
            var outgoing = new Outgoing(viewer, frame.AddReference());
            if (_sending)
            {
                (_queue ??= []).Enqueue(outgoing);
                _queuedFrames++;
                return true;
            }

            BeginSending();
            bytes = Compose(outgoing, out length);
        }

        SendAll(bytes, length);
        return true;
    }

    private bool TryBeginCatchUp(SocketViewer viewer)
    {
        lock (_gate)
        {
            viewer.IsWaiting = !HasRoomAgain(viewer);
            return !viewer.IsWaiting;
        }
    }

    private void BeginSending() => (_sending, _sendingSince) = (true, _server.Time.GetTimestamp());

    /// <summary>
    /// Sends what was composed, then what was queued meanwhile, then the close. Nothing is allocated unless the client does
    /// not read: then the rest is done when it does.
    /// </summary>
    private void SendAll(byte[]? bytes, int length)
    {
        try
        {
            while (bytes is not null || TakeNext(out bytes, out length))
            {
                var sending = bytes is null ? SendCloseAsync() : SendAsync(bytes, length);
                if (!sending.IsCompletedSuccessfully)
                {
                    _ = GoOnAsync(sending, bytes, length);
                    return;
                }

                sending.GetAwaiter().GetResult();
                if (bytes is null)
                {
                    EndSending(broken: false);
                    return;
                }

                Sent(bytes, length);
                bytes = null;
            }
        }
        catch (Exception e)
        {
            LogLost(_server.Logger, _context.TraceIdentifier, e.Message);
            EndSending(broken: true);
        }
    }

    private async Task GoOnAsync(ValueTask sending, byte[]? bytes, int length)
    {
        try
        {
            await sending;
        }
        catch (Exception e)
        {
            // What was being sent may still be read from, so that its buffer does not go back.
            LogLost(_server.Logger, _context.TraceIdentifier, e.Message);
            EndSending(broken: true);
            return;
        }

        if (bytes is null)
        {
            EndSending(broken: false);
            return;
        }

        Sent(bytes, length);
        SendAll(null, 0);
    }

    // A cancellable token would take a slow path, and abort the socket when cancelled.
    private ValueTask SendAsync(byte[] bytes, int length) =>
        _socket.SendAsync(bytes.AsMemory(0, length), WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);

    private ValueTask SendCloseAsync() => _socket.State is WebSocketState.Open or WebSocketState.CloseReceived
        ? new(_socket.CloseOutputAsync((WebSocketCloseStatus)_closeCode, _closeReason, CancellationToken.None))
        : default;

    private void Sent(byte[] bytes, int length)
    {
        _server.Metrics.Sent(length);
        ArrayPool<byte>.Shared.Return(bytes);
    }

    /// <summary>
    /// The next message; none, but <see langword="true"/>, when it is time to close. With nothing left the loop has ended,
    /// and whoever comes next begins another.
    /// </summary>
    private bool TakeNext(out byte[]? bytes, out int length)
    {
        lock (_gate)
        {
            (bytes, length) = (null, 0);
            if (_queue is { Count: > 0 })
            {
                var first = _queue.Dequeue();
                if (first.Viewer is not null)
                    _queuedFrames--;
                bytes = Compose(first, out length);
                _sendingSince = _server.Time.GetTimestamp();
                return true;
            }

            if (_closeCode != 0)
                return true;
            _sending = false;
            _sent?.TrySetResult();
            return false;
        }
    }

    private void EndSending(bool broken)
    {
        lock (_gate)
        {
            if (broken)
                Abort();
            _sending = false;
            _sent?.TrySetResult();
        }
    }

    /// <summary>Copies a message together, with the queued ones that follow on the same channel. Under the gate.</summary>
    private byte[] Compose(Outgoing first, out int length)
    {
        const int envelope = 16;
        if (first.Viewer is not { } viewer)
        {
            length = first.Frame.Length;
            var whole = ArrayPool<byte>.Shared.Rent(length);
            first.Frame.Span.CopyTo(whole);
            first.Frame.Release();
            return whole;
        }

        var size = envelope + first.Frame.Length;
        var more = 0;
        if (_queuedFrames > 0 && _queue is not null)
        {
            foreach (var next in _queue)
            {
                if (next.Viewer != viewer)
                    break;
                size += 1 + next.Frame.Length;
                more++;
            }
        }

        var bytes = ArrayPool<byte>.Shared.Rent(size);
        bytes[0] = (byte)'[';
        Utf8Formatter.TryFormat(viewer.Number, bytes.AsSpan(1), out var digits);
        length = 1 + digits;
        bytes[length++] = (byte)',';
        Append(bytes, ref length, first.Frame);
        for (; more > 0; more--)
        {
            bytes[length++] = (byte)',';
            Append(bytes, ref length, _queue!.Dequeue().Frame);
            _queuedFrames--;
        }

        bytes[length++] = (byte)']';
        return bytes;

        static void Append(byte[] bytes, ref int length, SharedFrame frame)
        {
            frame.Span.CopyTo(bytes.AsSpan(length));
            length += frame.Length;
            frame.Release();
        }
    }

    private async Task CleanUpAsync()
    {
        _server.Heartbeat.Cancel(this);
        SocketViewer[] viewers;
        lock (_gate)
            viewers = [.. _viewers];
        foreach (var viewer in viewers)
            Remove(viewer);
        // Answers the client's close, or sends ours; both after what is being sent.
        Close(RealtimeCloseCodes.Normal, "");
        Task sent;
        lock (_gate)
        {
            _sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (!_sending)
                _sent.SetResult();
            sent = _sent.Task;
        }

        try
        {
            await sent.WaitAsync(CloseLimit, _server.Time);
        }
        catch (TimeoutException)
        {
            lock (_gate)
                Abort();
            await sent;
        }

        lock (_gate)
        {
            _over = true;
            while (_queue?.TryDequeue(out var left) is true)
                left.Frame.Release();
        }

        _server.Heartbeat.Cancel(this);
        _socket.Dispose();
    }

    /// <summary>Ends the connection without a word. Under the gate, so never after the request has ended.</summary>
    private void Abort()
    {
        if (_over)
            return;
        _broken = true;
        if (_closingSince == 0)
            _closingSince = _server.Time.GetTimestamp();
        _context.Abort();
    }

    [LoggerMessage(1, LogLevel.Debug, "Socket {ConnectionId} is gone: {Reason}")]
    private static partial void LogLost(ILogger logger, string connectionId, string reason);

    [LoggerMessage(2, LogLevel.Information, "Closing socket {ConnectionId} of user {UserId} with {Code}: {Reason}")]
    private static partial void LogClosing(ILogger logger, string connectionId, Guid userId, int code, string reason);

    /// <summary>A control message (no viewer), or a frame of events for a viewer.</summary>
    private readonly record struct Outgoing(SocketViewer? Viewer, SharedFrame Frame);

    /// <summary>One channel of this connection.</summary>
    private sealed class SocketViewer(RealtimeConnection connection, ChannelFeed feed, IChannelKind kind, int id, int number) : FeedViewer
    {
        private CreditWindow? _window;

        public ChannelFeed Feed => feed;

        public IChannelKind Kind => kind;

        /// <summary>The client's number for its request.</summary>
        public int Id => id;

        /// <summary>The channel's number on the wire.</summary>
        public int Number => number;

        /// <summary>Made with the first frame: most channels of most connections are silent.</summary>
        public CreditWindow Window => _window ??= new(connection._server.Options.ChannelWindowBytes);

        public int Unacknowledged => _window?.Used ?? 0;

        /// <summary>Whether it had no room and the feed is to hear when it has. Under the connection's gate.</summary>
        public bool IsWaiting { get; set; }

        /// <summary>Whether the client is done with it, though the feed may not know yet.</summary>
        public bool IsRemoved { get; set; }

        public override bool TryBeginCatchUp() => connection.TryBeginCatchUp(this);

        public override bool TryPush(SharedFrame frame) => connection.TryPush(this, frame);

        public override void OnAttached(ChannelPosition position, bool recovered) =>
            Tell(ServerMessages.Subscribed(id, number, position, recovered));

        public override void OnReset(ChannelPosition head, string code) =>
            Tell(ServerMessages.Reset(number, head, code));

        public override void OnUnavailable()
        {
            if (connection.Remove(this))
                connection.Send(ServerMessages.Denied(id, RealtimeCodes.Unavailable));
        }

        private void Tell(SharedFrame message)
        {
            if (IsRemoved)
                message.Release();
            else
                connection.Send(message);
        }
    }
}
