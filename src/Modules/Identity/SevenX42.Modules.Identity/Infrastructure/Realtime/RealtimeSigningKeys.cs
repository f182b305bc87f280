using System.Collections.Frozen;
using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.Tokens;

namespace SevenX42.Modules.Identity.Infrastructure.Realtime;

/// <summary>
/// The keys that real-time tokens are signed with. They are in memory, so that neither making nor checking a token asks
/// the database; <see cref="RefreshAsync"/> renews them now and then.
/// </summary>
internal sealed partial class RealtimeSigningKeys(
    IServiceScopeFactory scopes, IDataProtectionProvider dataProtection, TimeProvider time, ILogger<RealtimeSigningKeys> logger) : IDisposable
{
    public static readonly TimeSpan RefreshInterval = TimeSpan.FromMinutes(5);
    public static readonly TimeSpan RotationInterval = TimeSpan.FromDays(30);

    // Every replica refreshes several times between a key's creation and its first use.
    private static readonly TimeSpan Announcement = RefreshInterval * 4;

    // A token with an unknown key may come from a replica that made the very first one, or from a forger, who must not be
    // able to have us ask the database as fast as he likes.
    private static readonly TimeSpan UnknownKeyInterval = TimeSpan.FromSeconds(1);

    private readonly IDataProtector _protector = dataProtection.CreateProtector("SevenX42.Identity.RealtimeSigningKeys");
    private readonly SemaphoreSlim _refreshing = new(1);
    private volatile Ring? _ring;

    /// <summary>The key to sign with now.</summary>
    public async ValueTask<SymmetricSecurityKey> GetCurrentAsync(CancellationToken cancellationToken)
    {
        var ring = _ring ?? await RefreshAsync(null, cancellationToken);
        return ring.Current(time.GetUtcNow());
    }

    /// <summary>A key to check a token with: the current one, or one that was current when the token can have been made.</summary>
    public async ValueTask<SymmetricSecurityKey?> FindAsync(string keyId, CancellationToken cancellationToken)
    {
        var ring = _ring ?? await RefreshAsync(null, cancellationToken);
        if (!ring.Keys.ContainsKey(keyId) && time.GetElapsedTime(ring.LoadedAt) >= UnknownKeyInterval)
            ring = await RefreshAsync(ring, cancellationToken);
        return ring.Find(keyId, time.GetUtcNow());
    }

    /// <summary>Reads the keys, makes the next one when it is time, and drops those that nothing is signed with any more.</summary>
    public Task RefreshAsync(CancellationToken cancellationToken) => RefreshAsync(_ring, cancellationToken);

    public void Dispose() => _refreshing.Dispose();

    /// <param name="seen">What the caller knows; if somebody has refreshed since, that is good enough.</param>
    /// <param name="cancellationToken">Cancels the refresh.</param>
    private async Task<Ring> RefreshAsync(Ring? seen, CancellationToken cancellationToken)
    {
        await _refreshing.WaitAsync(cancellationToken);
        try
        {
            if (_ring is { } fresh && fresh != seen)
                return fresh;
            await using var scope = scopes.CreateAsyncScope();
            var context = scope.ServiceProvider.GetRequiredService<IdentityDbContext>();
            var loadedAt = time.GetTimestamp();
            var keys = await ReadAsync(context, cancellationToken);
            if (NeedsSuccessor(keys))
                keys = await RotateAsync(context, cancellationToken);
            return _ring = new Ring(loadedAt, keys, _protector);
        }
        finally
        {
            _refreshing.Release();
        }
    }

    private bool NeedsSuccessor(List<RealtimeSigningKey> keys) =>
        keys is not [.., var newest] || newest.ActivatesAt + RotationInterval <= time.GetUtcNow() + Announcement;

    private async Task<List<RealtimeSigningKey>> RotateAsync(IdentityDbContext context, CancellationToken cancellationToken)
    {
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        // Replicas that rotate at once take turns; the second finds what the first has made.
        await context.Database.ExecuteSqlAsync($"SELECT pg_advisory_xact_lock(hashtextextended('identity.realtime-signing-keys', 0))", cancellationToken);
        var keys = await ReadAsync(context, cancellationToken);
        if (NeedsSuccessor(keys))
        {
            var now = time.GetUtcNow();
            var key = new RealtimeSigningKey
            {
                Id = Guid.CreateVersion7(now),
                CreatedAt = now,
                ActivatesAt = keys.Count == 0 ? now : now + Announcement,
                ProtectedKey = _protector.Protect(RandomNumberGenerator.GetBytes(32)),
            };
            context.RealtimeSigningKeys.Add(key);
            keys.Add(key);
            foreach (var retired in keys.Zip(keys.Skip(1)).Where(pair => pair.Second.ActivatesAt + RealtimeTokens.KeyRetirement < now).Select(pair => pair.First).ToList())
            {
                context.RealtimeSigningKeys.Remove(retired);
                keys.Remove(retired);
            }

            await context.SaveChangesAsync(cancellationToken);
            LogRotated(key.Id, key.ActivatesAt);
        }

        await transaction.CommitAsync(cancellationToken);
        return keys;
    }

    private static Task<List<RealtimeSigningKey>> ReadAsync(IdentityDbContext context, CancellationToken cancellationToken) =>
        context.RealtimeSigningKeys.OrderBy(k => k.ActivatesAt).ToListAsync(cancellationToken);

    [LoggerMessage(1, LogLevel.Information, "Real-time tokens are signed with the key {KeyId} from {ActivatesAt} on")]
    private partial void LogRotated(Guid keyId, DateTimeOffset activatesAt);

    /// <summary>All keys, oldest first. A key retires when its successor has been in use for a token's lifetime.</summary>
    private sealed class Ring
    {
        private readonly (SymmetricSecurityKey Key, DateTimeOffset ActivatesAt)[] _byAge;

        public Ring(long loadedAt, List<RealtimeSigningKey> keys, IDataProtector protector)
        {
            LoadedAt = loadedAt;
            _byAge = [.. keys.Select(k => (new SymmetricSecurityKey(protector.Unprotect(k.ProtectedKey)) { KeyId = k.Id.ToString("N") }, k.ActivatesAt))];
            Keys = _byAge
                .Select((k, i) => (k.Key, RetiresAt: i + 1 < _byAge.Length ? _byAge[i + 1].ActivatesAt + RealtimeTokens.KeyRetirement : DateTimeOffset.MaxValue))
                .ToFrozenDictionary(k => k.Key.KeyId);
        }

        public long LoadedAt { get; }

        public FrozenDictionary<string, (SymmetricSecurityKey Key, DateTimeOffset RetiresAt)> Keys { get; }

        // A replica whose clock is behind may find none active: then the oldest is the one that the others use.
        public SymmetricSecurityKey Current(DateTimeOffset now) => (_byAge.LastOrDefault(k => k.ActivatesAt <= now).Key ?? _byAge[0].Key);

        public SymmetricSecurityKey? Find(string keyId, DateTimeOffset now) =>
            Keys.TryGetValue(keyId, out var found) && now < found.RetiresAt ? found.Key : null;
    }
}
