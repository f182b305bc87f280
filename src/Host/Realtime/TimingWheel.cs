namespace SevenX42.Host.Realtime;

/// <summary>What a <see cref="TimingWheel"/> keeps; the wheel alone touches these.</summary>
internal abstract class Timed
{
    internal Timed? Next { get; set; }

    internal Timed? Previous { get; set; }

    /// <summary>When it is due; negative when it is on no wheel.</summary>
    internal long Due { get; set; } = -1;
}

/// <summary>
/// Thousands of deadlines on one clock: each tick costs what is due then, scheduling and cancelling cost nothing more
/// than a few references. No clock and no lock of its own.
/// </summary>
internal sealed class TimingWheel(int slots = 64)
{
    private readonly Timed?[] _slots = new Timed?[slots];

    /// <summary>The last tick that <see cref="Advance"/> came to.</summary>
    public long Now { get; private set; }

    /// <summary>Sets or moves a deadline, at least one tick from now.</summary>
    public void Schedule(Timed item, long ticks)
    {
        Cancel(item);
        item.Due = Now + Math.Max(1, ticks);
        ref var slot = ref _slots[item.Due % _slots.Length];
        item.Next = slot;
        if (slot is not null)
            slot.Previous = item;
        slot = item;
    }

    /// <summary>Removes a deadline, if there is one.</summary>
    public void Cancel(Timed item)
    {
        if (item.Due < 0)
            return;
        if (item.Next is not null)
            item.Next.Previous = item.Previous;
        if (item.Previous is not null)
            item.Previous.Next = item.Next;
        else
            _slots[item.Due % _slots.Length] = item.Next;
        (item.Next, item.Previous, item.Due) = (null, null, -1);
    }

    /// <summary>Moves the clock on and takes out everything that came due on the way.</summary>
    public void Advance(long now, List<Timed> due)
    {
        // After a long sleep every slot is looked at once, not once per missed tick.
        for (var tick = Math.Max(Now + 1, now - _slots.Length + 1); tick <= now; tick++)
        {
            for (var item = _slots[tick % _slots.Length]; item is not null;)
            {
                var next = item.Next;
                if (item.Due <= now)
                {
                    Cancel(item);
                    due.Add(item);
                }

                item = next;
            }
        }

        Now = Math.Max(Now, now);
    }
}
