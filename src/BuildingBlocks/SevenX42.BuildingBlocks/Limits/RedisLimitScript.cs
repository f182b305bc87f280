using SevenX42.Realtime;

namespace SevenX42.Limits;

/// <summary>
/// What runs inside Redis: buckets and rooms, on Redis' clock, so that it does not matter what time the processes have. A bucket is
/// a number, the microsecond at which it is full again, and ends then. A room is a sorted set of leases by the millisecond at which
/// they end, and ends with the last of them.
/// </summary>
internal static class RedisLimitScript
{
    public const string Take = "take";
    public const string Enter = "enter";
    public const string Keep = "keep";
    public const string Leave = "leave";

    /// <summary>
    /// KEYS: the bucket or room of each operation. ARGV: milliseconds that a lease lasts; then for each operation three: its name; for
    /// a bucket its size and its interval in microseconds; for a room the lease and most leases. Answers for each: 1 or 0 (refused),
    /// and microseconds until there is a token; or an error's text alone.
    /// </summary>
    public const string Text = RedisScripts.Each + """
        local clock = redis.call('TIME')
        local now = clock[1] * 1000000 + clock[2]
        local lasts, at = tonumber(ARGV[1]), 2

        local function take(key, burst, interval)
          -- No further ahead than the bucket is large: it may have been larger, or written by a primary whose clock was ahead.
          local full = math.min(tonumber(redis.call('GET', key) or 0), now + burst * interval)
          local following = math.max(full, now) + interval
          local wait = following - now - burst * interval
          if wait > 0 then return { 0, math.ceil(wait) } end
          redis.call('SET', key, string.format('%.0f', following), 'PX', math.max(1, math.ceil((following - now) / 1000)))
          return { 1, 0 }
        end

        local function keep(key, lease)
          redis.call('ZADD', key, string.format('%.0f', math.floor(now / 1000) + lasts), lease)
          redis.call('PEXPIRE', key, lasts)
          return { 1, 0 }
        end

        local function enter(key, lease, most)
          redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', now / 1000))
          if redis.call('ZCARD', key) >= most then return { 0, 0 } end
          return keep(key, lease)
        end

        return each({}, #KEYS, function(i)
          local key, name, a, b = KEYS[i], ARGV[at], ARGV[at + 1], ARGV[at + 2]
          at = at + 3
          if name == 'take' then return take(key, tonumber(a), tonumber(b)) end
          if name == 'enter' then return enter(key, a, tonumber(b)) end
          if name == 'keep' then return keep(key, a) end
          redis.call('ZREM', key, a)
          return { 1, 0 }
        end)
        """;
}
