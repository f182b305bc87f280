using System.Diagnostics.Metrics;

namespace SevenX42.Realtime;

/// <summary>Metrics of a channel log that others share.</summary>
internal sealed class ChannelLogMetrics
{
    public const string MeterName = "SevenX42.ChannelLog";

    private readonly Counter<long> _failures;
    private readonly Counter<long> _hints;
    private readonly Counter<long> _missed;
    private readonly Counter<long> _resubscriptions;
    private readonly Histogram<double> _lag;

    public ChannelLogMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(MeterName);
        _failures = meter.CreateCounter<long>("sevenx42.channel_log.failures", description: "Operations that found no log, by operation.");
        _hints = meter.CreateCounter<long>("sevenx42.channel_log.hints", description: "Hints that came in.");
        _missed = meter.CreateCounter<long>("sevenx42.channel_log.missed_hints", description: "Appends found by looking, that no hint told of.");
        _resubscriptions = meter.CreateCounter<long>("sevenx42.channel_log.resubscriptions", description: "Times hints had to be subscribed to again, by reason.");
        _lag = meter.CreateHistogram<double>("sevenx42.channel_log.lag", "s", "From a word to Redis until it comes back as hints do, or is given up; while Redis takes none there is only a failure.");
    }

    public void Failed(string operation) => _failures.Add(1, new KeyValuePair<string, object?>("operation", operation));

    public void Hinted() => _hints.Add(1);

    public void MissedHint() => _missed.Add(1);

    public void Lagged(TimeSpan lag) => _lag.Record(lag.TotalSeconds);

    public void Resubscribed(string reason) => _resubscriptions.Add(1, new KeyValuePair<string, object?>("reason", reason));
}
