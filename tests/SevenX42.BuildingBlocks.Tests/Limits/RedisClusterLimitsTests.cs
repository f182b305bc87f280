using Microsoft.Extensions.Time.Testing;
using SevenX42.BuildingBlocks.Tests.Channels;
using SevenX42.Limits;
using SevenX42.Testing;

namespace SevenX42.BuildingBlocks.Tests.Limits;

/// <summary>Limits whose buckets and rooms stand on different nodes.</summary>
public sealed class RedisClusterLimitsTests(RedisCluster cluster) : IClassFixture<RedisCluster>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Buckets_and_rooms_are_those_of_all_processes_whichever_node_they_stand_on()
    {
        // More than nodes, and asked for at once, so that what goes together stands apart.
        const int names = 30, size = 3;
        var (prefix, rate) = (RedisLog.NewPrefix(), new Rate(size, TimeSpan.FromHours(1)));
        // A clock that stands still gives Redis all the time it needs.
        var time = new FakeTimeProvider();
        await using var one = new RedisLog(cluster.ConnectionString, prefix, time, LimitTimes.Default);
        await using var two = new RedisLog(cluster.ConnectionString, prefix, time, LimitTimes.Default);
        await one.StartAsync();
        await two.StartAsync();

        var asked = Enumerable.Range(0, names * size * 4).Select(i => (Process: i % 2 == 0 ? one : two, Name: i / 2 % names)).ToList();
        var waits = await Task.WhenAll(asked.Select(async a => (a.Name, Wait: await a.Process.Limits.TakeAsync($"bucket/{a.Name}", rate, Cancel))));
        var places = await Task.WhenAll(asked.Select(async a => (a.Name, Place: await a.Process.Limits.EnterAsync($"room/{a.Name}", size, Cancel))));

        Assert.All(waits.ToLookup(w => w.Name), bucket => Assert.Equal(size, bucket.Count(w => w.Wait == TimeSpan.Zero)));
        Assert.All(places.ToLookup(p => p.Name), room => Assert.Equal(size, room.Count(p => p.Place is not null)));
        Assert.Equal(0, one.Meters["alone"] + two.Meters["alone"]);
    }
}
