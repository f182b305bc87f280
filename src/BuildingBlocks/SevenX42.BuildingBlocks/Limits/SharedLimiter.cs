using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace SevenX42.Limits;

/// <summary>A bucket of <see cref="ISharedLimits"/> as ASP.NET Core's rate limiter wants it, which asks it for every request.</summary>
public sealed class SharedLimiter : RateLimiter
{
    private static readonly RateLimitLease Granted = new Decision(TimeSpan.Zero);
    private static readonly RateLimitLease Unknown = new Decision(TimeSpan.FromSeconds(1));

    private readonly ISharedLimits _limits;
    private readonly string _bucket;
    private readonly Rate _rate;

    private SharedLimiter(ISharedLimits limits, string bucket, Rate rate) => (_limits, _bucket, _rate) = (limits, bucket, rate);

    /// <summary>Nothing is kept here: it may be let go at once.</summary>
    public override TimeSpan? IdleDuration => TimeSpan.MaxValue;

    /// <summary>Limits a request.</summary>
    /// <param name="http">The request.</param>
    /// <param name="bucket">What is limited, and for whom.</param>
    /// <param name="rate">How large the bucket is, and how fast it fills.</param>
    public static RateLimitPartition<string> On(HttpContext http, string bucket, Rate rate)
    {
        ArgumentNullException.ThrowIfNull(http);
        var limits = http.RequestServices.GetRequiredService<ISharedLimits>();
        return RateLimitPartition.Get(bucket, key => new SharedLimiter(limits, key, rate));
    }

    /// <inheritdoc/>
    public override RateLimiterStatistics? GetStatistics() => null;

    /// <summary>Refuses: the middleware then asks without blocking a thread.</summary>
    protected override RateLimitLease AttemptAcquireCore(int permitCount) => Unknown;

    /// <inheritdoc/>
    protected override async ValueTask<RateLimitLease> AcquireAsyncCore(int permitCount, CancellationToken cancellationToken) =>
        await _limits.TakeAsync(_bucket, _rate, cancellationToken) is { Ticks: > 0 } wait ? new Decision(wait) : Granted;

    private sealed class Decision(TimeSpan wait) : RateLimitLease
    {
        public override bool IsAcquired => wait == TimeSpan.Zero;

        public override IEnumerable<string> MetadataNames => IsAcquired ? [] : [MetadataName.RetryAfter.Name];

        public override bool TryGetMetadata(string metadataName, out object? metadata)
        {
            metadata = !IsAcquired && metadataName == MetadataName.RetryAfter.Name ? wait : null;
            return metadata is not null;
        }
    }
}
