namespace SevenX42;

/// <summary>Who the current HTTP request is from. Scoped; outside a request there is nobody.</summary>
public interface ICurrentUser
{
    /// <summary>The user, or <see langword="null"/> when nobody is signed in. A guest is a user.</summary>
    Guid? Id { get; }

    /// <summary>The sign-in session, or <see langword="null"/> when nobody is signed in.</summary>
    Guid? SessionId { get; }

    /// <summary>Whether the user is a guest: an account without credentials that lives in this browser.</summary>
    bool IsGuest { get; }

    /// <summary>Whether the user administers this installation.</summary>
    bool IsAdministrator { get; }

    /// <summary>The user.</summary>
    /// <exception cref="InvalidOperationException">
    /// Nobody is signed in: the endpoint lacks <c>RequireAuthorization()</c>.
    /// </exception>
    Guid RequiredId => Id ?? throw new InvalidOperationException("This request has no user.");
}

/// <summary>Claim types of the application's cookie and realtime token.</summary>
public static class UserClaims
{
    /// <summary>User id, a UUID.</summary>
    public const string UserId = "sub";

    /// <summary>Sign-in session id, a UUID.</summary>
    public const string SessionId = "sid";

    /// <summary>Display name.</summary>
    public const string Name = "name";

    /// <summary>Role; the only one is <see cref="Administrator"/>.</summary>
    public const string Role = "role";

    /// <summary><c>true</c> for guests, absent otherwise.</summary>
    public const string Guest = "guest";

    /// <summary>Value of <see cref="Role"/> for administrators; also the name of the authorization policy.</summary>
    public const string Administrator = "administrator";
}
