using System.Text;
using CsCheck;
using SevenX42.Realtime;

namespace SevenX42.BuildingBlocks.Tests.Channels;

/// <summary>
/// What every <see cref="IChannelLog"/> keeps, whatever stands behind it. An implementation derives from this and says how
/// to make one that keeps about <see cref="EventsKept"/> events per channel.
/// </summary>
public abstract class ChannelLogContract : IAsyncLifetime
{
    /// <summary>How many events per channel the log under test is set to keep; it may keep up to ten times as many.</summary>
    protected const int EventsKept = 100;

    protected IChannelLog Log { get; private set; } = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => Log = await CreateAsync();

    public async ValueTask DisposeAsync()
    {
        await DisposeLogAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>A log with nothing in it.</summary>
    protected abstract Task<IChannelLog> CreateAsync();

    /// <summary>The same log as another process would use it; the same instance when there can be one process only.</summary>
    protected virtual Task<IChannelLog> CreatePeerAsync() => Task.FromResult(Log);

    /// <summary>Makes the log lose all it has, as an eviction or a flushed server does.</summary>
    protected abstract Task LoseEverythingAsync();

    protected abstract ValueTask DisposeLogAsync();

    [Fact]
    public async Task An_unknown_channel_has_a_position_that_can_be_resumed()
    {
        var position = await Log.GetPositionAsync("conversation/1", Cancel);

        Assert.Equal(0, position.Seq);
        Assert.True(ChannelPosition.TryParse(position.ToString(), out var parsed));
        Assert.Equal(position, parsed);
        await AppendAsync("conversation/1", "a");
        var (read, events) = await ReadAsync("conversation/1", position);
        Assert.True(read.Recovered);
        Assert.Equal(["a"], Texts(events));
    }

    [Fact]
    public async Task Sequence_numbers_begin_at_one_and_have_no_gaps()
    {
        var start = await Log.GetPositionAsync("c/1", Cancel);

        var first = await AppendAsync("c/1", "a", "b", "c");
        var second = await AppendAsync("c/1", "d");

        Assert.Equal(start with { Seq = 3 }, first.Last);
        Assert.Equal(start with { Seq = 4 }, second.Last);
        Assert.Equal(second.Last, await Log.GetPositionAsync("c/1", Cancel));
        var (_, events) = await ReadAsync("c/1", start);
        Assert.Equal([1L, 2, 3, 4], events.Select(e => e.Seq));
    }

    [Fact]
    public async Task Events_come_back_as_they_were_appended()
    {
        var start = await Log.GetPositionAsync("c/1", Cancel);
        string[] data = ["null", "{\"x\":\"ä€😀<b>&\\u0000\"}", "[]", $"\"{new string('x', 200_000)}\""];

        await Log.AppendAsync("c/1", [.. data.Select((d, i) => new NewChannelEvent($"type.{i}", Encoding.UTF8.GetBytes(d)))], null, Cancel);

        var (_, events) = await ReadAsync("c/1", start);
        Assert.Equal(data, Texts(events));
        Assert.Equal(["type.0", "type.1", "type.2", "type.3"], events.Select(e => e.Type));
    }

    [Fact]
    public async Task Channels_are_independent()
    {
        var one = await Log.GetPositionAsync("c/1", Cancel);
        var two = await Log.GetPositionAsync("c/2", Cancel);
        await AppendAsync("c/1", "a");

        Assert.Equal(1, (await Log.GetPositionAsync("c/1", Cancel)).Seq);
        Assert.Equal(two, await Log.GetPositionAsync("c/2", Cancel));
        Assert.NotEqual(one.Epoch, two.Epoch);
    }

    [Fact]
    public async Task A_read_takes_at_most_what_was_asked_for_and_goes_on_from_there()
    {
        var position = await Log.GetPositionAsync("c/1", Cancel);
        await AppendAsync("c/1", "a", "b", "c", "d", "e");
        var texts = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            var (read, events) = await ReadAsync("c/1", position, maxEvents: 2);
            Assert.True(read.Recovered);
            Assert.Equal(5, read.Head.Seq);
            Assert.InRange(events.Count, 1, 2);
            texts.AddRange(Texts(events));
            position = position with { Seq = events[^1].Seq };
        }

        Assert.Equal(["a", "b", "c", "d", "e"], texts);
    }

    [Fact]
    public async Task A_read_adds_to_what_the_list_holds()
    {
        var position = await Log.GetPositionAsync("c/1", Cancel);
        await AppendAsync("c/1", "b");
        List<ChannelEvent> into = [new(0, "t", "a"u8.ToArray())];

        await Log.ReadAsync("c/1", position, 10, into, Cancel);

        Assert.Equal(["a", "b"], Texts(into));
    }

    [Fact]
    public async Task At_the_head_there_is_nothing_to_read_and_nothing_lost()
    {
        var last = (await AppendAsync("c/1", "a")).Last;

        var (read, events) = await ReadAsync("c/1", last);

        Assert.True(read.Recovered);
        Assert.Equal(last, read.Head);
        Assert.Empty(events);
    }

    [Fact]
    public async Task A_position_of_another_epoch_is_not_recovered()
    {
        var last = (await AppendAsync("c/1", "a", "b")).Last;

        var (read, events) = await ReadAsync("c/1", new ChannelPosition("elsewhere", 1));

        Assert.False(read.Recovered);
        Assert.Equal(last, read.Head);
        Assert.Empty(events);
    }

    [Fact]
    public async Task A_position_beyond_the_head_is_not_recovered()
    {
        var last = (await AppendAsync("c/1", "a")).Last;

        var (read, events) = await ReadAsync("c/1", last with { Seq = 2 });

        Assert.False(read.Recovered);
        Assert.Equal(last, read.Head);
        Assert.Empty(events);
    }

    [Fact]
    public async Task A_position_older_than_what_is_kept_is_not_recovered_and_the_rest_is()
    {
        var start = await Log.GetPositionAsync("c/1", Cancel);
        const int total = EventsKept * 20;
        for (var i = 0; i < total; i += 50)
            await AppendAsync("c/1", [.. Enumerable.Range(i + 1, 50).Select(n => $"{n}")]);

        Assert.False((await ReadAsync("c/1", start)).Read.Recovered);
        var retained = new List<ChannelEvent>();
        Assert.False((await Log.ReadRetainedAsync("c/1", retained, Cancel)).Recovered);
        Assert.InRange(retained.Count, EventsKept, EventsKept * 10);
        for (var seq = 0; seq <= total; seq += 10)
        {
            var (read, events) = await ReadAsync("c/1", start with { Seq = seq });
            Assert.Equal(seq >= retained[0].Seq - 1, read.Recovered);
            Assert.Equal(read.Recovered ? total - seq : 0, events.Count);
            Assert.All(events, e => Assert.Equal($"{e.Seq}", Encoding.UTF8.GetString(e.Data.Span)));
        }
    }

    [Fact]
    public async Task Everything_kept_can_be_read_at_once()
    {
        var empty = new List<ChannelEvent>();
        Assert.True((await Log.ReadRetainedAsync("c/1", empty, Cancel)).Recovered);
        Assert.Empty(empty);
        var last = (await AppendAsync("c/1", "a", "b", "c")).Last;

        var events = new List<ChannelEvent>();
        var read = await Log.ReadRetainedAsync("c/1", events, Cancel);

        Assert.True(read.Recovered);
        Assert.Equal(last, read.Head);
        Assert.Equal(["a", "b", "c"], Texts(events));
    }

    [Fact]
    public async Task A_lost_log_begins_a_new_epoch()
    {
        var last = (await AppendAsync("c/1", "a", "b")).Last;

        await LoseEverythingAsync();

        var (read, _) = await ReadAsync("c/1", last);
        Assert.False(read.Recovered);
        Assert.NotEqual(last.Epoch, read.Head.Epoch);
        var (again, _) = await ReadAsync("c/1", last with { Seq = 0 });
        Assert.False(again.Recovered);
        Assert.Equal(1, (await AppendAsync("c/1", "c")).Last.Seq);
    }

    [Fact]
    public async Task A_writer_with_an_older_fence_is_refused_and_writes_nothing()
    {
        Assert.True((await AppendAsync("c/1", new Fence("job", 1), "one")).Accepted);
        var second = await AppendAsync("c/1", new Fence("job", 2), "two");
        Assert.True(second.Accepted);

        var refused = await AppendAsync("c/1", new Fence("job", 1), "late", "later");

        Assert.False(refused.Accepted);
        Assert.Equal(second.Last, refused.Last);
        Assert.Equal(second.Last, await Log.GetPositionAsync("c/1", Cancel));
        Assert.True((await AppendAsync("c/1", new Fence("job", 2), "three")).Accepted);
    }

    [Fact]
    public async Task Fences_of_different_keys_and_channels_do_not_meet()
    {
        await AppendAsync("c/1", new Fence("job", 5), "a");

        Assert.True((await AppendAsync("c/1", new Fence("other", 1), "b")).Accepted);
        Assert.True((await AppendAsync("c/2", new Fence("job", 1), "c")).Accepted);
        Assert.True((await AppendAsync("c/1", fence: null, "d")).Accepted);
        Assert.False((await AppendAsync("c/1", new Fence("job", 4), "e")).Accepted);
    }

    [Fact]
    public async Task Of_two_writers_that_race_for_a_fence_the_older_writes_nothing_after_the_newer()
    {
        await Task.WhenAll(
            Task.Run(() => WriteAsync(token: 1), Cancel),
            Task.Run(() => WriteAsync(token: 2), Cancel));

        var events = new List<ChannelEvent>();
        await Log.ReadRetainedAsync("c/1", events, Cancel);
        var tokens = Texts(events);
        Assert.Equal(tokens.Order(StringComparer.Ordinal), tokens);

        async Task WriteAsync(long token)
        {
            for (var i = 0; i < 40; i++)
                await AppendAsync("c/1", new Fence("job", token), $"{token}");
        }
    }

    [Fact]
    public async Task Concurrent_appends_leave_no_gap_and_tear_no_batch()
    {
        var start = await Log.GetPositionAsync("c/1", Cancel);

        var results = await Task.WhenAll(Enumerable.Range(0, 8).Select(writer => Task.Run(
            async () =>
            {
                var last = new List<AppendResult>();
                for (var i = 0; i < 4; i++)
                    last.Add(await AppendAsync("c/1", $"{writer}.{i}.a", $"{writer}.{i}.b", $"{writer}.{i}.c"));
                return last;
            },
            Cancel)));

        var (_, events) = await ReadAsync("c/1", start);
        Assert.Equal(Enumerable.Range(1, 96).Select(n => (long)n), events.Select(e => e.Seq));
        Assert.Equal(32, results.SelectMany(r => r).Select(r => r.Last.Seq).Distinct().Count());
        Assert.All(Texts(events).Chunk(3), batch => Assert.Equal([$"{batch[0][..^1]}a", $"{batch[0][..^1]}b", $"{batch[0][..^1]}c"], batch));
    }

    [Fact]
    public async Task A_subscriber_is_woken_by_appends_of_any_process()
    {
        var peer = await CreatePeerAsync();
        var woken = new Signal();
        using var subscription = Log.Subscribe("c/1", woken.Set);

        await EventuallyWokenAsync(woken, () => AppendAsync(Log, "c/1", null, "a"));
        await EventuallyWokenAsync(woken, () => AppendAsync(peer, "c/1", null, "b"));
    }

    [Fact]
    public async Task Each_subscriber_is_woken_until_it_stops()
    {
        var (one, two) = (new Signal(), new Signal());
        var first = Log.Subscribe("c/1", one.Set);
        using var second = Log.Subscribe("c/1", two.Set);
        await EventuallyWokenAsync(one, () => AppendAsync("c/1", "a"));
        await EventuallyWokenAsync(two, () => AppendAsync("c/1", "b"));

        first.Dispose();
        first.Dispose();
        await EventuallyWokenAsync(two, () => AppendAsync("c/1", "c"));
        one.Reset();
        await EventuallyWokenAsync(two, () => AppendAsync("c/1", "d"));

        Assert.False(one.IsSet);
    }

    [Fact]
    public async Task A_subscriber_that_fails_spoils_neither_the_append_nor_the_others()
    {
        var woken = new Signal();
        using var broken = Log.Subscribe("c/1", () => throw new InvalidOperationException("planted"));
        using var sound = Log.Subscribe("c/1", woken.Set);

        await EventuallyWokenAsync(woken, () => AppendAsync("c/1", "a"));
    }

    [Fact]
    public async Task An_append_without_events_is_an_error() =>
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await AppendAsync("c/1", []));

    [Fact]
    public async Task Any_sequence_of_operations_agrees_with_a_plain_list()
    {
        // Stays within what is kept, so that nothing is trimmed: trimming has its own test.
        var operation = Gen.Frequency(
            (3, Gen.Int[1, 4].Select(n => (Kind: 'a', Number: n))),
            (2, Gen.Int[0, 3].Select(n => (Kind: 'f', Number: n))),
            (3, Gen.Int[0, 30].Select(n => (Kind: 'r', Number: n))));
        var run = 0;
        await operation.List[1, 25].SampleAsync(
            async operations =>
            {
                var channel = $"model/{Interlocked.Increment(ref run)}";
                var start = await Log.GetPositionAsync(channel, Cancel);
                var (model, highest) = (new List<string>(), 0L);
                foreach (var (kind, number) in operations)
                {
                    if (kind == 'r')
                    {
                        var (read, events) = await ReadAsync(channel, start with { Seq = number }, maxEvents: 5);
                        Assert.Equal(number <= model.Count, read.Recovered);
                        Assert.Equal(model.Skip(number).Take(5), Texts(events));
                        Assert.Equal(model.Count, read.Head.Seq);
                        continue;
                    }

                    string[] texts = [.. Enumerable.Range(0, kind == 'a' ? number : 1).Select(i => $"{model.Count}+{i}")];
                    var result = await AppendAsync(channel, kind == 'f' ? new Fence("k", number) : null, texts);
                    Assert.Equal(kind == 'a' || number >= highest, result.Accepted);
                    if (result.Accepted)
                        model.AddRange(texts);
                    if (kind == 'f')
                        highest = Math.Max(highest, number);
                    Assert.Equal(model.Count, result.Last.Seq);
                }
            },
            iter: 100,
            threads: 1);
    }

    protected async Task<AppendResult> AppendAsync(string channel, params string[] texts) =>
        await AppendAsync(Log, channel, null, texts);

    protected async Task<(ChannelRead Read, List<ChannelEvent> Events)> ReadAsync(
        string channel, ChannelPosition from, int maxEvents = int.MaxValue)
    {
        var events = new List<ChannelEvent>();
        var read = await Log.ReadAsync(channel, from, maxEvents, events, Cancel);
        return (read, events);
    }

    protected static List<string> Texts(IEnumerable<ChannelEvent> events) =>
        [.. events.Select(e => Encoding.UTF8.GetString(e.Data.Span))];

    private static async Task<AppendResult> AppendAsync(IChannelLog log, string channel, Fence? fence, params string[] texts) =>
        await log.AppendAsync(channel, [.. texts.Select(t => new NewChannelEvent("t", Encoding.UTF8.GetBytes(t)))], fence, Cancel);

    private Task<AppendResult> AppendAsync(string channel, Fence? fence, params string[] texts) =>
        AppendAsync(Log, channel, fence, texts);

    /// <summary>
    /// Wake-ups are hints that may be lost; a log that never gives one is broken all the same. Appends until one arrives.
    /// </summary>
    private static async Task EventuallyWokenAsync(Signal signal, Func<Task> append)
    {
        signal.Reset();
        for (var attempt = 0; attempt < 5; attempt++)
        {
            await append();
            if (await signal.WaitAsync(TimeSpan.FromSeconds(5)))
                return;
        }

        Assert.Fail("No wake-up came.");
    }
}
