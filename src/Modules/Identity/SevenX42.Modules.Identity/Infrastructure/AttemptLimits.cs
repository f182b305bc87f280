using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using SevenX42.Http;
using SevenX42.Limits;

namespace SevenX42.Modules.Identity.Infrastructure;

/// <summary>Rate limit policies of the module's endpoints, by address; the Host's rate limiter applies them.</summary>
internal static class AttemptLimits
{
    public const string SignIn = "identity.sign-in";
    public const string SignUp = "identity.sign-up";

    public static IServiceCollection AddAttemptLimits(this IServiceCollection services) => services
        .AddSharedLimits()
        .AddSingleton<GuestAttempts>()
        .AddSingleton<PasswordAttempts>()
        .Configure<RateLimiterOptions>(limiter =>
        {
            limiter.AddPolicy(SignIn, http => ByAddress(http, SignIn, limits => Rate.Of(limits.SignInsPerMinute, TimeSpan.FromMinutes(1))));
            limiter.AddPolicy(SignUp, http => ByAddress(http, SignUp, limits => Rate.Of(limits.SignUpsPerHour, TimeSpan.FromHours(1))));
        });

    private static RateLimitPartition<string> ByAddress(HttpContext http, string policy, Func<IdentityRateLimitSettings, Rate> rate) => SharedLimiter.On(
        http,
        $"{policy}/{ClientAddress.CustomerAt(ClientAddress.Of(http))}",
        rate(http.RequestServices.GetRequiredService<IOptions<IdentitySettings>>().Value.RateLimits));
}

/// <summary>How many guests one address may become.</summary>
internal sealed class GuestAttempts(ISharedLimits limits, IOptions<IdentitySettings> settings)
{
    /// <returns>Zero, or how long to wait.</returns>
    public ValueTask<TimeSpan> FromAsync(IPAddress? address, CancellationToken cancellationToken) => limits.TakeAsync(
        $"identity.guests/{ClientAddress.CustomerAt(address)}",
        Rate.Of(settings.Value.RateLimits.GuestsPerHour, TimeSpan.FromHours(1)),
        cancellationToken);
}

/// <summary>How often passwords may be tried, wherever the attempts come from.</summary>
internal sealed class PasswordAttempts(ISharedLimits limits, IOptions<IdentitySettings> settings)
{
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(5);

    /// <summary>Attempts to sign in as somebody, who may exist or not.</summary>
    /// <returns>Zero, or how long to wait.</returns>
    // Hashed: a long invention costs no more than an email, and nobody's email stands in Redis.
    public ValueTask<TimeSpan> OnAccountAsync(string? normalizedEmail, CancellationToken cancellationToken) => limits.TakeAsync(
        $"identity.account/{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(normalizedEmail ?? "")))}",
        Rate.Of(settings.Value.RateLimits.SignInsPerAccount, Window),
        cancellationToken);

    /// <summary>Attempts of somebody who is signed in.</summary>
    /// <returns>Zero, or how long to wait.</returns>
    public ValueTask<TimeSpan> OfUserAsync(Guid userId, CancellationToken cancellationToken) =>
        limits.TakeAsync($"identity.user/{userId}", Rate.Of(settings.Value.RateLimits.PasswordChecksPerUser, Window), cancellationToken);
}
