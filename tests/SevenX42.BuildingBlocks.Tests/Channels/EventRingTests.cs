using CsCheck;
using SevenX42.Realtime;

namespace SevenX42.BuildingBlocks.Tests.Channels;

public sealed class EventRingTests
{
    private static readonly Gen<(char Kind, int Number)> Operation = Gen.Frequency(
        (6, Gen.Int[0, 400].Select(size => ('a', size))),
        (1, Gen.Int[0, 60].Select(age => ('t', age))),
        (1, Gen.Const(('c', 0))));

    [Fact]
    public void A_ring_is_the_tail_of_everything_appended()
    {
        Gen.Select(Operation.List[0, 200], Gen.Int[1, 20], Gen.Int[1, 3_000]).Sample((operations, maxEvents, maxBytes) =>
        {
            var ring = new EventRing(maxEvents, maxBytes);
            var model = new List<(long Seq, int Size, long Time)>();
            long now = 0, last = 0;
            foreach (var (kind, number) in operations)
            {
                now++;
                switch (kind)
                {
                    case 'a':
                        ring.Append("t", new byte[number], now);
                        model.Add((++last, number, now));
                        while (model.Count > maxEvents || (model.Count > 1 && model.Sum(e => e.Size + EventRing.EventOverhead) > maxBytes))
                            model.RemoveAt(0);
                        break;
                    case 't':
                        ring.TrimOlderThan(now - number);
                        model.RemoveAll(e => e.Time < now - number);
                        break;
                    default:
                        ring.Clear();
                        model.Clear();
                        break;
                }

                Assert.Equal(last, ring.Last);
                Assert.Equal(model.Count, ring.Count);
                Assert.Equal(model.Sum(e => e.Size + EventRing.EventOverhead), ring.Bytes);
            }

            for (var from = -1L; from <= last + 1; from++)
            {
                var events = new List<ChannelEvent>();
                var recovered = ring.TryRead(from, 7, events);
                Assert.Equal(from >= last - model.Count && from <= last, recovered);
                var expected = recovered ? model.Where(e => e.Seq > from).Take(7).Select(e => (e.Seq, e.Size)) : [];
                Assert.Equal(expected, events.Select(e => (e.Seq, e.Data.Length)));
            }
        });
    }
}
