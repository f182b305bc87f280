using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using SevenX42.Contracts.Identity;

namespace SevenX42.Modules.Identity.Infrastructure.Realtime;

/// <summary>Makes and checks the tokens of the real-time handshake.</summary>
internal sealed class RealtimeTokens(RealtimeSigningKeys keys, TimeProvider time)
{
    public const string Issuer = "7x42";
    public const string Audience = "realtime";

    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(5);

    /// <summary>A token made by the last use of a key is checked with it until it expires.</summary>
    public static readonly TimeSpan KeyRetirement = Lifetime + ClockSkew + TimeSpan.FromMinutes(1);

    private const int MaxLength = 1024;

    /// <summary>How far the clocks of two replicas may be apart.</summary>
    private static TimeSpan ClockSkew => TimeSpan.FromSeconds(15);

    private readonly JsonWebTokenHandler _handler = new() { SetDefaultTimesOnTokenCreation = false };

    public async ValueTask<RealtimeToken> IssueAsync(Guid userId, Guid sessionId, CancellationToken cancellationToken)
    {
        var key = await keys.GetCurrentAsync(cancellationToken);
        var now = time.GetUtcNow();
        var token = _handler.CreateToken(new SecurityTokenDescriptor
        {
            Issuer = Issuer,
            Audience = Audience,
            IssuedAt = now.UtcDateTime,
            Expires = (now + Lifetime).UtcDateTime,
            Claims = new Dictionary<string, object>
            {
                [UserClaims.UserId] = userId.ToString(),
                [UserClaims.SessionId] = sessionId.ToString(),
            },
            SigningCredentials = new SigningCredentials(key, SecurityAlgorithms.HmacSha256),
        });
        // The claim counts whole seconds.
        return new RealtimeToken(token, DateTimeOffset.FromUnixTimeSeconds((now + Lifetime).ToUnixTimeSeconds()));
    }

    public async ValueTask<RealtimeIdentity?> ValidateAsync(string token, CancellationToken cancellationToken)
    {
        if (token.Length > MaxLength || !TryRead(token, out var jwt) || jwt.Kid is not { Length: > 0 } keyId
            || await keys.FindAsync(keyId, cancellationToken) is not { } key)
            return null;
        var result = await _handler.ValidateTokenAsync(jwt, new TokenValidationParameters
        {
            ValidIssuer = Issuer,
            ValidAudience = Audience,
            ValidAlgorithms = [SecurityAlgorithms.HmacSha256],
            IssuerSigningKey = key,
            RequireSignedTokens = true,
            RequireExpirationTime = true,
            LifetimeValidator = (_, expires, _, _) => expires is { } end && time.GetUtcNow() < new DateTimeOffset(end, TimeSpan.Zero) + ClockSkew,
        });
        return result.IsValid
            && Guid.TryParse(jwt.Subject, out var userId)
            && jwt.TryGetPayloadValue<string>(UserClaims.SessionId, out var sid) && Guid.TryParse(sid, out var sessionId)
            ? new RealtimeIdentity(userId, sessionId, new DateTimeOffset(jwt.ValidTo, TimeSpan.Zero))
            : null;
    }

    private bool TryRead(string token, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out JsonWebToken? jwt)
    {
        jwt = null;
        if (!_handler.CanReadToken(token))
            return false;
        try
        {
            jwt = _handler.ReadJsonWebToken(token);
            return true;
        }
        catch (Exception e) when (e is ArgumentException or SecurityTokenException)
        {
            // Three dots and no JSON: somebody's own invention.
            return false;
        }
    }
}
