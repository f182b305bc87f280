using System.Diagnostics;
using System.Text;
using SevenX42.Realtime;
using SevenX42.Testing;

namespace SevenX42.BuildingBlocks.Tests.Channels;

/// <summary>What the tests of a failing Redis have in common: one channel, and who subscribes to it.</summary>
public abstract class FailingRedis
{
    protected static readonly TimeSpan Seconds = TimeSpan.FromSeconds(5);

    protected string Prefix { get; } = RedisLog.NewPrefix();

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Subscribes, and waits until hints come in and everything that has to be woken at first was.</summary>
    private protected static async Task<Signal> SubscribeAsync(RedisLog process, bool hinted = true)
    {
        var (woken, hint) = (new Signal(), new Signal());
        var wakes = 0;
        process.Log.Subscribe("c/1", () =>
        {
            Interlocked.Increment(ref wakes);
            hint.Set();
            woken.Set();
        });
        await Eventually.TrueAsync(async () =>
        {
            if (!hinted)
                return await woken.WaitAsync(Seconds);
            // One at a time, so that none is still on its way afterwards.
            hint.Reset();
            await AppendAsync(process.Log, "hint");
            return await hint.WaitAsync(TimeSpan.FromSeconds(1)) && process.Meters["hints"] > 0;
        });
        // Each hint wakes, and the subscription does once it stands.
        await Eventually.TrueAsync(() => Volatile.Read(ref wakes) > process.Meters["hints"]);
        woken.Reset();
        return woken;
    }

    protected static async Task UnavailableAsync(IChannelLog log)
    {
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(
            Assert.ThrowsAsync<ChannelLogUnavailableException>(() => AppendAsync(log, "x")),
            Assert.ThrowsAsync<ChannelLogUnavailableException>(async () => await log.GetPositionAsync("c/1", Cancel)),
            Assert.ThrowsAsync<ChannelLogUnavailableException>(async () => await log.ReadRetainedAsync("c/1", [], Cancel)));
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, Seconds * 2);
    }

    protected static async Task<bool> AnswersAsync(IChannelLog log)
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

    protected static async Task<ChannelPosition> AppendAsync(IChannelLog log, params string[] texts) =>
        (await log.AppendAsync("c/1", [.. texts.Select(t => new NewChannelEvent("t", Encoding.UTF8.GetBytes(t)))], null, Cancel)).Last;

    protected static async Task<(ChannelRead Read, List<string> Texts)> ReadAsync(IChannelLog log, ChannelPosition from)
    {
        var events = new List<ChannelEvent>();
        var read = await log.ReadAsync("c/1", from, 100, events, Cancel);
        return (read, [.. events.Select(e => Encoding.UTF8.GetString(e.Data.Span))]);
    }
}
