using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace SevenX42.Testing;

/// <summary>
/// A proxy before servers of this machine, whose connections can be cut, held up (nobody reads what comes for the client, until it goes on),
/// go silent (they stay open, and nothing comes through to the client), or go dead (nothing comes through either way, and neither side hears
/// that the other has gone).
/// </summary>
public sealed class TcpProxy : IAsyncDisposable
{
    private const int MostRemembered = 16 * 1024;
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(50);

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Func<EndPoint?> _target;
    private readonly ConcurrentDictionary<Connection, Task> _connections = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;
    private string? _fatal;

    private TcpProxy(Func<EndPoint?> target)
    {
        _target = target;
        _listener.Start(backlog: 2_000);
        _loop = AcceptAsync();
    }

    /// <summary>Its port of 127.0.0.1.</summary>
    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Where it listens, as <c>host:port</c>.</summary>
    public string Address => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Port}");

    /// <summary>Begins to forward to a port of 127.0.0.1.</summary>
    public static TcpProxy Start(int target) => Start(() => new IPEndPoint(IPAddress.Loopback, target));

    /// <summary>Begins to forward, each connection to wherever it is said then; who finds nobody there waits and asks again.</summary>
    public static TcpProxy Start(Func<EndPoint?> target) => new(target);

    /// <summary>Silences the connections there are whose client has said a word, among the first that it said.</summary>
    /// <returns>How many they are.</returns>
    public int Silence(string word) => Each(c => !c.IsSilent && c.HasSaid(word), c => c.IsSilent = true);

    /// <summary>Silences the first connection whose client says a word, as soon as it has: what it asks for is taken, and not answered.</summary>
    public void SilenceUpon(string word) => _fatal = word;

    /// <summary>Lets some of the connections read nothing of what comes for their clients, until a task is over; then they go on with all of it.</summary>
    /// <returns>How many they are.</returns>
    public int HoldUp(Func<bool> which, Task until) => Each(_ => which(), c => c.HeldUp = until);

    /// <summary>Lets some of the connections go dead.</summary>
    /// <returns>How many they are.</returns>
    public int Deaden(Func<bool> which) => Each(c => !c.IsDead && which(), c => c.IsDead = true);

    /// <summary>Cuts some of the connections: both sides hear of it.</summary>
    /// <returns>How many they are.</returns>
    public int Cut(Func<bool> which) => Each(_ => which(), c => c.Cut());

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _loop;
        await Task.WhenAll(_connections.Values);
        _stop.Dispose();
    }

    private int Each(Func<Connection, bool> which, Action<Connection> then)
    {
        var chosen = _connections.Keys.Where(which).ToList();
        chosen.ForEach(then);
        return chosen.Count;
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var connection = new Connection(await _listener.AcceptTcpClientAsync(_stop.Token), OnSaid);
                // Known before it is over.
                var begin = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                _connections[connection] = ServeAsync(connection, begin.Task);
                begin.SetResult();
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Nobody is accepted any more.
        }
    }

    /// <summary>Before it goes on to the server.</summary>
    private void OnSaid(Connection connection)
    {
        if (Volatile.Read(ref _fatal) is { } word && connection.HasSaid(word) && Interlocked.CompareExchange(ref _fatal, null, word) == word)
            connection.IsSilent = true;
    }

    private async Task ServeAsync(Connection connection, Task begin)
    {
        await begin;
        try
        {
            await connection.ForwardAsync(await ConnectAsync(connection), _stop.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or SocketException or ObjectDisposedException)
        {
            // One of the two has gone.
        }
        finally
        {
            connection.Dispose();
            _connections.TryRemove(connection, out _);
        }
    }

    private async Task<Socket> ConnectAsync(Connection connection)
    {
        while (true)
        {
            connection.ThrowIfCut();
            var target = _target();
            if (target is not null)
            {
                var protocol = target is UnixDomainSocketEndPoint ? ProtocolType.Unspecified : ProtocolType.Tcp;
                var server = new Socket(target.AddressFamily, SocketType.Stream, protocol);
                try
                {
                    await server.ConnectAsync(target, _stop.Token);
                    return server;
                }
                catch (SocketException)
                {
                    server.Dispose();
                }
                catch
                {
                    server.Dispose();
                    throw;
                }
            }

            await Task.Delay(RetryDelay, TimeProvider.System, _stop.Token);
        }
    }

    private sealed class Connection(TcpClient client, Action<Connection> onSaid) : IDisposable
    {
        private readonly StringBuilder _said = new();
        private readonly CancellationTokenSource _cut = new();

        public bool IsSilent { get; set; }

        public bool IsDead { get; set; }

        /// <summary>Until when nothing is read for the client.</summary>
        public Task HeldUp { get; set; } = Task.CompletedTask;

        public bool HasSaid(string word)
        {
            lock (_said)
                return _said.ToString().Contains(word, StringComparison.Ordinal);
        }

        public void Cut()
        {
            try
            {
                _cut.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // It was over already.
            }
        }

        public void ThrowIfCut() => _cut.Token.ThrowIfCancellationRequested();

        public async Task ForwardAsync(Socket server, CancellationToken cancellationToken)
        {
            using (server)
            {
                using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _cut.Token);
                Task[] directions =
                [
                    PumpAsync(client.Client, server, bytes => new(!IsDead && Hear(bytes)), end.Token),
                    PumpAsync(server, client.Client, PassesToClientAsync, end.Token),
                ];
                await Task.WhenAny(directions);
                // Nobody hears of the other's end where nothing comes through.
                if (IsDead)
                    await Task.WhenAll(directions);
                if (_cut.IsCancellationRequested)
                {
                    // Not a word of farewell: a reset.
                    client.Client.LingerState = new LingerOption(enable: true, seconds: 0);
                    if (server.AddressFamily is not AddressFamily.Unix)
                        server.LingerState = new LingerOption(enable: true, seconds: 0);
                }

                await end.CancelAsync();
                foreach (var direction in directions)
                    await direction.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        public void Dispose()
        {
            client.Dispose();
            _cut.Dispose();
        }

        private static async Task PumpAsync(
            Socket from, Socket to, Func<ReadOnlyMemory<byte>, ValueTask<bool>> passes, CancellationToken cancellationToken)
        {
            var buffer = new byte[16 * 1024];
            while (await from.ReceiveAsync(buffer.AsMemory(), cancellationToken) is var count and > 0)
            {
                if (!await passes(buffer.AsMemory(0, count)))
                    continue;
                for (var sent = 0; sent < count;)
                    sent += await to.SendAsync(buffer.AsMemory(sent, count - sent), cancellationToken);
            }
        }

        private async ValueTask<bool> PassesToClientAsync(ReadOnlyMemory<byte> bytes)
        {
            // Who is cut meanwhile need not wait for it.
            await HeldUp.WaitAsync(_cut.Token);
            return !IsSilent && !IsDead;
        }

        private bool Hear(ReadOnlyMemory<byte> bytes)
        {
            lock (_said)
            {
                if (_said.Length < MostRemembered)
                    _said.Append(Encoding.Latin1.GetString(bytes.Span));
            }

            onSaid(this);
            return true;
        }
    }
}
