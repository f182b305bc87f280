using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;

namespace SevenX42.Testing;

/// <summary>One event as a client gets it.</summary>
/// <param name="Seq">Position the client has come to with it.</param>
/// <param name="Type">Event type.</param>
/// <param name="Data">Its JSON.</param>
public sealed record RealtimeEvent(long Seq, string Type, JsonElement Data);

/// <summary>
/// Speaks <c>7x42.v1</c> over a real socket, message by message. It answers beats and acknowledges what it reads unless told
/// otherwise, and hands out messages in the order they came.
/// </summary>
public sealed class RealtimeClient : IAsyncDisposable
{
    internal static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly ClientWebSocket _socket;
    private TimeSpan _patience = Limit;
    private readonly Channel<JsonElement> _inbox = System.Threading.Channels.Channel.CreateUnbounded<JsonElement>();
    private readonly List<JsonElement> _passedOver = [];
    private readonly TaskCompletionSource _gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SemaphoreSlim _sending = new(1);
    private readonly Task _reader;
    private int _lastId;

    private RealtimeClient(ClientWebSocket socket, bool read)
    {
        _socket = socket;
        if (read)
            _gate.SetResult();
        _reader = Task.Run(ReadAsync);
    }

    /// <summary>Whether to acknowledge every frame of events at once.</summary>
    public bool Acknowledges { get; set; } = true;

    /// <summary>Whether to answer beats.</summary>
    public bool AnswersBeats { get; set; } = true;

    /// <summary>The subprotocol that the server chose.</summary>
    public string? Subprotocol => _socket.SubProtocol;

    /// <summary>Payload bytes received.</summary>
    public long BytesReceived { get; private set; }

    /// <summary>Tries to connect.</summary>
    /// <param name="server">The server's address.</param>
    /// <param name="token">Sent as subprotocol; none when <see langword="null"/>.</param>
    /// <param name="origin">Origin header; the server's own when <see langword="null"/>, none when empty.</param>
    /// <param name="protocols">Subprotocols instead of <c>7x42.v1</c>.</param>
    /// <param name="read">Whether to read what comes; <see langword="false"/> until <see cref="StartReading"/>.</param>
    /// <param name="http2">Whether to connect over HTTP/2.</param>
    /// <returns>The client, or the status that refused it.</returns>
    public static async Task<(RealtimeClient? Client, HttpStatusCode Status)> TryConnectAsync(
        Uri server,
        string? token,
        string? origin = null,
        IEnumerable<string>? protocols = null,
        bool read = true,
        bool http2 = false)
    {
        var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        socket.Options.KeepAliveInterval = TimeSpan.Zero;
        foreach (var protocol in protocols ?? ["7x42.v1"])
            socket.Options.AddSubProtocol(protocol);
        if (token is not null)
            socket.Options.AddSubProtocol($"jwt.{token}");
        if (origin is not "")
            socket.Options.SetRequestHeader("Origin", origin ?? server.GetLeftPart(UriPartial.Authority));
        if (http2)
        {
            socket.Options.HttpVersion = HttpVersion.Version20;
            socket.Options.HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        }

        using var limit = new CancellationTokenSource(Limit);
        try
        {
            var address = new UriBuilder(server) { Scheme = server.Scheme == "https" ? "wss" : "ws", Path = "/realtime" }.Uri;
            using var invoker = new HttpMessageInvoker(new SocketsHttpHandler { EnableMultipleHttp2Connections = true }, disposeHandler: false);
            await socket.ConnectAsync(address, http2 ? invoker : null, limit.Token);
            return (new RealtimeClient(socket, read), socket.HttpStatusCode);
        }
        catch (WebSocketException) when (socket.HttpStatusCode != 0)
        {
            var status = socket.HttpStatusCode;
            socket.Dispose();
            return (null, status);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Connects, reads <c>hello</c> and fails when it can't.</summary>
    /// <param name="server">The server's address.</param>
    /// <param name="token">Sent as subprotocol.</param>
    /// <param name="http2">Whether to connect over HTTP/2.</param>
    /// <param name="patience">How long to wait for a message.</param>
    public static async Task<RealtimeClient> ConnectAsync(Uri server, string token, bool http2 = false, TimeSpan? patience = null)
    {
        var (client, status) = await TryConnectAsync(server, token, http2: http2);
        if (client is null)
            throw new HttpRequestException($"The server refused the socket with {status}.", inner: null, status);
        client._patience = patience ?? Limit;
        try
        {
            await client.NextAsync("hello");
            return client;
        }
        catch
        {
            // Nobody else would end it, and it would answer beats for ever.
            client.Abort();
            await client.DisposeAsync();
            throw;
        }
    }

    /// <summary>Begins to read, after a connect without.</summary>
    public void StartReading() => _gate.TrySetResult();

    /// <summary>Subscribes; the answer comes by <see cref="NextAsync(string)"/>.</summary>
    /// <returns>The id in the request.</returns>
    public async Task<int> SubscribeAsync(string channel, string? position = null, bool raw = false)
    {
        var id = Interlocked.Increment(ref _lastId);
        await SendAsync(raw
            ? JsonSerializer.Serialize(new { op = "sub", id, ch = channel, pos = position, @as = "raw" })
            : JsonSerializer.Serialize(new { op = "sub", id, ch = channel, pos = position }));
        return id;
    }

    /// <summary>Subscribes and waits until it stands.</summary>
    /// <returns>The channel's number, the position, and whether everything since the asked-for position comes.</returns>
    public async Task<(int Number, string Position, bool Recovered)> SubscribedAsync(string channel, string? position = null, bool raw = false)
    {
        var id = await SubscribeAsync(channel, position, raw);
        var answer = await NextAsync(m => Is(m, "subbed", id) || Is(m, "denied", id));
        if (OpOf(answer) == "denied")
            throw new InvalidOperationException($"Denied: {answer.GetProperty("code").GetString()}.");
        return (answer.GetProperty("c").GetInt32(), answer.GetProperty("pos").GetString()!, answer.GetProperty("recovered").GetBoolean());

        static bool Is(JsonElement message, string op, int id) =>
            OpOf(message) == op && message.GetProperty("id").GetInt32() == id;
    }

    /// <summary>Acknowledges a channel up to a sequence number.</summary>
    public Task AcknowledgeAsync(int number, long seq) => SendAsync($$"""{"op":"ack","c":{{number}},"seq":{{seq}}}""");

    /// <summary>Sends a text message as it is.</summary>
    public Task SendAsync(string text) => SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true);

    /// <summary>Sends a frame.</summary>
    public async Task SendAsync(byte[] bytes, WebSocketMessageType type, bool endOfMessage)
    {
        using var limit = new CancellationTokenSource(Limit);
        await _sending.WaitAsync(limit.Token);
        try
        {
            await _socket.SendAsync(bytes, type, endOfMessage, limit.Token);
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <summary>The next message with this <c>op</c>; others are kept for later.</summary>
    public Task<JsonElement> NextAsync(string op) =>
        NextAsync(m => OpOf(m) == op);

    /// <summary>The next message that fits; others are kept for later.</summary>
    /// <exception cref="TimeoutException">None came.</exception>
    /// <exception cref="ChannelClosedException">The socket was closed before.</exception>
    public async Task<JsonElement> NextAsync(Predicate<JsonElement> fits)
    {
        var kept = _passedOver.FindIndex(fits);
        if (kept >= 0)
        {
            var message = _passedOver[kept];
            _passedOver.RemoveAt(kept);
            return message;
        }

        using var limit = new CancellationTokenSource(_patience);
        try
        {
            while (true)
            {
                var message = await _inbox.Reader.ReadAsync(limit.Token);
                if (fits(message))
                    return message;
                _passedOver.Add(message);
            }
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"No such message came; there were: {string.Join(' ', _passedOver)}");
        }
    }

    /// <summary>The events of the next frame of a channel.</summary>
    public async Task<IReadOnlyList<RealtimeEvent>> EventsAsync(int number) =>
        Events(await NextAsync(m => ChannelOf(m) == number));

    /// <summary>The channel number of a frame of events; <see langword="null"/> for a control message.</summary>
    public static int? ChannelOf(JsonElement message) => message.ValueKind is JsonValueKind.Array ? message[0].GetInt32() : null;

    /// <summary>What has come and nobody took, without waiting.</summary>
    public IReadOnlyList<JsonElement> Pending()
    {
        while (_inbox.Reader.TryRead(out var message))
            _passedOver.Add(message);
        return [.. _passedOver];
    }

    /// <summary>Waits until the server closes the socket.</summary>
    /// <returns>The close code; <see langword="null"/> when the connection ended without one.</returns>
    public async Task<int?> ClosedAsync()
    {
        await _reader.WaitAsync(Limit);
        return (int?)_socket.CloseStatus;
    }

    /// <summary>Reads the events of a frame.</summary>
    public static IReadOnlyList<RealtimeEvent> Events(JsonElement frame) =>
        EventsIn(frame.EnumerateArray().Skip(1));

    /// <summary>Reads events as they stand in frames and in the answers to polls: <c>[seq,"type",data]</c>.</summary>
    public static List<RealtimeEvent> EventsIn(IEnumerable<JsonElement> events) =>
        [.. events.Select(e => new RealtimeEvent(e[0].GetInt64(), e[1].GetString()!, e[2]))];

    /// <summary>The kind of a control message; <see langword="null"/> for a frame of events.</summary>
    public static string? OpOf(JsonElement message) =>
        message.ValueKind is JsonValueKind.Object && message.TryGetProperty("op", out var op) ? op.GetString() : null;

    /// <summary>Cuts the connection without a word.</summary>
    public void Abort() => _socket.Abort();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _gate.TrySetResult();
        if (_socket.State is WebSocketState.Open)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            try
            {
                await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, limit.Token);
                await _reader.WaitAsync(limit.Token);
            }
            catch (Exception e) when (e is WebSocketException or OperationCanceledException)
            {
                _socket.Abort();
            }
        }

        _socket.Abort();
        await _reader;
        _socket.Dispose();
        _sending.Dispose();
    }

    private async Task ReadAsync()
    {
        await _gate.Task;
        var buffer = new byte[64 * 1024];
        try
        {
            using var message = new MemoryStream();
            while (true)
            {
                var received = await _socket.ReceiveAsync(buffer.AsMemory(), CancellationToken.None);
                if (received.MessageType is WebSocketMessageType.Close)
                    break;
                message.Write(buffer, 0, received.Count);
                if (!received.EndOfMessage)
                    continue;
                BytesReceived += message.Length;
                using var document = JsonDocument.Parse(message.GetBuffer().AsMemory(0, (int)message.Length));
                message.SetLength(0);
                await TakeAsync(document.RootElement.Clone());
            }

            if (_socket.State is WebSocketState.CloseReceived)
                await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or ObjectDisposedException)
        {
            // Cut: CloseStatus says as much.
        }
        finally
        {
            _inbox.Writer.TryComplete();
        }
    }

    private async Task TakeAsync(JsonElement message)
    {
        var op = OpOf(message);
        _inbox.Writer.TryWrite(message);
        if (op == "beat" && AnswersBeats)
            await SendAsync("""{"op":"beat"}""");
        else if (ChannelOf(message) is { } number && Acknowledges)
            await AcknowledgeAsync(number, Events(message)[^1].Seq);
    }
}
