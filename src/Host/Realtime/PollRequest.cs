using System.Buffers;
using System.Text.Json;
using SevenX42.Contracts.Identity;
using SevenX42.Realtime;

namespace SevenX42.Host.Realtime;

/// <summary>
/// One poll: for as long as it waits it is a viewer of each of its channels, like those of sockets, and so it is told the same.
/// </summary>
internal sealed class PollRequest(RealtimeServer server, RealtimeIdentity identity) : IRealtimeClient
{
    /// <summary>Where a poll stops collecting; the next one goes on from there.</summary>
    private const int Enough = 256 * 1024;

    private readonly Lock _gate = new();
    private readonly List<PollViewer> _viewers = [];
    private readonly List<(string Channel, string Code)> _denied = [];
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _attached;
    private bool _hasNews;

    public RealtimeIdentity Identity => identity;

    /// <summary>Whether the session ended while it waited.</summary>
    public bool IsSignedOut { get; private set; }

    public void SignOut()
    {
        IsSignedOut = true;
        _ready.TrySetResult();
    }

    public void Drain(TimeSpan comeBackAfter) => _ready.TrySetResult();

    /// <summary>
    /// Asks the policies and waits until there is something to tell, or long enough; or, <paramref name="now"/>, no longer than
    /// it takes to find out.
    /// </summary>
    public async Task WaitAsync(IReadOnlyList<(string Channel, ChannelPosition? From)> channels, bool raw, bool now, CancellationToken aborted)
    {
        foreach (var (channel, from) in channels)
        {
            var code = server.Feeds.TryFindKind(channel, out var kind)
                ? await server.Access.AuthorizeAsync(kind, identity.UserId, channel, aborted)
                : RealtimeCodes.NotFound;
            if (code is null)
                _viewers.Add(new PollViewer(this, server.Feeds.Acquire(channel, raw, kind!), from));
            else
                _denied.Add((channel, code));
        }

        foreach (var viewer in _viewers)
            viewer.Feed.Attach(viewer);
        if (now || _denied.Count > 0)
            Note(attached: 0, news: true);
        try
        {
            await _ready.Task.WaitAsync(server.Options.PollWait, server.Time, aborted);
        }
        catch (TimeoutException)
        {
            // Nothing happened: the answer says so.
        }
    }

    /// <summary>Leaves the channels.</summary>
    public void Release()
    {
        foreach (var viewer in _viewers)
        {
            viewer.Feed.Detach(viewer);
            server.Feeds.Release(viewer.Feed);
            viewer.ReleaseFrames();
        }
    }

    /// <summary>Writes what there is to tell.</summary>
    public void Write(IBufferWriter<byte> output)
    {
        using var json = new Utf8JsonWriter(output, new JsonWriterOptions { SkipValidation = true });
        json.WriteStartObject();
        json.WriteStartArray("channels"u8);
        foreach (var (channel, code) in _denied)
        {
            json.WriteStartObject();
            json.WriteString("ch"u8, channel);
            json.WriteString("code"u8, code);
            json.WriteEndObject();
        }

        foreach (var viewer in _viewers)
            viewer.Write(json);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Once all channels stand, the first news ends the wait.</summary>
    private void Note(int attached, bool news)
    {
        lock (_gate)
        {
            _attached += attached;
            _hasNews |= news;
            if (_attached == _viewers.Count && _hasNews)
                _ready.TrySetResult();
        }
    }

    private sealed class PollViewer : FeedViewer
    {
        private readonly PollRequest _poll;
        private readonly List<SharedFrame> _frames = [];
        private ChannelPosition _position;
        private string? _code;
        private bool _recovered = true;
        private bool _attached;
        private bool _released;
        private int _bytes;

        public PollViewer(PollRequest poll, ChannelFeed feed, ChannelPosition? from)
        {
            (_poll, Feed, From) = (poll, feed, from);
            _position = from ?? default;
        }

        public ChannelFeed Feed { get; }

        public override bool TryBeginCatchUp() => !_released && _bytes < Enough;

        public override bool TryPush(SharedFrame frame)
        {
            lock (_frames)
            {
                if (!TryBeginCatchUp())
                    return false;
                _frames.Add(frame.AddReference());
                _bytes += frame.Length;
                _position = _position with { Seq = frame.Reached };
            }

            _poll.Note(attached: 0, news: true);
            return true;
        }

        public override void OnAttached(ChannelPosition position, bool recovered)
        {
            lock (_frames)
                (_position, _recovered, _attached) = (position, recovered, true);
            // Without a position to go on from, being told one is the news.
            _poll.Note(attached: 1, news: !recovered || From is null);
        }

        public override void OnReset(ChannelPosition head, string code)
        {
            lock (_frames)
                (_position, _recovered, _code) = (head, false, code);
            _poll.Note(attached: 0, news: true);
        }

        public override void OnUnavailable()
        {
            lock (_frames)
                _code = RealtimeCodes.Unavailable;
            _poll.Note(attached: _attached ? 0 : 1, news: true);
        }

        public void Write(Utf8JsonWriter json)
        {
            lock (_frames)
            {
                json.WriteStartObject();
                json.WriteString("ch"u8, Feed.Channel);
                if (_attached)
                {
                    json.WriteString("pos"u8, _position.ToString());
                    json.WriteBoolean("recovered"u8, _recovered);
                    json.WriteStartArray("ev"u8);
                    // Events that were sent before a reset are void with it.
                    foreach (var frame in _recovered ? _frames : [])
                        json.WriteRawValue(frame.Span, skipInputValidation: true);
                    json.WriteEndArray();
                }

                if (_code is not null || !_attached)
                    json.WriteString("code"u8, _code ?? RealtimeCodes.Unavailable);
                json.WriteEndObject();
            }
        }

        public void ReleaseFrames()
        {
            lock (_frames)
            {
                _released = true;
                foreach (var frame in _frames)
                    frame.Release();
                _frames.Clear();
            }
        }
    }
}
