using Microsoft.EntityFrameworkCore;

namespace SevenX42.Modules.Identity.Infrastructure.Guests;

/// <summary>Guests who have left for good.</summary>
internal sealed class AbandonedGuests(IdentityDbContext context)
{
    /// <summary>
    /// Has the purge take a guest who gave up the only session they had: nobody can ever come back to it. Inside the
    /// caller's transaction.
    /// </summary>
    public Task AbandonAsync(Guid userId, CancellationToken cancellationToken) => context.Users
        .Where(u => u.Id == userId && u.IsGuest)
        .ExecuteUpdateAsync(set => set.SetProperty(u => u.LastSeenAt, DateTimeOffset.UnixEpoch), cancellationToken);
}
