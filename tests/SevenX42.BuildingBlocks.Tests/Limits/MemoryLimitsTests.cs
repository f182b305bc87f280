using Microsoft.Extensions.Time.Testing;
using SevenX42.Limits;

namespace SevenX42.BuildingBlocks.Tests.Limits;

/// <summary>Buckets and rooms of one process.</summary>
public sealed class MemoryLimitsTests
{
    private static readonly Rate Rate = new(3, TimeSpan.FromSeconds(10));

    private readonly FakeTimeProvider _time = new();
    private readonly MemoryLimits _limits;

    public MemoryLimitsTests() => _limits = new MemoryLimits(_time);

    [Fact]
    public void A_full_bucket_is_emptied_at_once_and_fills_one_by_one()
    {
        for (var i = 0; i < 3; i++)
            Assert.Equal(TimeSpan.Zero, _limits.Take("a", Rate));

        Assert.Equal(TimeSpan.FromSeconds(10), _limits.Take("a", Rate));
        Assert.Equal(TimeSpan.Zero, _limits.Take("b", Rate));
        _time.Advance(TimeSpan.FromSeconds(4));
        Assert.Equal(TimeSpan.FromSeconds(6), _limits.Take("a", Rate));
        _time.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal(TimeSpan.Zero, _limits.Take("a", Rate));
        Assert.Equal(TimeSpan.FromSeconds(10), _limits.Take("a", Rate));
    }

    [Fact]
    public void A_bucket_never_holds_more_than_its_size()
    {
        _limits.Take("a", Rate);
        _time.Advance(TimeSpan.FromDays(30));

        Assert.Equal(3, Enumerable.Range(0, 10).Count(_ => _limits.Take("a", Rate) == TimeSpan.Zero));
    }

    [Fact]
    public void So_many_in_a_window_may_come_at_once()
    {
        var rate = Rate.Of(20, TimeSpan.FromMinutes(1));

        Assert.Equal(20, Enumerable.Range(0, 30).Count(_ => _limits.Take("a", rate) == TimeSpan.Zero));
        Assert.Equal(TimeSpan.FromSeconds(3), _limits.Take("a", rate));
    }

    [Fact]
    public void What_is_remembered_is_bounded_and_full_buckets_are_forgotten_first()
    {
        var slow = new Rate(1, TimeSpan.FromHours(1));
        _limits.Take("slow", slow);
        for (var i = 1; i < MemoryLimits.MostBuckets; i++)
            _limits.Take($"{i}", Rate);
        _time.Advance(TimeSpan.FromMinutes(1));

        Assert.Equal(TimeSpan.Zero, _limits.Take("one too many", Rate));
        Assert.NotEqual(TimeSpan.Zero, _limits.Take("slow", slow));

        for (var i = 0; i < MemoryLimits.MostBuckets; i++)
            _limits.Take($"slow {i}", slow);
        Assert.Equal(TimeSpan.Zero, _limits.Take("slow", slow));
    }

    [Fact]
    public void A_place_is_free_again_once()
    {
        var first = _limits.TryEnter("room", 2)!;
        Assert.NotNull(_limits.TryEnter("room", 2));
        Assert.Null(_limits.TryEnter("room", 2));
        Assert.NotNull(_limits.TryEnter("other", 2));

        first.Dispose();
        first.Dispose();

        Assert.NotNull(_limits.TryEnter("room", 2));
        Assert.Null(_limits.TryEnter("room", 2));
    }
}
