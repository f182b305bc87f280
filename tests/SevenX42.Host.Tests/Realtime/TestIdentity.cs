using System.Collections.Concurrent;
using System.Security.Claims;
using System.Security.Cryptography;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using SevenX42.Contracts.Identity;

namespace SevenX42.Host.Tests.Realtime;

/// <summary>Issues and checks real tokens with a key of its own, so that the protocol is tested without a database.</summary>
internal sealed class TestIdentity(TimeProvider time) : IIdentityApi
{
    private static readonly JsonWebTokenHandler Handler = new() { SetDefaultTimesOnTokenCreation = false };

    private readonly SymmetricSecurityKey _key = new(RandomNumberGenerator.GetBytes(32));
    private readonly ConcurrentDictionary<Guid, bool> _ended = [];
    private int _questions;

    /// <summary>How often it was asked for ended sessions.</summary>
    public int Questions => Volatile.Read(ref _questions);

    public TimeSpan Lifetime { get; set; } = TimeSpan.FromMinutes(5);

    public string Issue(
        Guid? user = null, Guid? session = null, TimeSpan? lifetime = null, string audience = "realtime", SymmetricSecurityKey? key = null) =>
        Handler.CreateToken(new SecurityTokenDescriptor
        {
            Audience = audience,
            Subject = new ClaimsIdentity([new(UserClaims.UserId, $"{user ?? NewId()}"), new(UserClaims.SessionId, $"{session ?? NewId()}")]),
            Expires = (time.GetUtcNow() + (lifetime ?? Lifetime)).UtcDateTime,
            SigningCredentials = new SigningCredentials(key ?? _key, SecurityAlgorithms.HmacSha256),
        });

    public static Guid NewId() => Guid.CreateVersion7(TimeProvider.System.GetUtcNow());

    public static SymmetricSecurityKey AnotherKey() => new(RandomNumberGenerator.GetBytes(32));

    public void End(Guid session) => _ended[session] = true;

    public Task<Result<RealtimeToken>> IssueRealtimeTokenAsync(Guid userId, Guid sessionId, CancellationToken cancellationToken) =>
        Task.FromResult<Result<RealtimeToken>>(_ended.ContainsKey(sessionId)
            ? Error.Unauthenticated()
            : new RealtimeToken(Issue(userId, sessionId), time.GetUtcNow() + Lifetime));

    public async ValueTask<RealtimeIdentity?> ValidateRealtimeTokenAsync(string token, CancellationToken cancellationToken)
    {
        var result = await Handler.ValidateTokenAsync(token, new TokenValidationParameters
        {
            ValidateIssuer = false,
            ValidAudience = "realtime",
            IssuerSigningKey = _key,
            RequireExpirationTime = true,
            LifetimeValidator = (_, expires, _, _) => expires > time.GetUtcNow().UtcDateTime,
        });
        return result.IsValid
            ? new RealtimeIdentity(
                Guid.Parse((string)result.Claims[UserClaims.UserId]),
                Guid.Parse((string)result.Claims[UserClaims.SessionId]),
                new DateTimeOffset(result.SecurityToken.ValidTo, TimeSpan.Zero))
            : null;
    }

    public Task<IReadOnlyList<Guid>> FindEndedSessionsAsync(IReadOnlyCollection<Guid> sessionIds, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _questions);
        return Task.FromResult<IReadOnlyList<Guid>>([.. sessionIds.Where(_ended.ContainsKey)]);
    }
}
