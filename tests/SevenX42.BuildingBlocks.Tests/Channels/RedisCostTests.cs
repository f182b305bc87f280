using System.Globalization;
using System.Text;
using SevenX42.Realtime;
using SevenX42.Testing;

namespace SevenX42.BuildingBlocks.Tests.Channels;

/// <summary>What the log costs Redis: commands, memory, and nothing for ever.</summary>
public sealed class RedisCostTests : IAsyncLifetime
{
    private readonly string _prefix = RedisLog.NewPrefix();
    private RedisProcess _redis = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _redis = await RedisProcess.StartAsync();

    public ValueTask DisposeAsync() => _redis.DisposeAsync();

    [Fact]
    public async Task An_operation_is_one_command()
    {
        await using var process = new RedisLog(_redis.Address, _prefix);
        await AppendAsync(process.Log, "c/1", "a");
        var position = await process.Log.GetPositionAsync("c/1", Cancel);
        var before = await CommandsAsync();

        for (var i = 0; i < 10; i++)
        {
            await AppendAsync(process.Log, "c/1", "b", "c", "d");
            await process.Log.ReadAsync("c/1", position, 100, [], Cancel);
            await process.Log.ReadRetainedAsync("c/1", [], Cancel);
        }

        Assert.Equal(30, await CommandsAsync() - before);
    }

    [Fact]
    public async Task While_many_stream_a_token_costs_less_than_a_third_of_a_command()
    {
        const int streams = 50, tokens = 40;
        await using var worker = new RedisLog(_redis.Address, _prefix);
        await using var web = new RedisLog(_redis.Address, _prefix);
        await AppendAsync(worker.Log, "warm", "a");
        await web.Log.GetPositionAsync("warm", Cancel);
        var before = await CommandsAsync();

        // The worst case of a producer, which coalesces nothing, and of a reader, which reads at every token.
        await Task.WhenAll(Enumerable.Range(0, streams).Select(async stream =>
        {
            var position = await web.Log.GetPositionAsync($"c/{stream}", Cancel);
            for (var token = 0; token < tokens; token++)
            {
                await AppendAsync(worker.Log, $"c/{stream}", $"{token}");
                Assert.True((await web.Log.ReadAsync($"c/{stream}", position with { Seq = token }, 100, [], Cancel)).Recovered);
            }
        }));

        var commands = await CommandsAsync() - before;
        TestContext.Current.TestOutputHelper!.WriteLine($"{commands} commands for {streams * tokens} tokens.");
        Assert.InRange(commands / (double)(streams * tokens), 0.0001, 0.3);
    }

    [Fact]
    public async Task Idle_subscribers_cost_two_commands_an_interval_all_together_and_nobody_costs_nothing()
    {
        const int subscribers = 200, intervals = 10;
        var interval = TimeSpan.FromMilliseconds(200);
        await using var process = new RedisLog(_redis.Address, _prefix, ("CheckInterval", interval.ToString()));
        await using var peer = new RedisLog(_redis.Address, _prefix);
        var subscriptions = new List<IDisposable>();
        for (var i = 0; i < subscribers; i++)
        {
            await process.Log.GetPositionAsync($"c/{i}", Cancel);
            subscriptions.Add(process.Log.Subscribe($"c/{i}", static () => { }));
        }

        await HaveSubscribersAsync("c/*", subscribers);
        var (before, probes) = (await CommandsAsync(), await _redis.CallsAsync("publish"));
        await Eventually.TrueAsync(async () => await _redis.CallsAsync("publish") >= probes + intervals);
        var (looks, published) = (await CommandsAsync() - before, await _redis.CallsAsync("publish") - probes);
        Assert.InRange(looks, published - 1, published + 2);

        // What is said of other channels goes by.
        await AppendAsync(peer.Log, "other/1", "a");
        await AppendAsync(peer.Log, "c/7", "a");
        await Eventually.TrueAsync(() => process.Meters["hints"] > 0);
        Assert.Equal(1, process.Meters["hints"]);

        foreach (var subscription in subscriptions)
            subscription.Dispose();
        await HaveSubscribersAsync("c/*", 0);
        var (after, probed) = (await CommandsAsync(), await _redis.CallsAsync("publish"));
        await Task.Delay(interval * 4, TimeProvider.System, Cancel);
        Assert.Equal((after, probed), (await CommandsAsync(), await _redis.CallsAsync("publish")));
    }

    [Fact]
    public async Task Everything_in_redis_ends_by_itself()
    {
        await using var process = new RedisLog(_redis.Address, _prefix, ("MaxAge", "00:01:00"), ("MaxIdle", "00:02:00"));
        await process.Log.GetPositionAsync("asked/1", Cancel);
        await process.Log.AppendAsync("c/1", [new("t", "1"u8.ToArray())], new Fence("job", 1), Cancel);

        var keys = (await _redis.CommandAsync("KEYS", "*")).Split('\n');

        Assert.Equal(3, keys.Length);
        foreach (var key in keys)
            Assert.InRange(await NumberAsync("PTTL", key), 1, key.EndsWith(":events", StringComparison.Ordinal) ? 60_000 : 120_000);
    }

    [Fact]
    public async Task Events_that_have_ended_leave_the_numbering_and_a_use_keeps_the_channel()
    {
        await using var process = new RedisLog(_redis.Address, _prefix, ("MaxAge", "00:00:00.2"), ("MaxIdle", "00:00:01.5"));
        var start = await process.Log.GetPositionAsync("c/1", Cancel);
        await AppendAsync(process.Log, "c/1", "a", "b");

        await Eventually.TrueAsync(async () => await NumberAsync("EXISTS", $"{_prefix}:{{c/1}}:events") == 0);
        for (var i = 0; i < 20; i++)
        {
            Assert.Equal(start with { Seq = 2 }, await process.Log.GetPositionAsync("c/1", Cancel));
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Cancel);
        }

        Assert.False((await process.Log.ReadAsync("c/1", start, 10, [], Cancel)).Recovered);
        Assert.True((await process.Log.ReadAsync("c/1", start with { Seq = 2 }, 10, [], Cancel)).Recovered);
        Assert.Equal(start with { Seq = 3 }, await AppendAsync(process.Log, "c/1", "c"));
    }

    [Fact]
    public async Task Events_beyond_the_byte_limit_of_a_channel_make_room_for_newer_ones()
    {
        await using var process = new RedisLog(_redis.Address, _prefix, ("MaxBytesPerChannel", "20000"));
        for (var i = 1; i <= 100; i++)
        {
            await AppendAsync(process.Log, "c/1", new string('x', 1_000));
            Assert.InRange(await NumberAsync("XLEN", $"{_prefix}:{{c/1}}:events"), Math.Min(i, 9), 20);
        }

        var last = await AppendAsync(process.Log, "c/1", new string('x', 500_000));
        var events = new List<ChannelEvent>();
        Assert.True((await process.Log.ReadAsync("c/1", last with { Seq = last.Seq - 1 }, 10, events, Cancel)).Recovered);
        Assert.Equal(500_000, Assert.Single(events).Data.Length);
    }

    [Fact]
    public async Task The_number_of_fences_of_a_channel_is_bounded_and_the_newest_hold()
    {
        await using var process = new RedisLog(_redis.Address, _prefix);
        for (var key = 0; key < 3_000; key += 100)
        {
            await Task.WhenAll(Enumerable.Range(key, 100).Select(async k =>
                Assert.True((await process.Log.AppendAsync("c/1", [new("t", "1"u8.ToArray())], new Fence($"{k}", 5), Cancel)).Accepted)));
        }

        Assert.InRange(await NumberAsync("HLEN", $"{_prefix}:{{c/1}}:state"), 512, 1_024 + 6);
        for (var key = 2_600; key < 3_000; key++)
            Assert.False((await process.Log.AppendAsync("c/1", [new("t", "1"u8.ToArray())], new Fence($"{key}", 4), Cancel)).Accepted);
        Assert.False((await process.Log.AppendAsync("c/1", [new("t", "1"u8.ToArray())], new Fence("2999", long.MinValue), Cancel)).Accepted);
        Assert.True((await process.Log.AppendAsync("c/1", [new("t", "1"u8.ToArray())], new Fence("2999", long.MaxValue - 1), Cancel)).Accepted);
        Assert.True((await process.Log.AppendAsync("c/1", [new("t", "1"u8.ToArray())], new Fence("2999", long.MaxValue), Cancel)).Accepted);
        Assert.False((await process.Log.AppendAsync("c/1", [new("t", "1"u8.ToArray())], new Fence("2999", long.MaxValue - 1), Cancel)).Accepted);
    }

    [Fact]
    public async Task A_channel_that_is_broken_fails_alone()
    {
        await using var process = new RedisLog(_redis.Address, _prefix);
        await _redis.CommandAsync("SET", $"{_prefix}:{{broken/1}}:state", "not ours");

        var all = Enumerable.Range(0, 20).Select(i => AppendAsync(process.Log, i == 10 ? "broken/1" : $"c/{i}", "a")).ToList();

        await Assert.ThrowsAsync<ChannelLogUnavailableException>(() => all[10]);
        all.RemoveAt(10);
        Assert.All(await Task.WhenAll(all), position => Assert.Equal(1, position.Seq));
    }

    private static async Task<ChannelPosition> AppendAsync(IChannelLog log, string channel, params string[] texts) =>
        (await log.AppendAsync(channel, [.. texts.Select(t => new NewChannelEvent("t", Encoding.UTF8.GetBytes(t)))], null, Cancel)).Last;

    // Scripts are all that processes send; what runs inside them is not theirs.
    private async Task<long> CommandsAsync() => await _redis.CallsAsync("evalsha") + await _redis.CallsAsync("eval");

    private async Task<long> NumberAsync(params string[] command) => long.Parse(await _redis.CommandAsync(command), CultureInfo.InvariantCulture);

    private Task HaveSubscribersAsync(string channels, int count) => Eventually.TrueAsync(async () =>
        (await _redis.CommandAsync("PUBSUB", "CHANNELS", $"{_prefix}:hints:{channels}")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length == count);
}
