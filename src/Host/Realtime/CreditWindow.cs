namespace SevenX42.Host.Realtime;

/// <summary>
/// Bytes sent to a client that it has not acknowledged. Acknowledgements name a sequence number, so it remembers which
/// bytes belong to which numbers, coarsely: a bounded handful of marks, however many frames were sent. It may hold bytes a
/// little longer than a precise count would, never shorter; acknowledging the last number sent frees everything.
/// </summary>
internal sealed class CreditWindow(int limit)
{
    private const int MaxMarks = 32;
    private const int Grain = 16;

    private Mark[] _marks = [];
    private int _count;

    /// <summary>Unacknowledged bytes.</summary>
    public int Used { get; private set; }

    /// <summary>Whether at most half is used: time to go on after a stop, without stopping again at once.</summary>
    public bool IsLow => Used <= limit / 2;

    /// <summary>Whether a frame may be sent. One larger than the window may when nothing else is under way.</summary>
    public bool Fits(int bytes) => Used == 0 || Used + bytes <= limit;

    /// <summary>Notes that a frame was sent, whose last event has this sequence number.</summary>
    public void Sent(long seq, int bytes)
    {
        Used += bytes;
        if (_count > 0)
        {
            ref var last = ref _marks[_count - 1];
            seq = Math.Max(seq, last.Seq);
            if (_count == MaxMarks || last.Bytes + bytes <= limit / Grain)
            {
                last = new Mark(seq, last.Bytes + bytes);
                return;
            }
        }

        if (_count == _marks.Length)
            Array.Resize(ref _marks, Math.Max(4, _count * 2));
        _marks[_count++] = new Mark(seq, bytes);
    }

    /// <summary>Takes an acknowledgement of everything up to a sequence number.</summary>
    /// <returns>The bytes that it frees.</returns>
    public int Acknowledge(long seq)
    {
        var (freed, acknowledged) = (0, 0);
        while (acknowledged < _count && _marks[acknowledged].Seq <= seq)
            freed += _marks[acknowledged++].Bytes;
        if (acknowledged > 0)
        {
            _marks.AsSpan(acknowledged, _count - acknowledged).CopyTo(_marks);
            _count -= acknowledged;
            Used -= freed;
        }

        return freed;
    }

    private readonly record struct Mark(long Seq, int Bytes);
}
