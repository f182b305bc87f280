namespace SevenX42.Contracts.Identity;

/// <summary>What other modules and the Host may ask of Identity.</summary>
public interface IIdentityApi
{
    /// <summary>Issues a short-lived token for the real-time handshake, bound to the user's session.</summary>
    /// <returns>
    /// The token, or <see cref="ErrorKind.Unauthenticated"/> when the session has ended.
    /// </returns>
    Task<Result<RealtimeToken>> IssueRealtimeTokenAsync(Guid userId, Guid sessionId, CancellationToken cancellationToken);

    /// <summary>
    /// Checks a token: signature by a current or previous key, audience <c>realtime</c>, lifetime. Does not ask the
    /// database whether the session still lives; <see cref="FindEndedSessionsAsync"/> does.
    /// </summary>
    /// <returns>Who the token is for, or <see langword="null"/>.</returns>
    ValueTask<RealtimeIdentity?> ValidateRealtimeTokenAsync(string token, CancellationToken cancellationToken);

    /// <summary>Which of these sessions have ended (signed out, revoked, expired, user deleted or unknown).</summary>
    Task<IReadOnlyList<Guid>> FindEndedSessionsAsync(
        IReadOnlyCollection<Guid> sessionIds, CancellationToken cancellationToken);
}

/// <summary>A token for the real-time handshake.</summary>
/// <param name="Token">Compact JWT, at most 1,024 characters.</param>
/// <param name="ExpiresAt">End of its life.</param>
public sealed record RealtimeToken(string Token, DateTimeOffset ExpiresAt);

/// <summary>Who a real-time token is for.</summary>
/// <param name="UserId">The user.</param>
/// <param name="SessionId">The sign-in session the token is bound to.</param>
/// <param name="ExpiresAt">End of the token's life.</param>
public sealed record RealtimeIdentity(Guid UserId, Guid SessionId, DateTimeOffset ExpiresAt);
