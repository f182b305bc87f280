using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Realtime;

namespace SevenX42.BuildingBlocks.Tests.Channels;

/// <summary>What the channel log's counters of one process have come to, by name without the common prefix.</summary>
internal sealed class Measured : IDisposable
{
    private const string Prefix = "sevenx42.channel_log.";

    private readonly ConcurrentDictionary<string, long> _sums = new();
    private readonly MeterListener _listener = new();

    public Measured(IServiceProvider services)
    {
        var meters = services.GetRequiredService<IMeterFactory>();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == ChannelLogMetrics.MeterName && instrument.Meter.Scope == meters)
                listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            _sums.AddOrUpdate(instrument.Name[Prefix.Length..], value, (_, sum) => sum + value);
            foreach (var (_, tag) in tags)
                _sums.AddOrUpdate($"{instrument.Name[Prefix.Length..]} {tag}", value, (_, sum) => sum + value);
        });
        _listener.Start();
    }

    /// <summary>The sum of a counter, or of one tag of it: <c>failures append</c>.</summary>
    public long this[string counter] => _sums.GetValueOrDefault(counter);

    public void Dispose() => _listener.Dispose();
}
