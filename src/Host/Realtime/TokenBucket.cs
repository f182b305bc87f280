namespace SevenX42.Host.Realtime;

/// <summary>A rate limit: so many at once, so many per second in the long run. No clock of its own.</summary>
/// <param name="perSecond">Tokens that come back each second.</param>
/// <param name="burst">Tokens there are at most, and to begin with.</param>
/// <param name="now">The time it is made, in milliseconds of a clock that does not fall.</param>
internal struct TokenBucket(int perSecond, int burst, long now)
{
    // Thousandths of a token, so that no fraction is lost between two calls a millisecond apart.
    private long _level = burst * 1000L;
    private long _updated = now;

    /// <summary>Takes a token if there is one.</summary>
    public bool TryTake(long now)
    {
        if (now > _updated)
        {
            // At most the time that fills it, so that the product can't overflow.
            var elapsed = Math.Min(now - _updated, 1 + (burst * 1000L / perSecond));
            _level = Math.Min(burst * 1000L, _level + (elapsed * perSecond));
            _updated = now;
        }

        if (_level < 1000)
            return false;
        _level -= 1000;
        return true;
    }

    /// <summary>Milliseconds until there is a token again.</summary>
    public readonly int RetryAfter => _level >= 1000 ? 0 : (int)(((1000 - _level) + perSecond - 1) / perSecond);
}
