using System.Globalization;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Host.Realtime;
using SevenX42.Realtime;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Realtime;

public sealed class SubscriptionTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Without_a_position_events_come_from_now_on()
    {
        await using var host = await RealtimeHost.StartAsync();
        await host.Rooms.WriteAsync("room/1", "before ");
        await using var client = await host.ConnectAsync();

        var (number, position, recovered) = await client.SubscribedAsync("room/1");
        await host.Rooms.WriteAsync("room/1", "after");

        Assert.True(recovered);
        Assert.EndsWith(":1", position, StringComparison.Ordinal);
        var e = Assert.Single(await client.EventsAsync(number));
        Assert.Equal((2, "edit"), (e.Seq, e.Type));
        Assert.Equal("before after", e.Data[1].GetString());
    }

    [Fact]
    public async Task From_a_position_everything_after_it_comes_merged()
    {
        await using var host = await RealtimeHost.StartAsync();
        var position = await host.Rooms.WriteAsync("room/1", "a");
        await host.Rooms.WriteAsync("room/1", "b", "c");
        await host.Rooms.WriteAsync("room/1", "d");
        await using var client = await host.ConnectAsync();

        var (number, from, recovered) = await client.SubscribedAsync("room/1", position.ToString());

        Assert.True(recovered);
        Assert.Equal(position.ToString(), from);
        var e = Assert.Single(await client.EventsAsync(number));
        Assert.Equal(4, e.Seq);
        Assert.Equal("[0,\"abcd\"]", e.Data.GetRawText());
    }

    [Fact]
    public async Task A_viewer_at_the_head_first_gets_whole_what_later_deltas_build_on()
    {
        await using var host = await RealtimeHost.StartAsync();
        var position = await host.Rooms.WriteAsync("room/1", "a");
        await using var early = await host.ConnectAsync();
        var (number, _, _) = await early.SubscribedAsync("room/1", position.ToString());
        Assert.Empty(early.Pending());
        var next = await host.Rooms.WriteAsync("room/1", "b");
        Assert.Equal("[0,\"ab\"]", (await early.EventsAsync(number))[0].Data.GetRawText());
        await using var late = await host.ConnectAsync();
        var (lateNumber, _, _) = await late.SubscribedAsync("room/1", next.ToString());

        await host.Rooms.WriteAsync("room/1", "c");

        Assert.Equal("[2,\"c\"]", (await early.EventsAsync(number))[0].Data.GetRawText());
        Assert.Equal("[0,\"abc\"]", (await late.EventsAsync(lateNumber))[0].Data.GetRawText());
    }

    [Fact]
    public async Task A_position_that_can_not_be_resumed_sends_to_the_snapshot_and_no_events_follow()
    {
        await using var host = await RealtimeHost.StartAsync();
        var head = await host.Rooms.WriteAsync("room/1", "a");
        await using var client = await host.ConnectAsync();

        foreach (var position in new[] { "elsewhere:1", $"{head.Epoch}:2", "rubbish", "" })
        {
            var (_, at, recovered) = await client.SubscribedAsync("room/1", position);
            Assert.False(recovered);
            Assert.Equal(head.ToString(), at);
        }

        await host.Rooms.WriteAsync("room/1", "b");
        await using var witness = await host.ConnectAsync();
        var (number, _, _) = await witness.SubscribedAsync("room/1", head.ToString());
        await witness.EventsAsync(number);
        Assert.Empty(client.Pending());
        // The snapshot carries a position from which it goes on.
        var (again, _, resumed) = await client.SubscribedAsync("room/1", head.ToString());
        Assert.True(resumed);
        Assert.Equal("[0,\"ab\"]", (await client.EventsAsync(again))[0].Data.GetRawText());
    }

    [Fact]
    public async Task A_page_that_is_ahead_of_this_replica_is_served_all_the_same()
    {
        // The feed reads at most every hour here, so that it is certainly behind.
        await using var host = await RealtimeHost.StartAsync(settings: ("Realtime:FlushInterval", "01:00:00"));
        await using var first = await host.ConnectAsync();
        await first.SubscribedAsync("room/1");
        await host.Rooms.WriteAsync("room/1", "a");
        await Eventually.TrueAsync(() => first.Pending().Count == 1);
        var position = await host.Rooms.WriteAsync("room/1", "b");

        await using var second = await host.ConnectAsync();
        var (_, at, recovered) = await second.SubscribedAsync("room/1", position.ToString());

        Assert.True(recovered);
        Assert.Equal(position.ToString(), at);
    }

    [Fact]
    public async Task A_stranger_is_told_the_same_as_for_a_channel_that_does_not_exist()
    {
        await using var host = await RealtimeHost.StartAsync();
        var user = TestIdentity.NewId();
        host.Rooms.Bar(user, "room/1");
        await host.Rooms.WriteAsync("room/1", "secret");
        await using var client = await host.ConnectAsync(user);

        foreach (var channel in new[] { "room/1", "nosuch/1", "room/", "room", "", "/", "ROOM/1", "room/ä", "room/a b", "room/" + new string('x', 200) })
        {
            var id = await client.SubscribeAsync(channel, "e:0");
            var denied = await client.NextAsync("denied");
            Assert.Equal(id, denied.GetProperty("id").GetInt32());
            Assert.Equal("not_found", denied.GetProperty("code").GetString());
        }

        await host.Rooms.WriteAsync("room/1", "more");
        Assert.Empty(client.Pending());
    }

    [Fact]
    public async Task A_policy_that_fails_denies_for_now()
    {
        await using var host = await RealtimeHost.StartAsync();
        host.Rooms.BeforePolicy = (_, _) => throw new InvalidOperationException("planted");
        await using var client = await host.ConnectAsync();

        await client.SubscribeAsync("room/1");
        Assert.Equal("unavailable", (await client.NextAsync("denied")).GetProperty("code").GetString());

        host.Rooms.BeforePolicy = null;
        Assert.True((await client.SubscribedAsync("room/1")).Recovered);
    }

    [Fact]
    public async Task Subscribing_to_the_same_channel_again_replaces_the_subscription()
    {
        await using var host = await RealtimeHost.StartAsync();
        var start = await host.Rooms.WriteAsync("room/1", "a");
        await using var client = await host.ConnectAsync();
        var (first, _, _) = await client.SubscribedAsync("room/1", start.ToString());

        var (second, _, _) = await client.SubscribedAsync("room/1", start.ToString());
        await host.Rooms.WriteAsync("room/1", "b");

        Assert.NotEqual(first, second);
        await client.EventsAsync(second);
        Assert.Empty(client.Pending());
    }

    [Fact]
    public async Task After_unsubscribing_nothing_comes()
    {
        await using var host = await RealtimeHost.StartAsync();
        await using var client = await host.ConnectAsync();
        var (one, _, _) = await client.SubscribedAsync("room/1");
        var (two, _, _) = await client.SubscribedAsync("room/2");
        await client.SendAsync($$"""{"op":"unsub","c":{{one}}}""");
        // Messages are handled in order, so that once this is answered the other is done.
        await client.SubscribedAsync("room/3");

        await host.Rooms.WriteAsync("room/1", "x");
        await host.Rooms.WriteAsync("room/2", "y");

        await client.EventsAsync(two);
        Assert.Empty(client.Pending());
    }

    [Fact]
    public async Task A_raw_subscription_gets_the_log_s_own_events()
    {
        await using var host = await RealtimeHost.StartAsync();
        var start = await host.Log.GetPositionAsync("room/1", Cancel);
        await host.Rooms.WriteAsync("room/1", "a", "b<>&\"ä😀");
        await using var client = await host.ConnectAsync();
        var (raw, _, _) = await client.SubscribedAsync("room/1", start.ToString(), raw: true);
        var (cooked, _, _) = await client.SubscribedAsync("room/1", start.ToString());

        var missed = await client.EventsAsync(raw);
        await client.EventsAsync(cooked);
        await host.Rooms.WriteAsync("room/1", "c");

        Assert.Equal(["a", "b<>&\"ä😀"], missed.Select(e => e.Data.GetString()));
        Assert.Equal([(1L, "text"), (2L, "text")], missed.Select(e => (e.Seq, e.Type)));
        Assert.Equal("c", (await client.EventsAsync(raw))[0].Data.GetString());
        Assert.Equal("edit", (await client.EventsAsync(cooked))[0].Type);
    }

    [Fact]
    public async Task A_long_raw_backlog_comes_in_frames_that_fit_the_window()
    {
        await using var host = await RealtimeHost.StartAsync();
        var start = await host.Log.GetPositionAsync("room/1", Cancel);
        for (var i = 0; i < 400; i++)
            await host.Rooms.WriteAsync("room/1", new string('x', 1_000));
        await using var client = await host.ConnectAsync();
        var (raw, _, _) = await client.SubscribedAsync("room/1", start.ToString(), raw: true);

        var seqs = new List<long>();
        while (seqs.Count < 400)
        {
            var events = await client.EventsAsync(raw);
            Assert.InRange(events.Count, 1, 65);
            seqs.AddRange(events.Select(e => e.Seq));
        }

        Assert.Equal(Enumerable.Range(1, 400).Select(n => (long)n), seqs);
    }

    [Fact]
    public async Task A_connection_has_a_limited_number_of_channels()
    {
        await using var host = await RealtimeHost.StartAsync(settings: ("Realtime:ChannelsPerConnection", "3"));
        await using var client = await host.ConnectAsync();
        var (first, _, _) = await client.SubscribedAsync("room/1");
        await client.SubscribedAsync("room/2");
        await client.SubscribedAsync("room/3");

        await client.SubscribeAsync("room/4");
        Assert.Equal("too_many_channels", (await client.NextAsync("denied")).GetProperty("code").GetString());
        Assert.True((await client.SubscribedAsync("room/3")).Recovered);
        await client.SendAsync($$"""{"op":"unsub","c":{{first}}}""");
        Assert.True((await client.SubscribedAsync("room/4")).Recovered);
    }

    [Fact]
    public async Task A_thousand_events_at_once_come_as_few_full_frames()
    {
        await using var host = await RealtimeHost.StartAsync();
        await using var client = await host.ConnectAsync();
        var (number, _, _) = await client.SubscribedAsync("room/1");
        for (var i = 0; i < 1_000; i++)
            await host.Rooms.WriteAsync("room/1", "token ");

        var (text, frames) = (new StringBuilder(), 0);
        while (text.Length < 6_000)
        {
            Apply(text, await client.EventsAsync(number));
            frames++;
        }

        Assert.Equal(host.Rooms.Stored("room/1"), text.ToString());
        Assert.InRange(frames, 1, 30);
    }

    [Fact]
    public async Task A_channel_is_projected_once_for_all_its_viewers()
    {
        await using var host = await RealtimeHost.StartAsync();
        var position = await host.Rooms.WriteAsync("room/1", "a");
        var clients = new List<(RealtimeClient Client, int Number)>();
        for (var i = 0; i < 20; i++)
        {
            var client = await host.ConnectAsync();
            clients.Add((client, (await client.SubscribedAsync("room/1", position.ToString())).Number));
        }

        await host.Rooms.WriteAsync("room/1", "b");
        foreach (var (client, number) in clients)
            await client.EventsAsync(number);
        Assert.Equal(1, host.Rooms.Projected);
        Assert.Equal(1, host.Rooms.CaughtUp);
        Assert.Equal(1, host.Rooms.Loaded);
        await host.Rooms.WriteAsync("room/1", "c");
        foreach (var (client, number) in clients)
            Assert.Equal("[2,\"c\"]", (await client.EventsAsync(number))[0].Data.GetRawText());

        Assert.Equal(2, host.Rooms.Projected);
        Assert.Equal(1, host.Rooms.CaughtUp);
        foreach (var (client, _) in clients)
            await client.DisposeAsync();
    }

    [Fact]
    public async Task A_viewer_that_comes_back_soon_finds_the_projector_still_there()
    {
        await using var host = await RealtimeHost.StartAsync();
        await using (var client = await host.ConnectAsync())
            await client.SubscribedAsync("room/1");
        await Eventually.TrueAsync(() => host.Clients.Count == 0);
        var position = await host.Rooms.WriteAsync("room/1", "missed");

        await using var again = await host.ConnectAsync();
        var (number, _, recovered) = await again.SubscribedAsync("room/1", position with { Seq = 0 } is var p ? p.ToString() : "");

        Assert.True(recovered);
        Assert.Equal("[0,\"missed\"]", (await again.EventsAsync(number))[0].Data.GetRawText());
        Assert.Equal(1, host.Rooms.Loaded);
    }

    [Fact]
    public async Task A_channel_that_nobody_comes_back_to_is_let_go()
    {
        await using var host = await RealtimeHost.StartAsync(settings: ("Realtime:FeedLinger", "00:00:00"));
        await using (var client = await host.ConnectAsync())
        {
            await client.SubscribedAsync("room/1");
            Assert.Equal(1, host.Services.GetRequiredService<ChannelFeeds>().Count);
        }

        await Eventually.TrueAsync(() => host.Services.GetRequiredService<ChannelFeeds>().Count == 0);
        await using var again = await host.ConnectAsync();
        Assert.True((await again.SubscribedAsync("room/1")).Recovered);
        Assert.Equal(2, host.Rooms.Loaded);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Text_is_complete_once_and_in_order_however_often_the_connection_is_cut(int seed)
    {
        await using var host = await RealtimeHost.StartAsync();
        var random = new Random(seed);
        var start = await host.Log.GetPositionAsync("room/1", Cancel);
        var writing = Task.Run(
            async () =>
            {
                var pace = new Random(seed + 1_000);
                for (var i = 0; i < 400; i++)
                {
                    await host.Rooms.WriteAsync("room/1", $"{i.ToString(CultureInfo.InvariantCulture)} ");
                    await Task.Delay(TimeSpan.FromMilliseconds(pace.Next(0, 6)), TimeProvider.System);
                }

                await host.Rooms.WriteAsync("room/1", "end");
            },
            Cancel);

        var (text, position, cuts) = (new StringBuilder(), start.ToString(), 0);
        while (!text.ToString().EndsWith("end", StringComparison.Ordinal))
        {
            await using var client = await host.ConnectAsync();
            var (number, from, recovered) = await client.SubscribedAsync("room/1", position);
            Assert.True(recovered);
            Assert.Equal(position, from);
            for (var frames = random.Next(1, 8); frames > 0 && !text.ToString().EndsWith("end", StringComparison.Ordinal); frames--)
            {
                var events = await client.EventsAsync(number);
                Apply(text, events);
                position = start with { Seq = events[^1].Seq } is var p ? p.ToString() : "";
            }

            client.Abort();
            cuts++;
        }

        await writing;
        Assert.Equal(host.Rooms.Stored("room/1"), text.ToString());
        Assert.InRange(cuts, 3, 400);
    }

    internal static void Apply(StringBuilder text, IReadOnlyList<RealtimeEvent> events)
    {
        foreach (var e in events)
        {
            var keep = e.Data[0].GetInt32();
            Assert.InRange(keep, 0, text.Length);
            text.Length = keep;
            text.Append(e.Data[1].GetString());
        }
    }
}
