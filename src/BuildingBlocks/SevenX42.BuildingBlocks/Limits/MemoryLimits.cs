namespace SevenX42.Limits;

/// <summary>The limits of one process.</summary>
internal sealed class MemoryLimits(TimeProvider time) : ISharedLimits
{
    internal const int MostBuckets = 50_000;

    private readonly Lock _gate = new();

    // When each will be full again. Rooms without anybody are not kept.
    private readonly Dictionary<string, long> _buckets = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _rooms = new(StringComparer.Ordinal);

    public ValueTask<TimeSpan> TakeAsync(string bucket, Rate rate, CancellationToken cancellationToken) =>
        ValueTask.FromResult(Take(bucket, rate));

    public ValueTask<IDisposable?> EnterAsync(string room, int most, CancellationToken cancellationToken) =>
        ValueTask.FromResult<IDisposable?>(TryEnter(room, most));

    public TimeSpan Take(string bucket, Rate rate)
    {
        var now = time.GetElapsedTime(0).Ticks;
        lock (_gate)
        {
            var full = _buckets.GetValueOrDefault(bucket, now);
            var wait = rate.Take(ref full, now);
            if (wait > 0)
                return TimeSpan.FromTicks(wait);
            if (_buckets.Count >= MostBuckets && !_buckets.ContainsKey(bucket))
                Forget(now);
            _buckets[bucket] = full;
            return TimeSpan.Zero;
        }
    }

    public Place? TryEnter(string room, int most)
    {
        lock (_gate)
        {
            var taken = _rooms.GetValueOrDefault(room);
            if (taken >= most)
                return null;
            _rooms[room] = taken + 1;
            return new Place(this, room);
        }
    }

    // A full bucket is as good as none. Should that not be enough, everybody's is filled: that harms less than remembering all who
    // ever came.
    private void Forget(long now)
    {
        foreach (var (bucket, full) in _buckets)
        {
            if (full <= now)
                _buckets.Remove(bucket);
        }

        if (_buckets.Count > MostBuckets / 2)
            _buckets.Clear();
    }

    internal sealed class Place(MemoryLimits limits, string room) : IDisposable
    {
        private bool _left;

        public void Dispose()
        {
            lock (limits._gate)
            {
                if (_left)
                    return;
                _left = true;
                if (--limits._rooms[room] == 0)
                    limits._rooms.Remove(room);
            }
        }
    }
}
