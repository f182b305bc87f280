using System.Diagnostics;
using SevenX42.Realtime;
using SevenX42.Testing;

namespace SevenX42.BuildingBlocks.Tests.Channels;

/// <summary>Redis fails in every way it can; nobody is left waiting, and no number is given out twice.</summary>
public sealed class RedisFaultTests
{
    private static readonly TimeSpan Seconds = TimeSpan.FromSeconds(5);

    private readonly string _prefix = RedisLog.NewPrefix();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Subscribers_are_woken_within_seconds_after_everything_was_flushed()
    {
        await using var redis = await RedisProcess.StartAsync();
        await using var process = new RedisLog(redis.Address, _prefix);
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
        await using var process = new RedisLog($"{redis.Address},user=deaf,password=secret", _prefix);
        await using var peer = new RedisLog(redis.Address, _prefix);
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
        await using var process = new RedisLog(redis.Address, _prefix, ("CheckInterval", "00:10:00"));
        await using var peer = new RedisLog(redis.Address, _prefix);
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
        await using var process = new RedisLog(proxy.Address, _prefix, ("CheckInterval", "00:00:00.5"));
        await using var peer = new RedisLog(redis.Address, _prefix);
        await SubscribeAsync(process);

        Assert.Equal(1, proxy.Silence("7x42-hints"));

        await Eventually.TrueAsync(() => process.Meters["resubscriptions probe"] == 1);
        var before = process.Meters["hints"];
        await Eventually.TrueAsync(async () =>
        {
            await AppendAsync(peer.Log, "a");
            return process.Meters["hints"] > before;
        });
        Assert.Equal(0, process.Meters["failures"]);
    }

    [Fact]
    public async Task A_redis_that_is_away_is_said_within_seconds_and_comes_back_unaided()
    {
        await using var redis = await RedisProcess.StartAsync();
        await using var process = new RedisLog(redis.Address, _prefix);
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
        await using var process = new RedisLog(redis.Address, _prefix);
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

    [Fact]
    public async Task A_redis_that_comes_back_with_an_older_state_gives_out_no_number_twice()
    {
        await using var redis = await RedisProcess.StartAsync();
        await using var process = new RedisLog(redis.Address, _prefix);
        await AppendAsync(process.Log, "a");
        Assert.Equal("OK", await redis.CommandAsync("SAVE"));
        var lost = await AppendAsync(process.Log, "b");

        await redis.KillAsync();
        await redis.StartAgainAsync();
        Assert.Equal("1", await redis.CommandAsync("EXISTS", $"{_prefix}:{{c/1}}:events"));
        await Eventually.TrueAsync(() => AnswersAsync(process.Log));

        var other = await AppendAsync(process.Log, "c");
        Assert.NotEqual(lost.Epoch, other.Epoch);
        Assert.Equal(1, other.Seq);
        var (read, texts) = await ReadAsync(process.Log, lost with { Seq = 1 });
        Assert.False(read.Recovered);
        Assert.Empty(texts);
        Assert.Equal(["c"], (await ReadAsync(process.Log, other with { Seq = 0 })).Texts);
    }

    [Fact]
    public async Task A_promoted_replica_gives_out_no_number_twice_and_wakes_subscribers()
    {
        await using var redis = new RedisFailover();
        await redis.InitializeAsync();
        await using var writer = new RedisLog(redis.Primary.Address, _prefix);
        await using var process = new RedisLog($"{redis.ConnectionString},connectTimeout=500", _prefix);
        var woken = await SubscribeAsync(process);
        var kept = await AppendAsync(writer.Log, "a", "b", "c");

        // The old primary goes on for a moment, and answers for what the new one will never have.
        await redis.PromoteAsync();
        var lost = await AppendAsync(writer.Log, "d", "e");
        Assert.Equal(kept with { Seq = kept.Seq + 2 }, lost);
        woken.Reset();
        await redis.Primary.KillAsync();

        Assert.True(await woken.WaitAsync(Seconds * 2));
        await Eventually.TrueAsync(() => AnswersAsync(process.Log));
        var other = await AppendAsync(process.Log, "f");
        Assert.NotEqual(kept.Epoch, other.Epoch);
        Assert.Equal(1, other.Seq);
        foreach (var position in (ChannelPosition[])[kept, lost, kept with { Seq = 0 }])
        {
            var (read, texts) = await ReadAsync(process.Log, position);
            Assert.False(read.Recovered);
            Assert.Equal(other, read.Head);
            Assert.Empty(texts);
        }
    }

    [Fact]
    public async Task A_replica_is_not_taken_for_the_log()
    {
        await using var redis = new RedisFailover();
        await redis.InitializeAsync();
        await using var process = new RedisLog(redis.Primary.Address, _prefix);
        await AppendAsync(process.Log, "a");

        await redis.Primary.CommandAsync("REPLICAOF", "127.0.0.1", $"{redis.Replica.Port}");

        await Assert.ThrowsAsync<ChannelLogUnavailableException>(async () => await process.Log.GetPositionAsync("c/1", Cancel));
    }

    /// <summary>Subscribes, and waits until hints come in and everything that has to be woken at first was.</summary>
    private static async Task<Signal> SubscribeAsync(RedisLog process, bool hinted = true)
    {
        var woken = new Signal();
        process.Log.Subscribe("c/1", woken.Set);
        await Eventually.TrueAsync(async () =>
        {
            if (!hinted)
                return await woken.WaitAsync(Seconds);
            await AppendAsync(process.Log, "hint");
            return process.Meters["hints"] > 0;
        });
        woken.Reset();
        return woken;
    }

    private static async Task UnavailableAsync(IChannelLog log)
    {
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(
            Assert.ThrowsAsync<ChannelLogUnavailableException>(() => AppendAsync(log, "x")),
            Assert.ThrowsAsync<ChannelLogUnavailableException>(async () => await log.GetPositionAsync("c/1", Cancel)),
            Assert.ThrowsAsync<ChannelLogUnavailableException>(async () => await log.ReadRetainedAsync("c/1", [], Cancel)));
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, Seconds * 2);
    }

    private static async Task<bool> AnswersAsync(IChannelLog log)
    {
        try
        {
            await log.GetPositionAsync("c/1", Cancel);
            return true;
        }
        catch (ChannelLogUnavailableException)
        {
            return false;
        }
    }

    private static async Task<ChannelPosition> AppendAsync(IChannelLog log, params string[] texts) =>
        (await log.AppendAsync("c/1", [.. texts.Select(t => new NewChannelEvent("t", System.Text.Encoding.UTF8.GetBytes(t)))], null, Cancel)).Last;

    private static async Task<(ChannelRead Read, List<string> Texts)> ReadAsync(IChannelLog log, ChannelPosition from)
    {
        var events = new List<ChannelEvent>();
        var read = await log.ReadAsync("c/1", from, 100, events, Cancel);
        return (read, [.. events.Select(e => System.Text.Encoding.UTF8.GetString(e.Data.Span))]);
    }
}
