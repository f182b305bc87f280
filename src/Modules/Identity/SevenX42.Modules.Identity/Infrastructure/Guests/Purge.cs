using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using SevenX42.Contracts.Identity;
using SevenX42.Messaging;

namespace SevenX42.Modules.Identity.Infrastructure.Guests;

/// <summary>
/// Now and then deletes guests who were not seen for long, with all that is theirs, and sessions that are long over. In
/// small batches; replicas that do it at once share the work.
/// </summary>
internal sealed partial class Purge(
    IServiceScopeFactory scopes, IOptions<IdentitySettings> settings, TimeProvider time, ILogger<Purge> logger) : BackgroundService
{
    public static readonly TimeSpan Interval = TimeSpan.FromHours(1);

    /// <summary>How long sessions that are over stay, for whoever looks into what happened.</summary>
    private static readonly TimeSpan SessionHistory = TimeSpan.FromDays(7);

    private const int GuestBatch = 100;
    private const int SessionBatch = 1000;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                var guests = await RepeatAsync(DeleteGuestsAsync, GuestBatch, stoppingToken);
                var sessions = await RepeatAsync(DeleteSessionsAsync, SessionBatch, stoppingToken);
                if (guests + sessions > 0)
                    LogPurged(guests, sessions);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                // An hour later there is another try.
                LogFailed(e);
            }
        }
    }

    private async Task<int> RepeatAsync(Func<IdentityDbContext, CancellationToken, Task<int>> batch, int size, CancellationToken stoppingToken)
    {
        for (var total = 0; ;)
        {
            await using var scope = scopes.CreateAsyncScope();
            var deleted = await batch(scope.ServiceProvider.GetRequiredService<IdentityDbContext>(), stoppingToken);
            total += deleted;
            if (deleted < size)
                return total;
        }
    }

    // A guest who comes back in this moment waits for the row's lock and then is nobody, or was seen first and is spared.
    private async Task<int> DeleteGuestsAsync(IdentityDbContext context, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var notSeenSince = now - settings.Value.LifetimeOf(guest: true);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        var ids = await context.Database.SqlQuery<Guid>(
            $"""
            SELECT u.id FROM identity.users u
            WHERE u.is_guest AND u.last_seen_at < {notSeenSince}
              AND NOT EXISTS (SELECT 1 FROM identity.sessions s WHERE s.user_id = u.id AND s.revoked_at IS NULL AND s.expires_at > {now})
            ORDER BY u.last_seen_at LIMIT {GuestBatch}
            FOR UPDATE OF u SKIP LOCKED
            """).ToListAsync(cancellationToken);
        foreach (var id in ids)
            context.Raise(new UserDeleted(Guid.CreateVersion7(now), id));
        await context.Users.Where(u => ids.Contains(u.Id)).ExecuteDeleteAsync(cancellationToken);
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return ids.Count;
    }

    private Task<int> DeleteSessionsAsync(IdentityDbContext context, CancellationToken cancellationToken)
    {
        var before = time.GetUtcNow() - SessionHistory;
        return context.Database.ExecuteSqlAsync(
            $"""
            DELETE FROM identity.sessions WHERE id IN (
                SELECT id FROM identity.sessions WHERE expires_at < {before} ORDER BY expires_at LIMIT {SessionBatch} FOR UPDATE SKIP LOCKED)
            """,
            cancellationToken);
    }

    [LoggerMessage(1, LogLevel.Information, "Purged {Guests} guests and {Sessions} sessions")]
    private partial void LogPurged(int guests, int sessions);

    [LoggerMessage(2, LogLevel.Warning, "The purge failed and will be tried again")]
    private partial void LogFailed(Exception exception);
}
