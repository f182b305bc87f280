namespace SevenX42.Limits;

/// <summary>A token bucket: so many at once, and one more after each interval.</summary>
/// <param name="Burst">Tokens in a full bucket, at least 1.</param>
/// <param name="Interval">Time until there is one more, at least a microsecond.</param>
public readonly record struct Rate(int Burst, TimeSpan Interval)
{
    /// <summary>So many in each window, all of them at once if need be.</summary>
    public static Rate Of(int permits, TimeSpan window) => new(permits, window / permits);

    /// <summary>
    /// Takes a token. All that a bucket is, is when it will be full again: that moves by one interval with each token, and no further
    /// ahead than the bucket is large. Redis does the same, see <see cref="RedisLimitScript"/>.
    /// </summary>
    /// <param name="full">When the bucket is full, in ticks of 100 ns; in the past if it is. Moved when a token is taken.</param>
    /// <param name="now">The time, on the same clock.</param>
    /// <returns>Ticks until there is a token; 0 when it is taken.</returns>
    internal long Take(ref long full, long now)
    {
        var next = Math.Max(full, now) + Interval.Ticks;
        var wait = next - now - (Burst * Interval.Ticks);
        if (wait > 0)
            return wait;
        full = next;
        return 0;
    }
}
