using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using SevenX42.Http;

namespace SevenX42.Modules.Identity.Infrastructure;

/// <summary>Rate limit policies of the module's endpoints, by address; the Host's rate limiter applies them.</summary>
internal static class AttemptLimits
{
    public const string SignIn = "identity.sign-in";
    public const string SignUp = "identity.sign-up";

    public static IServiceCollection AddAttemptLimits(this IServiceCollection services) => services
        .AddSingleton<GuestAttempts>()
        .AddSingleton<PasswordAttempts>()
        .Configure<RateLimiterOptions>(limiter =>
        {
            limiter.AddPolicy(SignIn, http => ByAddress(http, limits => limits.SignInsPerMinute, TimeSpan.FromMinutes(1)));
            limiter.AddPolicy(SignUp, http => ByAddress(http, limits => limits.SignUpsPerHour, TimeSpan.FromHours(1)));
        });

    public static TimeSpan? RetryAfter(this RateLimitLease lease) => lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : null;

    public static PartitionedRateLimiter<string> PerWindow(int permits, TimeSpan window) =>
        PartitionedRateLimiter.Create<string, string>(key => Window(key, permits, window));

    private static RateLimitPartition<string> ByAddress(HttpContext http, Func<IdentityRateLimitSettings, int> permits, TimeSpan window) => Window(
        ClientAddress.CustomerAt(ClientAddress.Of(http)), permits(http.RequestServices.GetRequiredService<IOptions<IdentitySettings>>().Value.RateLimits), window);

    private static RateLimitPartition<string> Window(string key, int permits, TimeSpan window) =>
        RateLimitPartition.GetFixedWindowLimiter(key, _ => new FixedWindowRateLimiterOptions { PermitLimit = permits, Window = window });
}

/// <summary>How many guests one address may become.</summary>
internal sealed class GuestAttempts(IOptions<IdentitySettings> settings) : IDisposable
{
    private readonly PartitionedRateLimiter<string> _byAddress =
        AttemptLimits.PerWindow(settings.Value.RateLimits.GuestsPerHour, TimeSpan.FromHours(1));

    public RateLimitLease From(IPAddress? address) => _byAddress.AttemptAcquire(ClientAddress.CustomerAt(address));

    public void Dispose() => _byAddress.Dispose();
}

/// <summary>How often passwords may be tried, wherever the attempts come from.</summary>
internal sealed class PasswordAttempts(IOptions<IdentitySettings> settings) : IDisposable
{
    private readonly PartitionedRateLimiter<string> _onAccount =
        AttemptLimits.PerWindow(settings.Value.RateLimits.SignInsPerAccount, TimeSpan.FromMinutes(5));

    private readonly PartitionedRateLimiter<string> _ofUser =
        AttemptLimits.PerWindow(settings.Value.RateLimits.PasswordChecksPerUser, TimeSpan.FromMinutes(5));

    /// <summary>Attempts to sign in as somebody, who may exist or not.</summary>
    // Hashed, so that a long invention costs no more memory than an email.
    public RateLimitLease OnAccount(string? normalizedEmail) =>
        _onAccount.AttemptAcquire(Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(normalizedEmail ?? ""))));

    /// <summary>Attempts of somebody who is signed in.</summary>
    public RateLimitLease OfUser(Guid userId) => _ofUser.AttemptAcquire(userId.ToString());

    public void Dispose()
    {
        _onAccount.Dispose();
        _ofUser.Dispose();
    }
}
