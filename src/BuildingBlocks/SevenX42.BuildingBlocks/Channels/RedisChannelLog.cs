using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace SevenX42.Realtime;

/// <summary>
/// Channel logs in a Redis that all processes share. Redis may lose everything at any moment: that begins new epochs, and
/// clients go back to the snapshot in the database.
/// </summary>
internal sealed class RedisChannelLog : IChannelLog
{
    private const int MaxFences = 1_024;

    // A read that wants more is told by the head that there is more. What it may cost counts for how many go together.
    private const int MostEventsRead = 1_024;
    private const int EventCost = 32;

    private readonly RedisHints _hints;
    private readonly ChannelLogMetrics _metrics;
    private readonly RedisNames _names;
    private readonly RedisBatches _appends;
    private readonly RedisBatches _reads;

    public RedisChannelLog(
        RedisConnections connections, RedisHints hints, RedisNames names, ChannelLogMetrics metrics, IOptions<RedisChannelLogOptions> options)
    {
        (_hints, _names, _metrics) = (hints, names, metrics);
        var (idle, age) = ((long)options.Value.MaxIdle.TotalMilliseconds, (long)options.Value.MaxAge.TotalMilliseconds);
        _appends = new RedisBatches(
            connections,
            RedisScripts.Append,
            [idle, age, options.Value.MaxEventsPerChannel, Math.Max(1, options.Value.MaxBytesPerChannel / 2), MaxFences],
            waits: true);
        _reads = new RedisBatches(connections, RedisScripts.Read, [idle], waits: false);
    }

    public async ValueTask<AppendResult> AppendAsync(
        string channel, IReadOnlyList<NewChannelEvent> events, Fence? fence, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(channel);
        ArgumentNullException.ThrowIfNull(events);
        ArgumentOutOfRangeException.ThrowIfZero(events.Count);
        var values = new RedisValue[5 + (2 * events.Count)];
        (values[0], values[1], values[2]) = (NewEpoch(), fence?.Key ?? "", fence is { } f ? Sortable(f.Token) : "");
        (values[3], values[4]) = (_names.Hints(channel), events.Count);
        var bytes = 0L;
        for (var i = 0; i < events.Count; i++)
        {
            values[5 + (2 * i)] = events[i].Type;
            values[6 + (2 * i)] = events[i].Data;
            bytes += events[i].Data.Length;
        }

        var answer = await RunAsync("append", () => _appends.RunAsync(_names.Keys(channel), values, bytes), cancellationToken);
        return new AppendResult((int)answer[0] == 1, new ChannelPosition((string)answer[1]!, (long)answer[2]));
    }

    public async ValueTask<ChannelRead> ReadAsync(
        string channel, ChannelPosition from, int maxEvents, List<ChannelEvent> into, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(channel);
        ArgumentNullException.ThrowIfNull(into);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxEvents);
        var most = Math.Min(maxEvents, MostEventsRead);
        RedisValue[] values = [NewEpoch(), from.Epoch, from.Seq, most];
        var answer = await RunAsync("read", () => _reads.RunAsync(_names.Keys(channel), values, most * EventCost), cancellationToken);
        var head = HeadOf(answer);
        if (head.Epoch != from.Epoch || from.Seq > head.Seq || from.Seq < 0)
            return new ChannelRead(head, false);
        if (from.Seq == head.Seq)
            return new ChannelRead(head, true);
        var entries = EntriesOf(answer);
        var joins = entries.Length > 0 && SeqOf(entries[0]) == from.Seq + 1 && IsGapless(entries);
        if (joins)
            AddEvents(entries, into);
        return new ChannelRead(head, joins);
    }

    public async ValueTask<ChannelRead> ReadRetainedAsync(string channel, List<ChannelEvent> into, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(channel);
        ArgumentNullException.ThrowIfNull(into);
        // Alone: it can be megabytes.
        RedisValue[] values = [NewEpoch(), "", 0, 1];
        var answer = await RunAsync("read", () => _reads.RunAloneAsync(_names.Keys(channel), values), cancellationToken);
        var (head, entries) = (HeadOf(answer), EntriesOf(answer));
        if (entries.Length == 0 || SeqOf(entries[^1]) != head.Seq || !IsGapless(entries))
            return new ChannelRead(head, head.Seq == 0);
        AddEvents(entries, into);
        return new ChannelRead(head, SeqOf(entries[0]) == 1);
    }

    public async ValueTask<ChannelPosition> GetPositionAsync(string channel, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(channel);
        RedisValue[] values = [NewEpoch(), "", 0, 0];
        return HeadOf(await RunAsync("read", () => _reads.RunAsync(_names.Keys(channel), values, EventCost), cancellationToken));
    }

    public IDisposable Subscribe(string channel, Action wake)
    {
        ArgumentException.ThrowIfNullOrEmpty(channel);
        ArgumentNullException.ThrowIfNull(wake);
        return _hints.Subscribe(channel, wake);
    }

    // Random, not counted: a client of an earlier life of this channel must never match by chance.
    private static string NewEpoch() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(6));

    // Of one length, so that the order of texts is that of numbers: numbers in Lua are exact to 53 bits only.
    private static string Sortable(long token) => ((ulong)token ^ (1UL << 63)).ToString("D20", CultureInfo.InvariantCulture);

    private static ChannelPosition HeadOf(RedisResult[] answer) => new((string)answer[0]!, (long)answer[1]);

    private static RedisResult[] EntriesOf(RedisResult[] answer) => answer.Length < 3 ? [] : (RedisResult[]?)answer[2] ?? [];

    // Ids only grow.
    private static bool IsGapless(RedisResult[] entries) => SeqOf(entries[^1]) - SeqOf(entries[0]) + 1 == entries.Length;

    private static void AddEvents(RedisResult[] entries, List<ChannelEvent> into)
    {
        var seq = SeqOf(entries[0]);
        foreach (var entry in entries)
        {
            var fields = (RedisResult[])((RedisResult[])entry!)[1]!;
            into.Add(new ChannelEvent(seq++, (string)fields[1]!, (ReadOnlyMemory<byte>)(RedisValue)fields[3]));
        }
    }

    private static long SeqOf(RedisResult entry)
    {
        var id = (string)((RedisResult[])entry!)[0]!;
        return long.Parse(id.AsSpan(0, id.IndexOf('-', StringComparison.Ordinal)), NumberStyles.None, CultureInfo.InvariantCulture);
    }

    private async ValueTask<RedisResult[]> RunAsync(string operation, Func<Task<RedisResult[]>> run, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            return await run().WaitAsync(cancellationToken);
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            _metrics.Failed(operation);
            throw new ChannelLogUnavailableException("Redis did not do it.", e);
        }
    }
}

/// <summary>How everything is called in Redis.</summary>
internal sealed class RedisNames(IOptions<RedisChannelLogOptions> options)
{
    /// <summary>The channel that is asked for at the start. Nobody writes to it.</summary>
    public const string StartChannel = "health/start";

    private readonly string _prefix = options.Value.KeyPrefix;

    // In braces, so that a channel's keys share a slot of a cluster.
    public RedisKey State(string channel) => $"{_prefix}:{{{channel}}}:state";

    public RedisKey[] Keys(string channel) => [State(channel), $"{_prefix}:{{{channel}}}:events"];

    public RedisKey Bucket(string name) => $"{_prefix}:{{{name}}}:bucket";

    public RedisKey Room(string name) => $"{_prefix}:{{{name}}}:room";

    public string Hints(string channel) => $"{_prefix}:hints:{channel}";

    public string Probe(string id) => $"{_prefix}:probe:{id}";
}
