using SevenX42.Realtime;
using SevenX42.Testing;

namespace SevenX42.BuildingBlocks.Tests.Channels;

/// <summary>Redis loses events that it had answered for; no number is given out twice.</summary>
public sealed class RedisLossTests : FailingRedis
{
    [Fact]
    public async Task A_redis_that_comes_back_with_an_older_state_gives_out_no_number_twice()
    {
        await using var redis = await RedisProcess.StartAsync();
        await using var process = new RedisLog(redis.Address, Prefix);
        await AppendAsync(process.Log, "a");
        Assert.Equal("OK", await redis.CommandAsync("SAVE"));
        var lost = await AppendAsync(process.Log, "b");

        await redis.KillAsync();
        await redis.StartAgainAsync();
        Assert.Equal("1", await redis.CommandAsync("EXISTS", $"{Prefix}:{{c/1}}:events"));
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
        await using var writer = new RedisLog(redis.Primary.Address, Prefix);
        await using var process = new RedisLog($"{redis.ConnectionString},connectTimeout=500", Prefix);
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
        await using var process = new RedisLog(redis.Primary.Address, Prefix);
        await AppendAsync(process.Log, "a");

        await redis.Primary.CommandAsync("REPLICAOF", "127.0.0.1", $"{redis.Replica.Port}");

        await Assert.ThrowsAsync<ChannelLogUnavailableException>(async () => await process.Log.GetPositionAsync("c/1", Cancel));
    }
}
