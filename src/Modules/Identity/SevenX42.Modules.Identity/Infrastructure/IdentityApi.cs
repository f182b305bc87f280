using Microsoft.EntityFrameworkCore;
using SevenX42.Contracts.Identity;
using SevenX42.Modules.Identity.Infrastructure.Realtime;
using SevenX42.Modules.Identity.Infrastructure.Sessions;

namespace SevenX42.Modules.Identity.Infrastructure;

internal sealed class IdentityApi(IdentityDbContext context, SessionCache sessions, RealtimeTokens tokens, TimeProvider time) : IIdentityApi
{
    public async Task<Result<RealtimeToken>> IssueRealtimeTokenAsync(Guid userId, Guid sessionId, CancellationToken cancellationToken)
    {
        var session = await sessions.FindAsync(sessionId, address: null, cancellationToken);
        return session?.UserId == userId
            ? await tokens.IssueAsync(userId, sessionId, cancellationToken)
            : Error.Unauthenticated("This session has ended. Sign in again.");
    }

    public ValueTask<RealtimeIdentity?> ValidateRealtimeTokenAsync(string token, CancellationToken cancellationToken) =>
        tokens.ValidateAsync(token, cancellationToken);

    public async Task<IReadOnlyList<Guid>> FindEndedSessionsAsync(IReadOnlyCollection<Guid> sessionIds, CancellationToken cancellationToken)
    {
        if (sessionIds.Count == 0)
            return [];
        var now = time.GetUtcNow();
        var ids = sessionIds.Distinct().ToArray();
        var alive = await context.Sessions
            .Where(s => ids.Contains(s.Id) && s.RevokedAt == null && s.ExpiresAt > now)
            .Select(s => s.Id)
            .ToListAsync(cancellationToken);
        return [.. ids.Except(alive)];
    }
}
