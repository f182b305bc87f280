using System.Security.Cryptography;
using System.Text;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using SevenX42.Modules.Identity.Domain;
using SevenX42.Modules.Identity.Infrastructure.Users;

namespace SevenX42.Modules.Identity.Infrastructure.Guests;

/// <summary>Makes guests.</summary>
internal sealed class GuestAccounts(IdentityDbContext context, IOptions<IdentitySettings> settings, TimeProvider time)
{
    public const string DisplayName = "Guest";

    /// <summary>How long the same browser's first command is taken for a repetition.</summary>
    private static readonly TimeSpan RepetitionWindow = TimeSpan.FromSeconds(30);

    /// <summary>Makes a guest with a session, both stored.</summary>
    /// <param name="browserKey">
    /// What the browser is known by before it has a session, if anything; two requests with the same one, a moment apart,
    /// are the same guest.
    /// </param>
    /// <param name="device">Where the session is.</param>
    /// <param name="cancellationToken">Cancels the creation.</param>
    public async Task<Session> CreateAsync(string? browserKey, Device device, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var key = browserKey is null ? null : SHA256.HashData(Encoding.UTF8.GetBytes(browserKey));
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        if (key is not null)
        {
            // An older holder of the key (a guest who has left, an account that grew out of one) is nobody's repetition.
            var since = now - RepetitionWindow;
            await context.Users.Where(u => u.GuestKey == key && (!u.IsGuest || u.CreatedAt < since))
                .ExecuteUpdateAsync(set => set.SetProperty(u => u.GuestKey, (byte[]?)null), cancellationToken);
        }

        var id = Guid.CreateVersion7(now);
        var created = await context.Database.ExecuteSqlAsync(
            $"""
            INSERT INTO identity.users (id, display_name, is_guest, is_administrator, created_at, last_seen_at, guest_key,
                                        access_failed_count, concurrency_stamp, security_stamp)
            VALUES ({id}, {DisplayName}, true, false, {now}, {now}, {key}, 0, {id.ToString()}, {id.ToString()})
            ON CONFLICT (guest_key) DO NOTHING
            """,
            cancellationToken);
        if (created == 0)
            id = await context.Users.Where(u => u.GuestKey == key).Select(u => u.Id).SingleAsync(cancellationToken);
        var session = Session.Open(id, device, settings.Value.LifetimeOf(guest: true), now);
        context.Sessions.Add(session);
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return session;
    }
}
