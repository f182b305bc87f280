using CsCheck;
using SevenX42.Host.Realtime;

namespace SevenX42.Host.Tests.Realtime;

public sealed class CreditWindowTests
{
    private static readonly Gen<(bool Send, int Number)> Operation = Gen.Frequency(
        (3, Gen.Int[1, 3_000].Select(bytes => (true, bytes))),
        (1, Gen.Int[0, 60].Select(seq => (false, seq))));

    [Fact]
    public void It_never_frees_bytes_too_early_and_frees_all_at_the_last_number()
    {
        Gen.Select(Operation.List[1, 200], Gen.Int[1_000, 20_000]).Sample((operations, limit) =>
        {
            var window = new CreditWindow(limit);
            var (model, seq) = (new List<(long Seq, int Bytes)>(), 0L);
            foreach (var (send, number) in operations)
            {
                if (send)
                {
                    var fits = window.Fits(number);
                    Assert.Equal(window.Used == 0 || window.Used + number <= limit, fits);
                    if (!fits)
                        continue;
                    // Some frames end with the same number as the one before.
                    seq += number % 3;
                    window.Sent(seq, number);
                    model.Add((seq, number));
                }
                else
                {
                    var used = window.Used;
                    var upTo = seq - (number / 4);
                    var freed = window.Acknowledge(upTo);
                    model.RemoveAll(m => m.Seq <= upTo);
                    Assert.Equal(used, window.Used + freed);
                }

                Assert.InRange(window.Used, model.Sum(m => m.Bytes), int.MaxValue);
                Assert.Equal(window.Used <= limit / 2, window.IsLow);
                // What it holds too long is never more than a few grains.
                Assert.InRange(window.Used, 0, model.Sum(m => m.Bytes) + (limit / 8) + 3_000);
            }

            window.Acknowledge(seq);
            Assert.Equal(0, window.Used);
            Assert.True(window.Fits(int.MaxValue));
        });
    }

    [Fact]
    public void Any_number_of_frames_costs_a_handful_of_marks()
    {
        var window = new CreditWindow(1_000_000);
        for (var i = 0; i < 100; i++)
            window.Sent(i, 10);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 100; i < 90_000; i++)
            window.Sent(i, 10);

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 2_000);
    }
}

public sealed class TokenBucketTests
{
    [Fact]
    public void In_any_span_there_are_no_more_than_the_burst_and_the_rate_and_none_are_lost()
    {
        Gen.Select(Gen.Int[1, 50], Gen.Int[1, 50], Gen.Int[0, 200].List[1, 300]).Sample((perSecond, burst, pauses) =>
        {
            var (now, taken) = (1_000L, new List<long>());
            var bucket = new TokenBucket(perSecond, burst, now);
            foreach (var pause in pauses)
            {
                now += pause;
                if (bucket.TryTake(now))
                {
                    taken.Add(now);
                }
                else
                {
                    Assert.InRange(bucket.RetryAfter, 1, 1_000);
                    var later = bucket;
                    Assert.False(later.TryTake(now + bucket.RetryAfter - 1));
                    later = bucket;
                    Assert.True(later.TryTake(now + bucket.RetryAfter));
                }
            }

            for (var i = 0; i < taken.Count; i++)
            {
                for (var j = i; j < taken.Count; j++)
                    Assert.InRange(j - i + 1, 1, burst + ((taken[j] - taken[i]) * perSecond / 1000.0) + 0.001);
            }
        });
    }

    [Fact]
    public void A_long_pause_fills_it_and_no_more()
    {
        var bucket = new TokenBucket(10_000, 3, 0);
        for (var i = 0; i < 3; i++)
            Assert.True(bucket.TryTake(long.MaxValue / 2));
        Assert.False(bucket.TryTake(long.MaxValue / 2));
    }
}

public sealed class TimingWheelTests
{
    private static readonly Gen<(char Kind, int Item, int Ticks)> Operation = Gen.Select(
        Gen.Frequency((3, Gen.Const('s')), (1, Gen.Const('c')), (2, Gen.Const('a'))), Gen.Int[0, 9], Gen.Frequency((5, Gen.Int[0, 20]), (1, Gen.Int[0, 200])));

    [Fact]
    public void Everything_comes_due_once_in_its_tick_and_nothing_that_was_cancelled()
    {
        Gen.Select(Operation.List[1, 200], Gen.Int[1, 16]).Sample((operations, slots) =>
        {
            var wheel = new TimingWheel(slots);
            var items = Enumerable.Range(0, 10).Select(n => new Item(n)).ToArray();
            var model = new Dictionary<int, long>();
            var now = 0L;
            foreach (var (kind, item, ticks) in operations)
            {
                switch (kind)
                {
                    case 's':
                        wheel.Schedule(items[item], ticks);
                        model[item] = now + Math.Max(1, ticks);
                        break;
                    case 'c':
                        wheel.Cancel(items[item]);
                        model.Remove(item);
                        break;
                    default:
                        now += ticks;
                        var due = new List<Timed>();
                        wheel.Advance(now, due);
                        var expected = model.Where(m => m.Value <= now).Select(m => m.Key).Order().ToList();
                        Assert.Equal(expected, due.Select(d => ((Item)d).Number).Order());
                        expected.ForEach(e => model.Remove(e));
                        break;
                }
            }
        });
    }

    private sealed class Item(int number) : Timed
    {
        public int Number => number;
    }
}
