using System.Collections.Concurrent;
using System.Net;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace SevenX42.Modules.Identity.Infrastructure.Sessions;

/// <summary>A session that counts, and who it belongs to.</summary>
internal sealed record ActiveSession(
    Guid Id, Guid UserId, string DisplayName, bool IsGuest, bool IsAdministrator, DateTimeOffset LastSeenAt, DateTimeOffset ExpiresAt);

/// <summary>
/// Which sessions count, asked on every request. Answers are kept for <see cref="Freshness"/>, so that is how long another
/// replica may take to notice that a session was ended; this process notices at once.
/// </summary>
internal sealed class SessionCache(IServiceScopeFactory scopes, IOptions<IdentitySettings> settings, TimeProvider time)
{
    public static readonly TimeSpan Freshness = TimeSpan.FromSeconds(2);

    /// <summary>How exact "last seen" is: a busy session is written this often and not at every request.</summary>
    public static readonly TimeSpan TouchInterval = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<Guid, Entry> _entries = new();
    private long _sweptAt = time.GetTimestamp();

    /// <summary>The session, or <see langword="null"/> when it has ended or never was.</summary>
    /// <param name="sessionId">The session.</param>
    /// <param name="address">Where the request comes from, to be shown in the list of sessions.</param>
    /// <param name="cancellationToken">Ends the wait, not the look-up, which others may wait for too.</param>
    public async ValueTask<ActiveSession?> FindAsync(Guid sessionId, IPAddress? address, CancellationToken cancellationToken)
    {
        Sweep();
        Entry entry;
        while (true)
        {
            entry = _entries.GetOrAdd(sessionId, static (id, x) => new Entry(x.Cache, id, x.Address), (Cache: this, Address: address));
            if (!entry.IsStale(time))
                break;
            // Somebody else may have replaced it already; then theirs is taken.
            _entries.TryRemove(new(sessionId, entry));
        }

        var load = entry.Session;
        try
        {
            var session = await load.WaitAsync(cancellationToken);
            return session?.ExpiresAt > time.GetUtcNow() ? session : null;
        }
        finally
        {
            if (load.IsFaulted)
                _entries.TryRemove(new(sessionId, entry));
        }
    }

    /// <summary>Forgets a session that was changed. Call it after the commit.</summary>
    public void Forget(Guid sessionId) => _entries.TryRemove(sessionId, out _);

    private async Task<ActiveSession?> LoadAsync(Guid sessionId, IPAddress? address)
    {
        await using var scope = scopes.CreateAsyncScope();
        var context = scope.ServiceProvider.GetRequiredService<IdentityDbContext>();
        var now = time.GetUtcNow();
        var session = await context.Sessions
            .Where(s => s.Id == sessionId && s.RevokedAt == null && s.ExpiresAt > now)
            .Join(context.Users, s => s.UserId, u => u.Id, (s, u) =>
                new ActiveSession(s.Id, u.Id, u.DisplayName, u.IsGuest, u.IsAdministrator, s.LastSeenAt, s.ExpiresAt))
            .SingleOrDefaultAsync();
        if (session is null || now - session.LastSeenAt < TouchInterval)
            return session;

        var expiresAt = now + settings.Value.LifetimeOf(session.IsGuest);
        await context.Database.ExecuteSqlAsync(
            $"""
            WITH touched AS (
                UPDATE identity.sessions SET last_seen_at = {now}, expires_at = {expiresAt}, address = coalesce({address}, address)
                WHERE id = {sessionId} AND revoked_at IS NULL
                RETURNING user_id)
            UPDATE identity.users SET last_seen_at = {now} WHERE id IN (SELECT user_id FROM touched)
            """);
        return session with { LastSeenAt = now, ExpiresAt = expiresAt };
    }

    private void Sweep()
    {
        var last = Volatile.Read(ref _sweptAt);
        if (time.GetElapsedTime(last) < SweepInterval || Interlocked.CompareExchange(ref _sweptAt, time.GetTimestamp(), last) != last)
            return;
        foreach (var pair in _entries)
        {
            if (pair.Value.IsStale(time))
                _entries.TryRemove(pair);
        }
    }

    /// <summary>One look-up, begun by the first who asks and shared by all who ask while it is fresh.</summary>
    private sealed class Entry(SessionCache cache, Guid sessionId, IPAddress? address)
    {
        private readonly long _begunAt = cache.Now;
        private readonly Lazy<Task<ActiveSession?>> _session = new(() => cache.LoadAsync(sessionId, address));

        public Task<ActiveSession?> Session => _session.Value;

        public bool IsStale(TimeProvider time) => time.GetElapsedTime(_begunAt) >= Freshness;
    }

    private long Now => time.GetTimestamp();
}
