namespace SevenX42.Realtime;

/// <summary>
/// What runs inside Redis. A channel is two keys of one slot: a hash with its state and fences, and a stream of its events
/// whose ids are the sequence numbers. Needs Redis 6.2 or newer.
/// </summary>
/// <remarks>
/// <para>
/// <b>Life.</b> Replication and persistence lag, so a promoted replica, or a server that was restarted, may lack the newest
/// events of an epoch, and would give out their numbers again. Both get a new replication id, which the replicas of a living
/// primary share. A channel remembers the id under which its epoch began; under any other one it begins a new epoch.
/// </para>
/// <para>
/// <b>Halves.</b> The stream is trimmed by halves: <c>half</c> is where the newer half began and <c>bytes</c> what is in it. When
/// that is full, the older half goes. So bytes are bounded without knowing how many each trimmed event had.
/// </para>
/// </remarks>
internal static class RedisScripts
{
    // A replica answers nothing: the client that asks it has not heard of the new primary yet.
    private const string Prologue = """
        local info = redis.call('INFO', 'replication')
        if not string.find(info, 'role:master', 1, true) then
          return redis.error_reply('READONLY This server is no primary.')
        end
        local life = string.match(info, 'master_replid:(%w+)') or ''

        local function keep(key, time)
          if redis.call('PTTL', key) < time * 0.75 then redis.call('PEXPIRE', key, time) end
        end

        """;

    /// <summary>Runs the operations of a batch.</summary>
    internal const string Each = """
        -- One operation that fails must not take the others of its batch with it.
        local function each(results, count, operation)
          for i = 1, count do
            local ok, result = pcall(operation, i)
            if not ok then result = { type(result) == 'table' and result.err or tostring(result) } end
            results[i] = result
          end
          return results
        end

        """;

    private const string Enter = """
        local function enter(meta, events, epoch, idle, fence)
          local m = redis.call('HMGET', meta, 'epoch', 'life', 'seq', 'half', 'bytes', fence)
          if m[2] ~= life then
            redis.call('DEL', events)
            redis.call('HSET', meta, 'epoch', epoch, 'life', life, 'seq', '0', 'half', '1', 'bytes', '0')
            m = { epoch, life, '0', '1', '0', m[6] }
          end
          keep(meta, idle)
          return m
        end

        """;

    /// <summary>
    /// Appends to channels. KEYS: state and stream of each. ARGV: milliseconds to keep the state and the stream, events in a
    /// half, bytes in a half, most fences; then for each channel: epoch if it has to begin one, fence's key (empty: none) and
    /// token (20 digits), hint's channel, number of events, and type and data of each. Answers for each channel: 1 or 0 (refused),
    /// epoch, seq; or an error's text alone.
    /// </summary>
    public const string Append = Prologue + Each + Enter + """
        local idle, age, most, full, fences = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
        local at = 6

        -- The older half goes, by when they were first seen.
        local function forget(meta)
          local all, old = redis.call('HGETALL', meta), {}
          for i = 1, #all, 2 do
            if string.sub(all[i], 1, 2) == 'f:' then old[#old + 1] = { all[i], tonumber(string.sub(all[i + 1], 21)) } end
          end
          if #old <= fences then return end
          table.sort(old, function(a, b) return a[2] < b[2] end)
          for i = 1, #old - math.ceil(fences / 2) do redis.call('HDEL', meta, old[i][1]) end
        end

        local function admits(meta, fence, token, known)
          if known and token < string.sub(known, 1, 20) then return false end
          if not known then
            redis.call('HSET', meta, fence, token .. redis.call('HINCRBY', meta, 'seen', 1))
            if redis.call('HLEN', meta) > fences + 6 then forget(meta) end
          elseif token > string.sub(known, 1, 20) then
            redis.call('HSET', meta, fence, token .. string.sub(known, 21))
          end
          return true
        end

        local function append(i)
          local meta, events = KEYS[2 * i - 1], KEYS[2 * i]
          local epoch, key, token, hint, count = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], tonumber(ARGV[at + 4])
          local first = at + 5
          at = first + 2 * count
          local m = enter(meta, events, epoch, idle, 'f:' .. key)
          local seq, half, bytes = tonumber(m[3]), tonumber(m[4]), tonumber(m[5])
          if key ~= '' and not admits(meta, 'f:' .. key, token, m[6]) then return { 0, m[1], seq } end
          local last, oldest = seq + count, nil
          for n = first, at - 1, 2 do bytes = bytes + #ARGV[n + 1] + 48 end
          if bytes > full or last - half + 1 >= most then oldest, half, bytes = half, last + 1, 0 end

          -- Before the events: should they not all get in, there is a gap, which sends readers to the snapshot, instead of an id
          -- that is refused for ever.
          redis.call('HSET', meta, 'seq', string.format('%.0f', last), 'half', string.format('%.0f', half), 'bytes', string.format('%.0f', bytes))
          for n = first, at - 1, 2 do
            seq = seq + 1
            redis.call('XADD', events, string.format('%.0f', seq), 't', ARGV[n], 'd', ARGV[n + 1])
          end
          if oldest then redis.call('XTRIM', events, 'MINID', string.format('%.0f', oldest)) end
          keep(events, age)
          redis.call('PUBLISH', hint, m[1] .. ':' .. string.format('%.0f', last))
          return { 1, m[1], last }
        end

        return each({}, #KEYS / 2, append)
        """;

    /// <summary>
    /// Reads channels. KEYS: state and stream of each. ARGV: milliseconds to keep the state; then for each channel: epoch if it has
    /// to begin one, the position's epoch (empty: everything kept) and seq, most events (0: none). Answers for each channel: epoch,
    /// seq, and the events if there are any to read: id, and type and data behind their names; or an error's text alone.
    /// </summary>
    public const string Read = Prologue + Each + Enter + """
        local idle = tonumber(ARGV[1])

        local function read(i)
          local meta, events, at = KEYS[2 * i - 1], KEYS[2 * i], 4 * i - 2
          local m = enter(meta, events, ARGV[at], idle, 'f:')
          local epoch, from, most, seq = ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3], tonumber(m[3])
          if most == '0' then return { m[1], seq } end
          if epoch == '' then return { m[1], seq, redis.call('XRANGE', events, '-', '+') } end
          if epoch ~= m[1] or from >= seq then return { m[1], seq } end
          return { m[1], seq, redis.call('XRANGE', events, string.format('%.0f', from + 1), '+', 'COUNT', most) }
        end

        return each({}, #KEYS / 2, read)
        """;

    /// <summary>
    /// Where channels stand, without beginning an epoch. KEYS: their states. ARGV: milliseconds to keep those. Answers for each:
    /// its position, or nothing when it has none or the one it has is of another life.
    /// </summary>
    public const string Heads = Prologue + """
        local heads = {}
        for i, meta in ipairs(KEYS) do
          local m = redis.call('HMGET', meta, 'epoch', 'life', 'seq')
          heads[i] = ''
          if m[2] == life then
            keep(meta, tonumber(ARGV[1]))
            heads[i] = m[1] .. ':' .. m[3]
          end
        end
        return heads
        """;
}
