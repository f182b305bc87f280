using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using SevenX42.Modules.Identity.Domain;

namespace SevenX42.Modules.Identity.Infrastructure.Sessions;

/// <summary>Opens and ends sessions in the database, inside the caller's transaction where there is one.</summary>
internal sealed class SessionStore(IdentityDbContext context, IOptions<IdentitySettings> settings, TimeProvider time)
{
    /// <summary>A new session, to be saved with everything else.</summary>
    public Session Open(Guid userId, bool guest, Device device)
    {
        var session = Session.Open(userId, device, settings.Value.LifetimeOf(guest), time.GetUtcNow());
        context.Sessions.Add(session);
        return session;
    }

    /// <summary>Ends sessions of a user at once.</summary>
    /// <returns>Their ids, for <see cref="SessionCache.Forget"/> once this is committed.</returns>
    public async Task<IReadOnlyList<Guid>> EndAsync(
        Guid userId, Guid? only = null, Guid? except = null, CancellationToken cancellationToken = default)
    {
        var now = time.GetUtcNow();
        var ids = await context.Sessions
            .Where(s => s.UserId == userId && s.RevokedAt == null && (only == null || s.Id == only) && (except == null || s.Id != except))
            .Select(s => s.Id)
            .ToListAsync(cancellationToken);
        await context.Sessions.Where(s => ids.Contains(s.Id)).ExecuteUpdateAsync(
            set => set.SetProperty(s => s.RevokedAt, now).SetProperty(s => s.ExpiresAt, now), cancellationToken);
        return ids;
    }
}
