using System.Text;
using SevenX42.Host.Realtime;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Realtime;

/// <summary>What slow readers cost. Alone, since it weighs the whole process's memory.</summary>
[Collection(nameof(Alone))]
public sealed class BackpressureTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task When_the_window_is_full_nothing_more_is_pushed_and_acknowledging_brings_the_rest_merged()
    {
        await using var host = await RealtimeHost.StartAsync(settings: [("Realtime:ChannelWindowBytes", "2048"), ("Realtime:ConnectionWindowBytes", "2048")]);
        await using var client = await host.ConnectAsync();
        client.Acknowledges = false;
        var (number, _, _) = await client.SubscribedAsync("room/1");
        await using var witness = await host.ConnectAsync();
        var (seen, _, _) = await witness.SubscribedAsync("room/1");

        // One small event a frame, each after the one before was seen by a client that acknowledges.
        for (var i = 0; i < 100; i++)
        {
            await host.Rooms.WriteAsync("room/1", $"{i,-50}");
            await witness.EventsAsync(seen);
        }

        var pushed = client.Pending();
        Assert.InRange(pushed.Count, 10, 40);
        Assert.InRange(client.BytesReceived, 1_000, 2_048 + (pushed.Count * 32) + 200);
        var text = new StringBuilder();
        foreach (var frame in pushed)
            SubscriptionTests.Apply(text, RealtimeClient.Events(frame));
        Assert.NotEqual(host.Rooms.Stored("room/1"), text.ToString());
        Assert.Equal(pushed.Count, client.Pending().Count);

        await client.AcknowledgeAsync(number, RealtimeClient.Events(pushed[^1])[^1].Seq);

        // Everything missed is one event: the position was kept, the queue was not.
        var rest = await client.NextAsync(m => RealtimeClient.ChannelOf(m) is not null && RealtimeClient.Events(m)[^1].Seq == 100);
        var e = Assert.Single(RealtimeClient.Events(rest));
        Assert.Equal(host.Rooms.Stored("room/1"), e.Data[1].GetString());
    }

    [Fact]
    public async Task A_part_of_the_window_acknowledged_lets_it_go_on_only_when_half_is_free()
    {
        await using var host = await RealtimeHost.StartAsync(settings: [("Realtime:ChannelWindowBytes", "2048"), ("Realtime:ConnectionWindowBytes", "4096")]);
        await using var client = await host.ConnectAsync();
        client.Acknowledges = false;
        var (number, _, _) = await client.SubscribedAsync("room/1", raw: true);
        await using var witness = await host.ConnectAsync();
        var (seen, _, _) = await witness.SubscribedAsync("room/1", raw: true);
        for (var i = 0; i < 40; i++)
        {
            await host.Rooms.WriteAsync("room/1", new string('x', 180));
            await witness.EventsAsync(seen);
        }

        var pushed = client.Pending();
        Assert.InRange(pushed.Count, 8, 10);
        await client.AcknowledgeAsync(number, 1);
        await client.SubscribedAsync("room/2");
        Assert.Equal(pushed.Count, client.Pending().Count);

        client.Acknowledges = true;
        await client.AcknowledgeAsync(number, RealtimeClient.Events(pushed[^1])[^1].Seq);

        await Eventually.TrueAsync(() => client.Pending().SelectMany(RealtimeClient.Events).Select(e => e.Seq).SequenceEqual(Enumerable.Range(1, 40).Select(n => (long)n)));
    }

    [Fact]
    public async Task A_channel_that_is_not_acknowledged_stops_others_of_its_connection_only_at_the_connection_s_window()
    {
        await using var host = await RealtimeHost.StartAsync(settings: [("Realtime:ChannelWindowBytes", "2048"), ("Realtime:ConnectionWindowBytes", "4096")]);
        await using var client = await host.ConnectAsync();
        client.Acknowledges = false;
        var (one, _, _) = await client.SubscribedAsync("room/1", raw: true);
        var (two, _, _) = await client.SubscribedAsync("room/2", raw: true);
        var (three, _, _) = await client.SubscribedAsync("room/3", raw: true);
        await using var witness = await host.ConnectAsync();
        foreach (var room in new[] { "room/1", "room/2", "room/3" })
        {
            var (seen, _, _) = await witness.SubscribedAsync(room, raw: true);
            for (var i = 0; i < 15; i++)
            {
                await host.Rooms.WriteAsync(room, new string('x', 300));
                await witness.EventsAsync(seen);
            }
        }

        var pushed = client.Pending().ToLookup(RealtimeClient.ChannelOf);
        Assert.InRange(pushed[one].Count(), 5, 6);
        Assert.InRange(pushed[two].Count(), 5, 6);
        Assert.InRange(pushed[three].Count(), 0, 1);

        client.Acknowledges = true;
        await client.AcknowledgeAsync(one, 15);
        await client.AcknowledgeAsync(two, 15);

        // Room made on one channel lets the others go on.
        await Eventually.TrueAsync(() => new[] { one, two, three }.All(c =>
            client.Pending().Where(m => RealtimeClient.ChannelOf(m) == c).SelectMany(RealtimeClient.Events).Count() == 15));
    }

    [Fact]
    public async Task An_event_larger_than_the_window_still_comes()
    {
        await using var host = await RealtimeHost.StartAsync(settings: [("Realtime:ChannelWindowBytes", "1024"), ("Realtime:ConnectionWindowBytes", "1024")]);
        await using var client = await host.ConnectAsync();
        var (number, _, _) = await client.SubscribedAsync("room/1");

        for (var i = 0; i < 3; i++)
        {
            await host.Rooms.WriteAsync("room/1", new string('x', 100_000));
            await client.EventsAsync(number);
        }
    }

    [Fact]
    public async Task A_client_that_reads_nothing_costs_little_delays_nobody_and_goes_on_later()
    {
        await using var host = await RealtimeHost.StartAsync(settings: ("Realtime:ClientTimeout", "01:00:00"));
        var stalled = new List<RealtimeClient>();
        for (var i = 0; i < 20; i++)
        {
            var (client, _) = await RealtimeClient.TryConnectAsync(host.Address, host.Identity.Issue(), read: false);
            await client!.SubscribeAsync("room/1");
            stalled.Add(client);
        }

        await Eventually.TrueAsync(() => host.Rooms.Asked == 20);
        await using var reader = await host.ConnectAsync();
        var (number, _, _) = await reader.SubscribedAsync("room/1");
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var (text, slowest) = (new StringBuilder(), TimeSpan.Zero);
        for (var i = 0; i < 150; i++)
        {
            var started = TimeProvider.System.GetTimestamp();
            await host.Rooms.WriteAsync("room/1", new string('x', 5_000));
            SubscriptionTests.Apply(text, await reader.EventsAsync(number));
            var took = TimeProvider.System.GetElapsedTime(started);
            slowest = took > slowest ? took : slowest;
        }

        var cost = GC.GetTotalMemory(forceFullCollection: true) - before;
        // The log itself keeps 750 KB of it, and the stored text, the projector's and this test's are 1.5 MB each.
        Assert.InRange(cost, long.MinValue, 6_000_000 + (stalled.Count * 256 * 1024));
        Assert.InRange(slowest.TotalSeconds, 0, 2);
        Assert.Equal(host.Rooms.Stored("room/1"), text.ToString());

        foreach (var client in stalled)
        {
            client.StartReading();
            var (late, c) = (new StringBuilder(), (await client.NextAsync("subbed")).GetProperty("c").GetInt32());
            while (late.Length < 750_000)
                SubscriptionTests.Apply(late, await client.EventsAsync(c));
            Assert.Equal(text.ToString(), late.ToString());
            await client.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_stalled_client_whose_position_the_log_no_longer_holds_is_sent_to_the_snapshot()
    {
        await using var host = await RealtimeHost.StartAsync(settings:
            [("Realtime:ChannelWindowBytes", "1024"), ("Realtime:ConnectionWindowBytes", "1024"), ("ChannelLog:Memory:MaxEventsPerChannel", "50")]);
        await using var client = await host.ConnectAsync();
        client.Acknowledges = false;
        var (number, _, _) = await client.SubscribedAsync("room/1");
        for (var i = 0; i < 200; i++)
            await host.Rooms.WriteAsync("room/1", $"{i,-40}");
        await Eventually.TrueAsync(() => client.Pending().Count > 0);
        for (var i = 0; i < 200; i++)
            await host.Rooms.WriteAsync("room/1", $"{i,-40}");
        await Eventually.TrueAsync(() => client.Pending().Count > 0);
        await client.AcknowledgeAsync(number, 1_000_000);

        var reset = await client.NextAsync("reset");

        Assert.Equal(number, reset.GetProperty("c").GetInt32());
        Assert.Equal("lag", reset.GetProperty("code").GetString());
    }
}
