using System.Diagnostics;
using SevenX42.Testing;

namespace SevenX42.BuildingBlocks.Tests.Channels;

/// <summary>Redis, or the way to it, fails; nobody is left waiting, and everything comes back unaided.</summary>
public sealed class RedisFaultTests : FailingRedis
{
    [Fact]
    public async Task Subscribers_are_woken_within_seconds_after_everything_was_flushed()
    {
        await using var redis = await RedisProcess.StartAsync();
        await using var process = new RedisLog(redis.Address, Prefix);
        var before = await AppendAsync(process.Log, "a");
        var woken = await SubscribeAsync(process);

        await redis.CommandAsync("FLUSHALL");

        Assert.True(await woken.WaitAsync(Seconds));
        var (read, _) = await ReadAsync(process.Log, before);
        Assert.False(read.Recovered);
        Assert.NotEqual(before.Epoch, read.Head.Epoch);
        Assert.Equal(0, read.Head.Seq);
    }

    [Fact]
    public async Task Without_any_hint_subscribers_are_woken_within_five_seconds_and_hints_come_back_by_themselves()
    {
        await using var redis = await RedisProcess.StartAsync();
        await redis.CommandAsync("ACL", "SETUSER", "deaf", "on", ">secret", "~*", "+@all", "resetchannels");
        await using var process = new RedisLog($"{redis.Address},user=deaf,password=secret", Prefix);
        await using var peer = new RedisLog(redis.Address, Prefix);
        var start = await process.Log.GetPositionAsync("c/1", Cancel);
        var woken = await SubscribeAsync(process, hinted: false);
        var started = Stopwatch.GetTimestamp();

        await AppendAsync(peer.Log, "a");

        Assert.True(await woken.WaitAsync(Seconds));
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, Seconds);
        Assert.Equal(["a"], (await ReadAsync(process.Log, start)).Texts);
        await Eventually.TrueAsync(() => process.Meters["missed_hints"] == 1);
        Assert.Equal(0, process.Meters["hints"]);

        await redis.CommandAsync("ACL", "SETUSER", "deaf", "allchannels");
        await Eventually.TrueAsync(async () =>
        {
            await AppendAsync(peer.Log, "b");
            return process.Meters["hints"] > 0;
        });
    }

    [Fact]
    public async Task Subscribers_are_woken_when_their_connection_was_cut()
    {
        await using var redis = await RedisProcess.StartAsync();
        await using var process = new RedisLog(redis.Address, Prefix, ("CheckInterval", "00:10:00"));
        await using var peer = new RedisLog(redis.Address, Prefix);
        var woken = await SubscribeAsync(process);

        await redis.CommandAsync("CLIENT", "KILL", "TYPE", "pubsub");
        await AppendAsync(peer.Log, "a");

        // There is no looking for ten minutes: this is the connection that came back.
        Assert.True(await woken.WaitAsync(Seconds));
        Assert.InRange(process.Meters["resubscriptions reconnect"], 1, 10);
        woken.Reset();
        await Eventually.TrueAsync(async () =>
        {
            await AppendAsync(peer.Log, "b");
            return woken.IsSet && process.Meters["hints"] > 0;
        });
    }

    [Fact]
    public async Task A_subscription_that_died_unnoticed_is_found_and_made_anew()
    {
        await using var redis = await RedisProcess.StartAsync();
        await using var proxy = TcpProxy.Start(redis.Port);
        await using var process = new RedisLog(proxy.Address, Prefix, ("CheckInterval", "00:00:00.5"));
        await using var peer = new RedisLog(redis.Address, Prefix);
        await SubscribeAsync(process);

        // A machine that is busy for a second has had it made anew already, at looks as close as these.
        var found = process.Meters["resubscriptions probe"];
        Assert.NotEqual(0, proxy.Silence("7x42-hints"));

        await Eventually.TrueAsync(() => process.Meters["resubscriptions probe"] > found);
        var before = process.Meters["hints"];
        await Eventually.TrueAsync(async () =>
        {
            await AppendAsync(peer.Log, "a");
            return process.Meters["hints"] > before;
        });
        await Eventually.TrueAsync(() => process.Meters["lag"] > 0);
        Assert.Equal(0, process.Meters["failures"]);
    }

    [Fact]
    public async Task A_connection_for_hints_that_died_before_it_was_asked_for_any_is_made_anew()
    {
        await using var redis = await RedisProcess.StartAsync();
        await using var proxy = TcpProxy.Start(redis.Port);
        await using var process = new RedisLog(proxy.Address, Prefix, ("CheckInterval", "00:00:00.5"));
        await using var peer = new RedisLog(redis.Address, Prefix);
        proxy.SilenceUpon($"{Prefix}:probe:");

        process.Log.Subscribe("c/1", () => { });

        // Given up, it counts with the time it had; what comes after that has come on the new one.
        await Eventually.TrueAsync(() => process.Meters["resubscriptions probe"] > 0 && process.Meters["lag"] > 0);
        var givenUp = process.Meters["lag"];
        await Eventually.TrueAsync(async () =>
        {
            await AppendAsync(peer.Log, "a");
            return process.Meters["hints"] > 0 && process.Meters["lag"] > givenUp;
        });
    }

    [Fact]
    public async Task A_redis_that_is_away_is_said_within_seconds_and_comes_back_unaided()
    {
        await using var redis = await RedisProcess.StartAsync();
        await using var process = new RedisLog(redis.Address, Prefix);
        var before = await AppendAsync(process.Log, "a");
        var woken = await SubscribeAsync(process);

        await redis.KillAsync();
        await UnavailableAsync(process.Log);
        Assert.Equal(1, process.Meters["failures append"]);
        Assert.Equal(2, process.Meters["failures read"]);
        woken.Reset();
        await redis.StartAgainAsync();

        Assert.True(await woken.WaitAsync(Seconds));
        await Eventually.TrueAsync(() => AnswersAsync(process.Log));
        Assert.False((await ReadAsync(process.Log, before)).Read.Recovered);
        var hints = process.Meters["hints"];
        await Eventually.TrueAsync(async () =>
        {
            await AppendAsync(process.Log, "b");
            return process.Meters["hints"] > hints;
        });
    }

    [Fact]
    public async Task A_redis_that_hangs_is_said_within_seconds_however_many_ask()
    {
        await using var redis = await RedisProcess.StartAsync();
        await using var process = new RedisLog(redis.Address, Prefix);
        await AppendAsync(process.Log, "a");

        await redis.HoldUpAsync();
        try
        {
            // More than go together in one call.
            await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => UnavailableAsync(process.Log)));
        }
        finally
        {
            await redis.GoOnAsync();
        }

        await Eventually.TrueAsync(() => AnswersAsync(process.Log));
    }
}
