using Microsoft.Extensions.Options;

namespace SevenX42.Host.Realtime;

/// <summary>How often a user may poll.</summary>
internal sealed class PollLimits(IOptions<RealtimeOptions> options, TimeProvider time)
{
    private const int MostRemembered = 10_000;

    private readonly Lock _gate = new();
    private readonly Dictionary<Guid, TokenBucket> _buckets = [];

    /// <summary>Takes one of the user's polls.</summary>
    /// <param name="userId">The user.</param>
    /// <param name="wait">How long until there is one again.</param>
    public bool TryBegin(Guid userId, out TimeSpan wait)
    {
        var now = (long)time.GetElapsedTime(0).TotalMilliseconds;
        lock (_gate)
        {
            // Forgetting fills everyone's bucket, which harms less than remembering everyone who ever polled.
            if (_buckets.Count >= MostRemembered)
                _buckets.Clear();
            if (!_buckets.TryGetValue(userId, out var bucket))
                bucket = new TokenBucket(options.Value.PollsPerSecond, options.Value.PollBurst, now);
            var taken = bucket.TryTake(now);
            _buckets[userId] = bucket;
            wait = TimeSpan.FromMilliseconds(bucket.RetryAfter);
            return taken;
        }
    }
}
