using System.Diagnostics.Metrics;

namespace SevenX42.Host.Realtime;

/// <summary>Metrics of sockets and polls. The gauge of open sockets is what Kubernetes scales on.</summary>
internal sealed class RealtimeMetrics
{
    public const string MeterName = "SevenX42.Realtime";

    private readonly Meter _meter;
    private readonly UpDownCounter<int> _connections;
    private readonly UpDownCounter<int> _subscriptions;
    private readonly UpDownCounter<int> _polls;
    private readonly Counter<long> _frames;
    private readonly Counter<long> _bytes;
    private readonly Counter<long> _refused;
    private readonly Counter<long> _closed;
    private readonly Counter<long> _resets;
    private readonly Counter<long> _stalls;

    public RealtimeMetrics(IMeterFactory meters)
    {
        _meter = meters.Create(MeterName);
        _connections = _meter.CreateUpDownCounter<int>("sevenx42.realtime.connections", description: "Open sockets.");
        _subscriptions = _meter.CreateUpDownCounter<int>("sevenx42.realtime.subscriptions", description: "Channels of open sockets.");
        _polls = _meter.CreateUpDownCounter<int>("sevenx42.realtime.polls", description: "Polls that are waiting.");
        _frames = _meter.CreateCounter<long>("sevenx42.realtime.frames", description: "Messages sent to sockets.");
        _bytes = _meter.CreateCounter<long>("sevenx42.realtime.sent", "By", "Payload sent to sockets.");
        _refused = _meter.CreateCounter<long>("sevenx42.realtime.refused", description: "Handshakes refused, by reason.");
        _closed = _meter.CreateCounter<long>("sevenx42.realtime.closed", description: "Sockets that the server closed, by code.");
        _resets = _meter.CreateCounter<long>("sevenx42.realtime.resets", description: "Viewers sent back to the snapshot, by reason.");
        _stalls = _meter.CreateCounter<long>("sevenx42.realtime.stalls", description: "Times a window was full.");
    }

    public void Connected(int by) => _connections.Add(by);

    public void Subscribed(int by) => _subscriptions.Add(by);

    public void Polling(int by) => _polls.Add(by);

    public void Sent(int bytes)
    {
        _frames.Add(1);
        _bytes.Add(bytes);
    }

    public void Refused(string reason) => _refused.Add(1, new KeyValuePair<string, object?>("reason", reason));

    public void Closed(int code) => _closed.Add(1, new KeyValuePair<string, object?>("code", code));

    public void Reset(string reason) => _resets.Add(1, new KeyValuePair<string, object?>("reason", reason));

    public void Stalled() => _stalls.Add(1);

    public void ObserveFeeds(Func<int> count) =>
        _meter.CreateObservableGauge("sevenx42.realtime.channels", count, description: "Channels followed on this replica.");
}
