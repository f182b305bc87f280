using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using SevenX42.Realtime;

namespace SevenX42.Host.Tests.Realtime;

/// <summary>
/// Channels <c>room/…</c>: each log event <c>text</c> adds a string. Browsers are sent <c>edit</c> events <c>[keep,"inserted"]</c>
/// that build on the ones before, as the deltas of a streamed answer do; a catch-up is the whole text.
/// </summary>
internal sealed class TestRooms(IChannelLog log) : IChannelKind
{
    private readonly ConcurrentDictionary<(Guid, string), bool> _strangers = [];
    private readonly ConcurrentDictionary<string, StringBuilder> _texts = [];

    public string Prefix => "room/";

    /// <summary>Called before a policy answers.</summary>
    public Func<string, CancellationToken, Task>? BeforePolicy { get; set; }

    /// <summary>Called with every event that is projected; throws to plant a fault.</summary>
    public Action<string>? BeforeProject { get; set; }

    /// <summary>Called before a projector loads; throws to plant a fault.</summary>
    public Action<string>? BeforeLoad { get; set; }

    public int Projected;

    public int Loaded;

    public int CaughtUp;

    public int Asked;

    /// <summary>The stored text: what a page would be rendered from.</summary>
    public string Stored(string channel)
    {
        var text = _texts.GetOrAdd(channel, _ => new StringBuilder());
        lock (text)
            return text.ToString();
    }

    public void Bar(Guid user, string channel) => _strangers[(user, channel)] = true;

    public async Task<ChannelPosition> WriteAsync(string channel, params string[] texts)
    {
        var stored = _texts.GetOrAdd(channel, _ => new StringBuilder());
        NewChannelEvent[] events;
        lock (stored)
        {
            foreach (var text in texts)
                stored.Append(text);
            events = [.. texts.Select(t => new NewChannelEvent("text", Encoding.UTF8.GetBytes(JsonSerializer.Serialize(t))))];
        }

        return (await log.AppendAsync(channel, events, null, CancellationToken.None)).Last;
    }

    public async ValueTask<bool> MaySubscribeAsync(Guid userId, string channel, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref Asked);
        if (BeforePolicy is { } before)
            await before(channel, cancellationToken);
        return !_strangers.ContainsKey((userId, channel));
    }

    public IChannelProjector CreateProjector(string channel) => new Projector(this, channel);

    private sealed class Projector(TestRooms rooms, string channel) : IChannelProjector
    {
        private readonly StringBuilder _text = new();

        public ValueTask LoadAsync(IReadOnlyList<ChannelEvent> retained, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref rooms.Loaded);
            rooms.BeforeLoad?.Invoke(channel);
            if (retained.Count > 0 && retained[0].Seq > 1)
                throw new InvalidOperationException("This test's channels never outgrow the log.");
            foreach (var e in retained)
                _text.Append(JsonSerializer.Deserialize<string>(e.Data.Span));
            return default;
        }

        public void Project(IReadOnlyList<ChannelEvent> events, ProjectedEvents output)
        {
            Interlocked.Increment(ref rooms.Projected);
            var keep = _text.Length;
            var inserted = new StringBuilder();
            foreach (var e in events)
            {
                var text = JsonSerializer.Deserialize<string>(e.Data.Span);
                rooms.BeforeProject?.Invoke(text!);
                inserted.Append(text);
            }

            _text.Append(inserted);
            if (inserted.Length > 0)
                Write(output, events[^1].Seq, keep, inserted.ToString());
        }

        public void CatchUp(long from, IReadOnlyList<ChannelEvent> events, ProjectedEvents output)
        {
            Interlocked.Increment(ref rooms.CaughtUp);
            if (events.Count == 0 || events[0].Seq != from + 1)
                throw new InvalidOperationException("A catch-up must get the events after the client's position.");
            Write(output, events[^1].Seq, 0, _text.ToString());
        }

        private static void Write(ProjectedEvents output, long seq, int keep, string inserted)
        {
            var json = output.Begin(seq, "edit");
            json.WriteStartArray();
            json.WriteNumberValue(keep);
            json.WriteStringValue(inserted);
            json.WriteEndArray();
            output.End();
        }
    }
}
