using System.Security.Cryptography;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using SevenX42.Modules.Identity.Domain;

namespace SevenX42.Modules.Identity.Infrastructure.Users;

/// <summary>
/// Compares passwords without telling who has an account: an unknown email, a locked account and a wrong password take the
/// same steps and the same time, and get the same answer.
/// </summary>
internal sealed class PasswordChecks(
    IdentityDbContext context,
    IPasswordHasher<User> hasher,
    ILookupNormalizer normalizer,
    PasswordAttempts attempts,
    DecoyPassword decoy,
    IOptions<IdentitySettings> settings,
    TimeProvider time)
{
    /// <summary>The answer to whoever can't be signed in, for whatever reason.</summary>
    public static readonly Error Wrong = Error.Invalid(
        "wrong_credentials", "Email or password is wrong. After several wrong tries in a row, signing in pauses for a few minutes.");

    /// <summary>The account that email and password belong to.</summary>
    public async Task<Result<User>> FindAsync(string email, Password password, CancellationToken cancellationToken)
    {
        var normalized = normalizer.NormalizeEmail(email);
        if (await attempts.OnAccountAsync(normalized, cancellationToken) is { Ticks: > 0 } wait)
            return TooMany(wait);

        // The attempt is counted before the password is looked at: a thousand guesses sent at once are a thousand attempts.
        var now = time.GetUtcNow();
        var (limit, lockedUntil) = (settings.Value.Lockout.Attempts, now + settings.Value.Lockout.Duration);
        var counted = await context.Users
            .Where(u => u.NormalizedEmail == normalized && (u.LockoutEnd == null || u.LockoutEnd <= now))
            .ExecuteUpdateAsync(
                set => set
                    .SetProperty(u => u.LockoutEnd, u => u.AccessFailedCount + 1 >= limit ? lockedUntil : null)
                    .SetProperty(u => u.AccessFailedCount, u => u.AccessFailedCount + 1 >= limit ? 0 : u.AccessFailedCount + 1),
                cancellationToken);
        var user = await context.Users.SingleOrDefaultAsync(u => u.NormalizedEmail == normalized, cancellationToken);
        var open = counted == 1 && user is not null;
        var verified = hasher.VerifyHashedPassword(user ?? DecoyPassword.Nobody, open ? user!.PasswordHash! : decoy.Hash, password.Text);
        return open && verified != PasswordVerificationResult.Failed ? user! : Wrong;
    }

    /// <summary>
    /// After the right password: forgets the wrong ones, and holds the account's row until the transaction ends.
    /// </summary>
    /// <returns><see langword="false"/> when the password was changed meanwhile.</returns>
    public async Task<bool> ConfirmAsync(User user, CancellationToken cancellationToken)
    {
        var (id, hash) = (user.Id, user.PasswordHash);
        return await context.Users
            .Where(u => u.Id == id && u.PasswordHash == hash)
            .ExecuteUpdateAsync(
                set => set.SetProperty(u => u.AccessFailedCount, 0).SetProperty(u => u.LockoutEnd, (DateTimeOffset?)null), cancellationToken) == 1;
    }

    /// <summary>Whether somebody who is signed in knows their password.</summary>
    public async Task<Result> CheckAsync(User user, Password password, string field, CancellationToken cancellationToken)
    {
        if (await attempts.OfUserAsync(user.Id, cancellationToken) is { Ticks: > 0 } wait)
            return TooMany(wait);
        return hasher.VerifyHashedPassword(user, user.PasswordHash!, password.Text) == PasswordVerificationResult.Failed
            ? Error.Invalid("wrong_password", "This is not your password.", field)
            : Result.Success;
    }

    private static Error TooMany(TimeSpan wait) =>
        Error.TooMany("too_many_attempts", "Too many tries. Wait a few minutes and try again.", wait);
}

/// <summary>A password that nobody has, to compare with where there is none.</summary>
internal sealed class DecoyPassword(IOptions<PasswordHasherOptions> options)
{
    public static readonly User Nobody = new() { DisplayName = "", CreatedAt = default, LastSeenAt = default };

    private readonly Lazy<string> _hash = new(() =>
        new PasswordHasher<User>(options).HashPassword(Nobody, Convert.ToBase64String(RandomNumberGenerator.GetBytes(32))));

    public string Hash => _hash.Value;
}
