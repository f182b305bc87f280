using SevenX42.Contracts.Identity;

namespace SevenX42.Host.Realtime;

/// <summary>Someone connected: a socket or a waiting poll.</summary>
internal interface IRealtimeClient
{
    /// <summary>Who it is.</summary>
    RealtimeIdentity Identity { get; }

    /// <summary>Ends it, because its session has ended.</summary>
    void SignOut();

    /// <summary>Ends it, because the process stops. It should wait that long before it comes back.</summary>
    void Drain(TimeSpan comeBackAfter);
}

/// <summary>Everyone connected to this replica.</summary>
internal sealed class RealtimeClients(TimeProvider time)
{
    // Longer than any token lives, so that no token of an ended session gets in here again.
    private static readonly TimeSpan RememberEnded = TimeSpan.FromHours(1);

    private readonly Lock _gate = new();
    private readonly HashSet<IRealtimeClient> _clients = [];
    private readonly Dictionary<Guid, long> _ended = [];
    private bool _draining;

    /// <summary>How many are connected.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
                return _clients.Count;
        }
    }

    /// <summary>Whether the process stops and lets nobody in any more.</summary>
    public bool IsDraining => Volatile.Read(ref _draining);

    /// <summary>Adds a client that is to hear of its session's end.</summary>
    /// <returns><see langword="false"/> when the process stops: nobody would tell it.</returns>
    public bool TryAdd(IRealtimeClient client)
    {
        lock (_gate)
            return !_draining && _clients.Add(client);
    }

    public void Remove(IRealtimeClient client)
    {
        lock (_gate)
            _clients.Remove(client);
    }

    public IRealtimeClient[] Snapshot()
    {
        lock (_gate)
            return [.. _clients];
    }

    /// <summary>Lets nobody in any more.</summary>
    /// <returns>Who is in.</returns>
    public IRealtimeClient[] BeginDraining()
    {
        lock (_gate)
        {
            _draining = true;
            return [.. _clients];
        }
    }

    /// <summary>Whether a session is known to have ended, though a token of it may still be valid.</summary>
    public bool HasEnded(Guid sessionId)
    {
        lock (_gate)
            return _ended.ContainsKey(sessionId);
    }

    public void RememberAsEnded(IEnumerable<Guid> sessions)
    {
        var now = time.GetTimestamp();
        lock (_gate)
        {
            foreach (var session in sessions)
                _ended[session] = now;
            foreach (var (session, since) in _ended)
            {
                if (time.GetElapsedTime(since, now) > RememberEnded)
                    _ended.Remove(session);
            }
        }
    }
}
