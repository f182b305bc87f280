using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using SevenX42.BuildingBlocks.Tests.Channels;
using SevenX42.Limits;
using SevenX42.Testing;

namespace SevenX42.BuildingBlocks.Tests.Limits;

/// <summary>Limits that processes share, and what becomes of them when Redis is away, hangs or has lost everything.</summary>
public sealed class RedisLimitsTests : IAsyncLifetime
{
    private static readonly Rate Slow = new(5, TimeSpan.FromHours(1));

    private readonly string _prefix = RedisLog.NewPrefix();
    private readonly FakeTimeProvider _time = new();
    private RedisProcess _redis = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _redis = await RedisProcess.StartAsync();

    public ValueTask DisposeAsync() => _redis.DisposeAsync();

    [Fact]
    public async Task Processes_take_from_one_bucket_and_never_more_than_it_holds()
    {
        await using var one = await StartAsync();
        await using var two = await StartAsync();

        var waits = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => TakeAsync(i % 2 == 0 ? one : two, Slow)));

        Assert.Equal(5, waits.Count(w => w == TimeSpan.Zero));
        // An hour for one, less what has passed since the first.
        Assert.All(waits.Where(w => w > TimeSpan.Zero), w => Assert.InRange(w, TimeSpan.FromMinutes(59), TimeSpan.FromHours(1)));
        Assert.Equal(TimeSpan.Zero, await one.Limits.TakeAsync("another", Slow, Cancel));
        // It ends by itself when it is full again.
        var left = long.Parse(await _redis.CommandAsync("PTTL", $"{_prefix}:{{bucket}}:bucket"), CultureInfo.InvariantCulture);
        Assert.InRange(left, 4.9 * 3_600_000, 5 * 3_600_000);
        Assert.Equal(0, one.Meters["alone"] + two.Meters["alone"]);
    }

    [Fact]
    public async Task A_bucket_fills_on_the_clock_of_redis()
    {
        var rate = new Rate(2, TimeSpan.FromSeconds(1));
        await using var one = await StartAsync();
        await using var two = await StartAsync();
        await TakeAsync(one, rate);
        await TakeAsync(one, rate);

        var wait = await TakeAsync(two, rate);

        Assert.InRange(wait, TimeSpan.FromMicroseconds(1), TimeSpan.FromSeconds(1));
        // The clock of both processes stands still.
        await Eventually.TrueAsync(async () => await TakeAsync(two, rate) == TimeSpan.Zero);
    }

    [Fact]
    public async Task A_decision_is_one_call_and_decisions_at_once_are_few()
    {
        await using var process = await StartAsync();
        await TakeAsync(process, Slow);
        var before = await _redis.CallsAsync("evalsha");

        await TakeAsync(process, Slow);
        Assert.Equal(before + 1, await _redis.CallsAsync("evalsha"));

        // All of them are asked before the first is answered: that one, and 64 in each call behind it.
        await _redis.HoldUpAsync();
        var decisions = Task.WhenAll(Enumerable.Range(0, 128).Select(_ => TakeAsync(process, Slow)));
        await _redis.GoOnAsync();
        await decisions;
        Assert.Equal(before + 1 + 3, await _redis.CallsAsync("evalsha"));
    }

    [Fact]
    public async Task Places_are_counted_over_all_processes_and_leaving_makes_room()
    {
        await using var one = await StartAsync();
        await using var two = await StartAsync();
        var first = await EnterAsync(one);
        Assert.NotNull(first);
        Assert.NotNull(await EnterAsync(two));
        Assert.Null(await EnterAsync(one));
        Assert.Null(await EnterAsync(two));
        Assert.NotNull(await two.Limits.EnterAsync("other", 2, Cancel));

        first.Dispose();
        first.Dispose();

        await Eventually.TrueAsync(async () => await EnterAsync(two) is not null);
        Assert.Null(await EnterAsync(one));
    }

    [Fact]
    public async Task Places_of_a_killed_process_end_and_those_of_a_living_one_do_not()
    {
        var times = new LimitTimes(Patience: TimeSpan.FromSeconds(10), Pause: TimeSpan.FromSeconds(5), Lease: TimeSpan.FromSeconds(2));
        await using var killed = await StartAsync(times);
        await using var living = new RedisLog(_redis.Address, _prefix, TimeProvider.System, times);
        await living.StartAsync();
        await using var third = await StartAsync(times);
        Assert.NotNull(await EnterAsync(living));
        Assert.NotNull(await EnterAsync(killed));
        Assert.Null(await EnterAsync(living));

        // One of them renews nothing: its clock stands still.
        await Eventually.TrueAsync(async () => await EnterAsync(living) is not null);

        // The older place is still taken, although its lease would have ended first. A process that has none asks Redis.
        Assert.Null(await EnterAsync(third));
    }

    [Fact]
    public async Task Places_that_redis_has_lost_count_again_when_they_are_renewed()
    {
        await using var one = await StartAsync();
        await using var two = await StartAsync();
        await EnterAsync(one);
        await EnterAsync(one);
        await _redis.CommandAsync("FLUSHALL");

        await Eventually.TrueAsync(async () =>
        {
            _time.Advance(LimitTimes.Default.Lease / 3);
            return await _redis.CommandAsync("ZCARD", $"{_prefix}:{{room}}:room") == "2";
        });

        Assert.Null(await EnterAsync(two));
    }

    [Fact]
    public async Task Without_redis_each_process_has_its_own_limits_and_then_again_those_of_all()
    {
        await using var one = await StartAsync();
        await using var two = await StartAsync();
        await _redis.KillAsync();

        foreach (var process in (RedisLog[])[one, two])
        {
            var waits = new List<TimeSpan>();
            for (var i = 0; i < 7; i++)
                waits.Add(await TakeAsync(process, Slow));
            Assert.Equal(5, waits.Count(w => w == TimeSpan.Zero));
            Assert.NotNull(await EnterAsync(process));
            Assert.NotNull(await EnterAsync(process));
            Assert.Null(await EnterAsync(process));
            Assert.Equal((7, 2), (process.Meters["alone take"], process.Meters["alone enter"]));
        }

        await _redis.StartAgainAsync();
        await Eventually.TrueAsync(async () =>
        {
            _time.Advance(LimitTimes.Default.Pause);
            return await _redis.CommandAsync("ZCARD", $"{_prefix}:{{room}}:room") == "4";
        });
        Assert.Equal(TimeSpan.Zero, await TakeAsync(one, Slow));
    }

    [Fact]
    public async Task A_redis_that_hangs_holds_up_nobody_but_who_asks_first_and_those_for_half_a_second()
    {
        await using var process = await StartAsync();
        await _redis.HoldUpAsync();
        try
        {
            var first = TakeAsync(process, Slow);
            Assert.False(first.IsCompleted);
            _time.Advance(LimitTimes.Default.Patience);
            Assert.Equal(TimeSpan.Zero, await first);

            // No clock moves any more, and nobody waits.
            Assert.True(TakeAsync(process, Slow).IsCompleted);
            Assert.True(EnterAsync(process).IsCompleted);

            // When the pause has ended, one asks, and the others go on as before.
            _time.Advance(LimitTimes.Default.Pause);
            var next = TakeAsync(process, Slow);
            Assert.False(next.IsCompleted);
            Assert.True(TakeAsync(process, Slow).IsCompleted);
            _time.Advance(LimitTimes.Default.Patience);
            await next;
        }
        finally
        {
            await _redis.GoOnAsync();
        }

        await Eventually.TrueAsync(async () =>
        {
            var alone = process.Meters["alone take"];
            _time.Advance(LimitTimes.Default.Pause);
            var asked = TakeAsync(process, Slow);
            var answered = await Task.WhenAny(asked, Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, Cancel)) == asked;
            _time.Advance(LimitTimes.Default.Patience);
            await asked;
            return answered && process.Meters["alone take"] == alone;
        });
    }

    private async Task<RedisLog> StartAsync(LimitTimes? times = null)
    {
        var process = new RedisLog(_redis.Address, _prefix, _time, times ?? LimitTimes.Default);
        await process.StartAsync();
        return process;
    }

    private static Task<TimeSpan> TakeAsync(RedisLog process, Rate rate) => process.Limits.TakeAsync("bucket", rate, Cancel).AsTask();

    private static Task<IDisposable?> EnterAsync(RedisLog process) => process.Limits.EnterAsync("room", 2, Cancel).AsTask();
}
