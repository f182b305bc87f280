using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace SevenX42.Testing;

/// <summary>A proxy before a local server, whose connections can go silent: they stay open, and nothing comes through to the client.</summary>
public sealed class TcpProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly int _target;
    private readonly ConcurrentBag<Connection> _connections = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;

    private TcpProxy(int target)
    {
        _target = target;
        _listener.Start();
        _loop = AcceptAsync();
    }

    /// <summary>Where it listens, as <c>host:port</c>.</summary>
    public string Address => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

    /// <summary>Begins to forward to a port of 127.0.0.1.</summary>
    public static TcpProxy Start(int target) => new(target);

    /// <summary>Silences the connections there are whose client has said a word.</summary>
    /// <returns>How many they are.</returns>
    public int Silence(string word)
    {
        var silenced = _connections.Where(c => !c.IsSilent && c.HasSaid(word)).ToList();
        foreach (var connection in silenced)
            connection.IsSilent = true;
        return silenced.Count;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _loop;
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        var connections = new List<Task>();
        try
        {
            while (true)
                connections.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(connections);
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var server = new TcpClient();
        using (client)
        {
            var connection = new Connection();
            _connections.Add(connection);
            try
            {
                await server.ConnectAsync(IPAddress.Loopback, _target, _stop.Token);
                using var end = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
                var first = await Task.WhenAny(
                    PumpAsync(client, server, connection.Hear, end.Token), PumpAsync(server, client, _ => !connection.IsSilent, end.Token));
                await end.CancelAsync();
                await first;
            }
            catch (Exception e) when (e is OperationCanceledException or IOException or SocketException)
            {
                // One of the two has gone.
            }
        }
    }

    private static async Task PumpAsync(TcpClient from, TcpClient to, Func<ReadOnlyMemory<byte>, bool> passes, CancellationToken cancellationToken)
    {
        var buffer = new byte[64 * 1024];
        while (await from.GetStream().ReadAsync(buffer, cancellationToken) is var count and > 0)
        {
            if (passes(buffer.AsMemory(0, count)))
                await to.GetStream().WriteAsync(buffer.AsMemory(0, count), cancellationToken);
        }
    }

    private sealed class Connection
    {
        private readonly StringBuilder _said = new();

        public bool IsSilent { get; set; }

        public bool HasSaid(string word)
        {
            lock (_said)
                return _said.ToString().Contains(word, StringComparison.Ordinal);
        }

        public bool Hear(ReadOnlyMemory<byte> bytes)
        {
            lock (_said)
                _said.Append(Encoding.Latin1.GetString(bytes.Span));
            return true;
        }
    }
}
