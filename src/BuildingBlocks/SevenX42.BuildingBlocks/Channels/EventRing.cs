using System.Runtime.CompilerServices;

namespace SevenX42.Realtime;

/// <summary>
/// The newest events of a channel, bounded in number, bytes and age. Numbers them without gaps and answers whether a
/// position can be resumed. No clock and no lock of its own.
/// </summary>
internal sealed class EventRing(int maxEvents, long maxBytes)
{
    /// <summary>What an event costs besides its data, so that many tiny events count too.</summary>
    public const int EventOverhead = 48;

    private Entry[] _entries = [];
    private int _start;

    /// <summary>Sequence number of the newest event ever appended; 0 before the first.</summary>
    public long Last { get; private set; }

    /// <summary>How many events are kept.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes of the kept events, overhead included.</summary>
    public long Bytes { get; private set; }

    /// <summary>Sequence number of the oldest event kept; <c>Last + 1</c> when none is.</summary>
    public long First => Last - Count + 1;

    /// <summary>Appends an event; older ones make room, but the newest is always kept.</summary>
    /// <param name="type">Event type.</param>
    /// <param name="data">Event data.</param>
    /// <param name="time">A clock that does not fall, in any unit; see <see cref="TrimOlderThan"/>.</param>
    public void Append(string type, ReadOnlyMemory<byte> data, long time)
    {
        if (Count == maxEvents)
            RemoveOldest();
        if (Count == _entries.Length)
            Grow();
        _entries[Index(Count++)] = new Entry(type, data, time);
        Last++;
        Bytes += data.Length + EventOverhead;
        while (Bytes > maxBytes && Count > 1)
            RemoveOldest();
    }

    /// <summary>Removes events that were appended before a time.</summary>
    public void TrimOlderThan(long time)
    {
        while (Count > 0 && _entries[_start].Time < time)
            RemoveOldest();
        if (Count == 0)
            (_entries, _start) = ([], 0);
    }

    /// <summary>Removes all events; the numbering goes on.</summary>
    public void Clear() => TrimOlderThan(long.MaxValue);

    /// <summary>Adds the events after <paramref name="from"/> to <paramref name="into"/>, at most <paramref name="max"/>.</summary>
    /// <returns>
    /// <see langword="false"/> and no events when <paramref name="from"/> is older than what is kept, or not reached yet.
    /// </returns>
    public bool TryRead(long from, int max, List<ChannelEvent> into)
    {
        if (from < First - 1 || from > Last)
            return false;
        var skip = (int)(from - (First - 1));
        var take = Math.Min(Count - skip, max);
        for (var i = 0; i < take; i++)
        {
            ref readonly var entry = ref _entries[Index(skip + i)];
            into.Add(new ChannelEvent(from + 1 + i, entry.Type, entry.Data));
        }

        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Index(int offset) => (_start + offset) & (_entries.Length - 1);

    private void RemoveOldest()
    {
        Bytes -= _entries[_start].Data.Length + EventOverhead;
        _entries[_start] = default;
        _start = Index(1);
        Count--;
    }

    private void Grow()
    {
        var larger = new Entry[Math.Max(4, _entries.Length * 2)];
        for (var i = 0; i < Count; i++)
            larger[i] = _entries[Index(i)];
        (_entries, _start) = (larger, 0);
    }

    private readonly record struct Entry(string Type, ReadOnlyMemory<byte> Data, long Time);
}
