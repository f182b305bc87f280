using System.Net;
using System.Net.Sockets;
using Npgsql;
using SevenX42.Realtime;

namespace SevenX42.Modules.Generation.Tests;

/// <summary>
/// Freezes a worker as SIGSTOP does, or cuts it off as a broken network does: its database connections run through here,
/// and so do its appends to the channel log.
/// </summary>
internal sealed class Frozen : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly NpgsqlConnectionStringBuilder _target;
    private readonly Lock _lock = new();
    private readonly List<TcpClient> _clients = [];
    private TaskCompletionSource _thawed = new();
    private bool _refusing;

    public Frozen(string connectionString)
    {
        _target = new NpgsqlConnectionStringBuilder(connectionString);
        _thawed.SetResult();
        _listener.Start();
        ConnectionString = new NpgsqlConnectionStringBuilder(connectionString)
        {
            Host = "127.0.0.1",
            Port = ((IPEndPoint)_listener.LocalEndpoint).Port,
            SslMode = SslMode.Disable,
        }.ConnectionString;
        _ = AcceptAsync();
    }

    /// <summary>For the worker that is to be frozen.</summary>
    public string ConnectionString { get; }

    /// <summary>The log for the worker that is to be frozen.</summary>
    public IChannelLog Wrap(IChannelLog log) => new FrozenLog(this, log);

    /// <summary>Nothing gets through any more, and nobody is told.</summary>
    public void Freeze()
    {
        lock (_lock)
            _thawed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>Everything that was held up goes on.</summary>
    public void Thaw()
    {
        lock (_lock)
            _thawed.TrySetResult();
    }

    /// <summary>The database is gone: connections break, and new ones are refused.</summary>
    public void Cut()
    {
        lock (_lock)
        {
            _refusing = true;
            foreach (var client in _clients)
                client.Dispose();
            _clients.Clear();
        }
    }

    /// <summary>The frozen one is let die: what it still tries fails at once.</summary>
    public void Bury()
    {
        Cut();
        Thaw();
    }

    /// <summary>The database is back.</summary>
    public void Mend()
    {
        lock (_lock)
            _refusing = false;
    }

    public async ValueTask DisposeAsync()
    {
        Thaw();
        await _stopping.CancelAsync();
        _listener.Stop();
        Cut();
        _stopping.Dispose();
    }

    private Task Thawed()
    {
        lock (_lock)
            return _thawed.Task;
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _ = ServeAsync(await _listener.AcceptTcpClientAsync(_stopping.Token));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The end.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            using Socket server = _target.Host!.StartsWith('/')
                ? new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
                : new(SocketType.Stream, ProtocolType.Tcp);
            lock (_lock)
            {
                if (_refusing)
                    return;
                _clients.Add(client);
            }

            try
            {
                await (_target.Host.StartsWith('/')
                    ? server.ConnectAsync(new UnixDomainSocketEndPoint($"{_target.Host}/.s.PGSQL.{_target.Port}"))
                    : server.ConnectAsync(_target.Host, _target.Port));
                await using var there = new NetworkStream(server);
                var here = client.GetStream();
                await Task.WhenAny(PumpAsync(here, there), PumpAsync(there, here));
            }
            catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
            {
                // Cut.
            }
        }
    }

    private async Task PumpAsync(NetworkStream from, NetworkStream to)
    {
        var buffer = new byte[16 * 1024];
        try
        {
            while (await from.ReadAsync(buffer, _stopping.Token) is var read and > 0)
            {
                await Thawed();
                await to.WriteAsync(buffer.AsMemory(0, read), _stopping.Token);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // Cut.
        }
    }

    private sealed class FrozenLog(Frozen owner, IChannelLog log) : IChannelLog
    {
        public async ValueTask<AppendResult> AppendAsync(
            string channel, IReadOnlyList<NewChannelEvent> events, Fence? fence, CancellationToken cancellationToken)
        {
            await owner.Thawed();
            return await log.AppendAsync(channel, events, fence, CancellationToken.None);
        }

        public ValueTask<ChannelRead> ReadAsync(
            string channel, ChannelPosition from, int maxEvents, List<ChannelEvent> into, CancellationToken cancellationToken) =>
            log.ReadAsync(channel, from, maxEvents, into, cancellationToken);

        public ValueTask<ChannelRead> ReadRetainedAsync(string channel, List<ChannelEvent> into, CancellationToken cancellationToken) =>
            log.ReadRetainedAsync(channel, into, cancellationToken);

        public ValueTask<ChannelPosition> GetPositionAsync(string channel, CancellationToken cancellationToken) =>
            log.GetPositionAsync(channel, cancellationToken);

        public IDisposable Subscribe(string channel, Action wake) => log.Subscribe(channel, wake);
    }
}

/// <summary>A channel log that is away at times; some of the appends that fail were written all the same.</summary>
internal sealed class FlakyLog(
    IChannelLog log, Func<int, bool> fails, Func<int, bool> writesAllTheSame, Func<Exception>? fault = null) : IChannelLog
{
    private int _appends;

    public int Appends => _appends;

    public async ValueTask<AppendResult> AppendAsync(
        string channel, IReadOnlyList<NewChannelEvent> events, Fence? fence, CancellationToken cancellationToken)
    {
        var n = Interlocked.Increment(ref _appends);
        if (!fails(n))
            return await log.AppendAsync(channel, events, fence, cancellationToken);
        if (writesAllTheSame(n))
            await log.AppendAsync(channel, events, fence, cancellationToken);
        throw fault?.Invoke() ?? new ChannelLogUnavailableException("Away.");
    }

    public ValueTask<ChannelRead> ReadAsync(
        string channel, ChannelPosition from, int maxEvents, List<ChannelEvent> into, CancellationToken cancellationToken) =>
        log.ReadAsync(channel, from, maxEvents, into, cancellationToken);

    public ValueTask<ChannelRead> ReadRetainedAsync(string channel, List<ChannelEvent> into, CancellationToken cancellationToken) =>
        log.ReadRetainedAsync(channel, into, cancellationToken);

    public ValueTask<ChannelPosition> GetPositionAsync(string channel, CancellationToken cancellationToken) =>
        log.GetPositionAsync(channel, cancellationToken);

    public IDisposable Subscribe(string channel, Action wake) => log.Subscribe(channel, wake);
}

/// <summary>A clock that is wrong, with timers that are right.</summary>
internal sealed class WrongClock(TimeSpan off) : TimeProvider
{
    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + off;
}
