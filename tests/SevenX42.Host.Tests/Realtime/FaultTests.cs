using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using SevenX42.Realtime;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Realtime;

/// <summary>The log and the projectors fail in every way they can; the socket stays and the text is whole.</summary>
public sealed class FaultTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_new_epoch_sends_every_viewer_to_the_snapshot()
    {
        await using var host = await StartAsync();
        var log = host.Services.GetRequiredService<FaultyLog>();
        await using var one = await host.ConnectAsync();
        await using var two = await host.ConnectAsync();
        var (a, before, _) = await one.SubscribedAsync("room/1");
        var (b, _, _) = await two.SubscribedAsync("room/1", raw: true);

        log.BeginEpoch();
        await host.Rooms.WriteAsync("room/1", "x");

        var reset = await one.NextAsync("reset");
        Assert.Equal(a, reset.GetProperty("c").GetInt32());
        Assert.Equal("epoch", reset.GetProperty("code").GetString());
        Assert.Equal(b, (await two.NextAsync("reset")).GetProperty("c").GetInt32());
        Assert.False((await one.SubscribedAsync("room/1", before)).Recovered);
        var position = (await log.GetPositionAsync("room/1", Cancel)).ToString();
        Assert.StartsWith(position.Split(':')[0], reset.GetProperty("pos").GetString(), StringComparison.Ordinal);
        var (number, _, recovered) = await one.SubscribedAsync("room/1", position);
        Assert.True(recovered);
        await host.Rooms.WriteAsync("room/1", "y");
        Assert.Equal("[0,\"xy\"]", (await one.EventsAsync(number))[0].Data.GetRawText());
    }

    [Fact]
    public async Task A_lost_wake_up_is_made_good_within_five_seconds()
    {
        await using var host = await StartAsync();
        var log = host.Services.GetRequiredService<FaultyLog>();
        await using var client = await host.ConnectAsync();
        var (number, _, _) = await client.SubscribedAsync("room/1");
        await host.Rooms.WriteAsync("room/1", "a");
        await client.EventsAsync(number);
        log.LosesWakeUps = true;
        var started = TimeProvider.System.GetTimestamp();

        await host.Rooms.WriteAsync("room/1", "b");

        Assert.Equal("[1,\"b\"]", (await client.EventsAsync(number))[0].Data.GetRawText());
        Assert.InRange(TimeProvider.System.GetElapsedTime(started).TotalSeconds, 0, 5);
    }

    [Fact]
    public async Task A_log_that_is_away_is_waited_for_and_nothing_is_lost()
    {
        await using var host = await StartAsync();
        var log = host.Services.GetRequiredService<FaultyLog>();
        await using var client = await host.ConnectAsync();
        var (number, _, _) = await client.SubscribedAsync("room/1");
        await host.Rooms.WriteAsync("room/1", "a");
        await client.EventsAsync(number);

        log.IsAway = true;
        await host.Rooms.WriteAsync("room/1", "b");
        await client.SubscribeAsync("room/2");
        Assert.Equal("unavailable", (await client.NextAsync("denied")).GetProperty("code").GetString());
        log.IsAway = false;

        Assert.Equal("[1,\"b\"]", (await client.EventsAsync(number))[0].Data.GetRawText());
        Assert.True((await client.SubscribedAsync("room/2")).Recovered);
    }

    [Fact]
    public async Task A_projector_that_fails_sends_its_viewers_to_the_snapshot_and_is_made_anew()
    {
        await using var host = await StartAsync();
        await using var client = await host.ConnectAsync();
        await using var raw = await host.ConnectAsync();
        var (number, _, _) = await client.SubscribedAsync("room/1");
        var (rawNumber, _, _) = await raw.SubscribedAsync("room/1", raw: true);
        host.Rooms.BeforeProject = text => throw new InvalidOperationException($"planted for {text}");
        await host.Rooms.WriteAsync("room/1", "poison");

        var reset = await client.NextAsync("reset");
        Assert.Equal((number, "fault"), (reset.GetProperty("c").GetInt32(), reset.GetProperty("code").GetString()));
        Assert.Equal("poison", (await raw.EventsAsync(rawNumber))[0].Data.GetString());
        Assert.Contains(host.Logs.All, line => line.Level == LogLevel.Error && line.Text.Contains("room/1", StringComparison.Ordinal));

        host.Rooms.BeforeProject = null;
        var position = (await host.Log.GetPositionAsync("room/1", Cancel)).ToString();
        var (again, _, recovered) = await client.SubscribedAsync("room/1", position);
        Assert.True(recovered);
        await host.Rooms.WriteAsync("room/1", "!");
        Assert.Equal("[0,\"poison!\"]", (await client.EventsAsync(again))[0].Data.GetRawText());
    }

    [Fact]
    public async Task A_projector_that_can_not_load_denies_for_now()
    {
        await using var host = await StartAsync();
        host.Rooms.BeforeLoad = _ => throw new InvalidOperationException("planted");
        await using var client = await host.ConnectAsync();
        for (var i = 0; i < 3; i++)
        {
            await client.SubscribeAsync("room/1");
            Assert.Equal("unavailable", (await client.NextAsync("denied")).GetProperty("code").GetString());
        }

        host.Rooms.BeforeLoad = null;
        Assert.True((await client.SubscribedAsync("room/1")).Recovered);
    }

    private static Task<RealtimeHost> StartAsync() => RealtimeHost.StartAsync(services: FaultyLog.Replace);
}
