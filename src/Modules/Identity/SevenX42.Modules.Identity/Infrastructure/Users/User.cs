using Microsoft.AspNetCore.Identity;

namespace SevenX42.Modules.Identity.Infrastructure.Users;

/// <summary>A person: a guest, who has no credentials, or an account with email and password.</summary>
internal sealed class User : IdentityUser<Guid>
{
    public const int DisplayNameLength = 64;

    public required string DisplayName { get; set; }

    public bool IsGuest { get; set; }

    public bool IsAdministrator { get; set; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Last request of any session, a few minutes exact. Guests that were not seen for long are purged by it.</summary>
    public required DateTimeOffset LastSeenAt { get; set; }

    /// <summary>
    /// What a browser without session was known by when its first command made this guest, so that the same command sent
    /// twice makes one guest.
    /// </summary>
    public byte[]? GuestKey { get; set; }
}
