using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Generation.Domain.Images;
using SevenX42.Modules.Generation.Infrastructure.Jobs;
using SevenX42.Modules.Generation.Infrastructure.Work;
using SevenX42.Realtime;

namespace SevenX42.Modules.Generation.Tests;

public sealed class LogWriterTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly RecordingLog _log = new();
    private readonly Transcript _transcript = new("2", Guid.Empty, "", "");

    [Fact]
    public async Task The_first_token_waits_for_nothing_and_the_following_are_brought_together()
    {
        await using var writer = Write(() => { });
        _transcript.Start(1, 0, 0);
        writer.Wake();
        await UntilAsync(1);
        _transcript.AppendText("first");
        writer.Wake();
        await UntilAsync(2);
        foreach (var token in (string[])["a", "b", "c"])
        {
            _transcript.AppendText(token);
            writer.Wake();
        }

        Assert.Equal(2, _log.Appends.Count);
        await GenerationHost.EventuallyAsync(
            () =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(20));
                return Task.FromResult(_log.Appends.Count == 3 ? _log : null);
            },
            "the rest is written");
        Assert.Equal([GenerationEvents.Started, GenerationEvents.Delta, GenerationEvents.Delta], _log.Appends.Select(e => e.Single().Type));
        Assert.Contains("\"abc\"", System.Text.Encoding.UTF8.GetString(_log.Appends[2].Single().Data.Span), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refused_append_is_the_last()
    {
        var refused = 0;
        await using var writer = Write(() => refused++);
        _log.Refuses = true;
        _transcript.Start(1, 0, 0);
        writer.Wake();
        await UntilAsync(1);
        _transcript.AppendText("late");
        writer.Wake();
        Assert.True(await writer.FlushAsync(TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken));
        Assert.Equal((1, 1), (refused, _log.Appends.Count));
    }

    private LogWriter Write(Action refused)
    {
        var job = new ClaimedJob(
            Guid.Empty, Guid.Empty, Guid.Empty, Guid.Empty, "answer", "conversation/1", "2", "demo", "demo/demo", [], [], "", "", 1, 0, false, "", "",
            TimeSpan.Zero, Image: null, Drawn.Nothing, Pictures: []);
        return new LogWriter(_log, job, _transcript, refused, _time, NullLogger.Instance);
    }

    private Task<RecordingLog> UntilAsync(int appends) => GenerationHost.EventuallyAsync(
        () => Task.FromResult(_log.Appends.Count == appends ? _log : null), $"{appends} appends");

    private sealed class RecordingLog : IChannelLog
    {
        private readonly Lock _lock = new();
        private readonly List<IReadOnlyList<NewChannelEvent>> _appends = [];

        public bool Refuses { get; set; }

        public IReadOnlyList<IReadOnlyList<NewChannelEvent>> Appends
        {
            get
            {
                lock (_lock)
                    return [.. _appends];
            }
        }

        public ValueTask<AppendResult> AppendAsync(
            string channel, IReadOnlyList<NewChannelEvent> events, Fence? fence, CancellationToken cancellationToken)
        {
            lock (_lock)
                _appends.Add(events);
            return new(new AppendResult(!Refuses, default));
        }

        public ValueTask<ChannelRead> ReadAsync(
            string channel, ChannelPosition from, int maxEvents, List<ChannelEvent> into, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask<ChannelRead> ReadRetainedAsync(string channel, List<ChannelEvent> into, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask<ChannelPosition> GetPositionAsync(string channel, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public IDisposable Subscribe(string channel, Action wake) => throw new NotSupportedException();
    }
}
