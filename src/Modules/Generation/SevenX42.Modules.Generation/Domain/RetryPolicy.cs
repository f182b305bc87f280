namespace SevenX42.Modules.Generation.Domain;

/// <summary>Whether and when a failed request is tried again. Asked only before any text has come.</summary>
/// <param name="MaxTries">Requests in all.</param>
/// <param name="BaseDelay">Wait before the second try; doubled with each.</param>
/// <param name="MaxRetryAfter">A provider that wants a longer wait is not waited for.</param>
internal sealed record RetryPolicy(int MaxTries, TimeSpan BaseDelay, TimeSpan MaxRetryAfter)
{
    /// <summary>The wait before the next try, or <see langword="null"/> to give up.</summary>
    /// <param name="failure">What went wrong.</param>
    /// <param name="tries">Requests made so far, at least 1.</param>
    /// <param name="jitter">0 to 1; spreads the tries of many workers.</param>
    public TimeSpan? NextDelay(GenerationFailure failure, int tries, double jitter)
    {
        if (!failure.Retry || tries >= MaxTries || failure.RetryAfter > MaxRetryAfter)
            return null;
        var backoff = BaseDelay * Math.Pow(2, tries - 1) * (1 + (jitter / 2));
        return failure.RetryAfter is { } asked && asked > TimeSpan.Zero ? asked
            : backoff < MaxRetryAfter ? backoff : MaxRetryAfter;
    }
}
