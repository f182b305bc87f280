using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using SevenX42.Realtime;

namespace SevenX42.BuildingBlocks.Tests.Channels;

public sealed class MemoryChannelLogTests : ChannelLogContract
{
    private readonly FakeTimeProvider _time = new();
    private readonly MemoryChannelLogOptions _options = new() { MaxEventsPerChannel = EventsKept };

    private new MemoryChannelLog Log => (MemoryChannelLog)base.Log;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Events_beyond_the_byte_limit_of_a_channel_make_room_for_newer_ones()
    {
        _options.MaxBytesPerChannel = 10_000;
        for (var i = 0; i < 50; i++)
            await AppendAsync("bytes/1", new string('x', 1_000));

        var events = new List<ChannelEvent>();
        await Log.ReadRetainedAsync("bytes/1", events, Cancel);

        Assert.Equal(9, events.Count);
        Assert.Equal(50, events[^1].Seq);
        Assert.InRange(Log.TotalBytes, 9_000, 10_000);
    }

    [Fact]
    public async Task The_newest_event_is_kept_whatever_its_size()
    {
        _options.MaxBytesPerChannel = 100;
        await AppendAsync("bytes/1", "small");
        var last = (await AppendAsync("bytes/1", new string('x', 5_000))).Last;

        var (read, events) = await ReadAsync("bytes/1", last with { Seq = 1 });

        Assert.True(read.Recovered);
        Assert.Equal(5_000, Assert.Single(events).Data.Length);
    }

    [Fact]
    public async Task Events_are_forgotten_after_their_time_and_the_numbering_goes_on()
    {
        var start = await Log.GetPositionAsync("c/1", Cancel);
        await AppendAsync("c/1", "a");
        _time.Advance(_options.MaxAge - TimeSpan.FromMinutes(1));
        await AppendAsync("c/1", "b");
        Assert.True((await ReadAsync("c/1", start)).Read.Recovered);

        _time.Advance(TimeSpan.FromMinutes(2));

        Assert.False((await ReadAsync("c/1", start)).Read.Recovered);
        Assert.Equal(["b"], Texts((await ReadAsync("c/1", start with { Seq = 1 })).Events));
        Assert.Equal(start with { Seq = 3 }, (await AppendAsync("c/1", "c")).Last);
    }

    [Fact]
    public async Task A_channel_that_nobody_uses_is_forgotten_and_one_with_subscribers_is_not()
    {
        var idle = await Log.GetPositionAsync("idle/1", Cancel);
        var watched = await Log.GetPositionAsync("watched/1", Cancel);
        using (Log.Subscribe("watched/1", static () => { }))
        {
            _time.Advance(_options.MaxIdle + TimeSpan.FromMinutes(1));
            Assert.Equal(1, Log.ChannelCount);
            Assert.Equal(watched, await Log.GetPositionAsync("watched/1", Cancel));
            Assert.NotEqual(idle.Epoch, (await Log.GetPositionAsync("idle/1", Cancel)).Epoch);
        }

        _time.Advance(_options.MaxIdle + TimeSpan.FromMinutes(1));
        Assert.Equal(0, Log.ChannelCount);
    }

    [Fact]
    public async Task The_channels_longest_unused_make_room_when_all_together_are_too_big()
    {
        _options.MaxTotalBytes = 100_000;
        for (var i = 0; i < 30; i++)
        {
            await AppendAsync($"c/{i}", new string('x', 10_000));
            _time.Advance(TimeSpan.FromSeconds(1));
            Assert.InRange(Log.TotalBytes, 0, 100_000);
        }

        var kept = new List<int>();
        for (var i = 0; i < 30; i++)
        {
            var events = new List<ChannelEvent>();
            await Log.ReadRetainedAsync($"c/{i}", events, Cancel);
            if (events.Count > 0)
                kept.Add(i);
        }

        Assert.InRange(kept.Count, 7, 9);
        Assert.Equal(Enumerable.Range(30 - kept.Count, kept.Count), kept);
    }

    [Fact]
    public async Task The_number_of_channels_is_bounded()
    {
        _options.MaxChannels = 50;
        using var watched = Log.Subscribe("watched/1", static () => { });
        for (var i = 0; i < 500; i++)
        {
            await Log.GetPositionAsync($"c/{i}", Cancel);
            _time.Advance(TimeSpan.FromMilliseconds(1));
            Assert.InRange(Log.ChannelCount, 1, 50);
        }

        Assert.Equal(1, (await AppendAsync("watched/1", "a")).Last.Seq);
    }

    [Fact]
    public async Task Eviction_under_load_loses_no_accepted_event_of_a_watched_channel()
    {
        _options.MaxChannels = 20;
        using var watched = Log.Subscribe("watched/1", static () => { });
        var start = await Log.GetPositionAsync("watched/1", Cancel);

        await Task.WhenAll(
            Task.Run(() => AppendManyAsync("watched/1"), Cancel),
            Task.Run(TouchManyAsync, Cancel));

        Assert.Equal(start with { Seq = 2_000 }, await Log.GetPositionAsync("watched/1", Cancel));

        async Task AppendManyAsync(string channel)
        {
            for (var i = 0; i < 2_000; i++)
                await Log.AppendAsync(channel, [new NewChannelEvent("t", Encoding.UTF8.GetBytes($"{i}"))], null, Cancel);
        }

        async Task TouchManyAsync()
        {
            for (var i = 0; i < 5_000; i++)
                await AppendAsync($"c/{i % 100}", "x");
        }
    }

    [Fact]
    public async Task Nobody_is_woken_by_another_channel()
    {
        var (mine, other) = (new Signal(), new Signal());
        using var here = Log.Subscribe("c/1", mine.Set);
        using var elsewhere = Log.Subscribe("c/2", other.Set);

        await AppendAsync("c/1", "a");

        Assert.True(mine.IsSet);
        Assert.False(other.IsSet);
    }

    [Fact]
    public async Task Steady_reading_allocates_nothing()
    {
        var position = (await AppendAsync("c/1", "a", "b", "c")).Last with { Seq = 1 };
        var events = new List<ChannelEvent>(8);
        Read();

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1_000; i++)
            Read();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Read()
        {
            events.Clear();
            var read = Log.ReadAsync("c/1", position, 100, events, Cancel);
            Assert.True(read.IsCompletedSuccessfully);
            if (!read.Result.Recovered || events.Count != 2)
                throw new InvalidOperationException("The read found something else.");
        }
    }

    protected override Task<IChannelLog> CreateAsync() => Task.FromResult<IChannelLog>(
        new MemoryChannelLog(Options.Create(_options), _time, NullLogger<MemoryChannelLog>.Instance));

    protected override Task LoseEverythingAsync()
    {
        _time.Advance(_options.MaxIdle + TimeSpan.FromMinutes(1));
        return Task.CompletedTask;
    }

    protected override ValueTask DisposeLogAsync()
    {
        Log.Dispose();
        return default;
    }
}
