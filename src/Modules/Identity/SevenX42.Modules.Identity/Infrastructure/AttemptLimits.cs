using System.Net;
using System.Net.Sockets;
using System.Threading.RateLimiting;
using Microsoft.Extensions.Options;

namespace SevenX42.Modules.Identity.Infrastructure;

internal static class AttemptLimits
{
    /// <summary>Who an address stands for: one IPv6 customer has a whole /64.</summary>
    public static string PartitionOf(IPAddress? address)
    {
        if (address is not { AddressFamily: AddressFamily.InterNetworkV6 })
            return address?.ToString() ?? "";
        var bytes = address.GetAddressBytes();
        bytes.AsSpan(8).Clear();
        return new IPAddress(bytes).ToString();
    }

    public static TimeSpan? RetryAfter(this RateLimitLease lease) => lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : null;

    public static PartitionedRateLimiter<string> PerWindow(int permits, TimeSpan window) => PartitionedRateLimiter.Create<string, string>(
        key => RateLimitPartition.GetFixedWindowLimiter(key, _ => new FixedWindowRateLimiterOptions { PermitLimit = permits, Window = window }));
}

/// <summary>How many guests one address may become.</summary>
internal sealed class GuestLimiter(IOptions<IdentitySettings> settings) : IDisposable
{
    private readonly PartitionedRateLimiter<string> _limiter =
        AttemptLimits.PerWindow(settings.Value.RateLimits.GuestsPerHour, TimeSpan.FromHours(1));

    public RateLimitLease Acquire(IPAddress? address) => _limiter.AttemptAcquire(AttemptLimits.PartitionOf(address));

    public void Dispose() => _limiter.Dispose();
}
