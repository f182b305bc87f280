using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Limits;
using SevenX42.Realtime;

namespace SevenX42.BuildingBlocks.Tests.Channels;

/// <summary>
/// What the counters of one process's log and limits have come to, by the last part of their names, and how often its histograms measured.
/// </summary>
internal sealed class Measured : IDisposable
{
    private readonly ConcurrentDictionary<string, long> _sums = new();
    private readonly MeterListener _listener = new();

    public Measured(IServiceProvider services)
    {
        var meters = services.GetRequiredService<IMeterFactory>();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name is ChannelLogMetrics.MeterName or LimitMetrics.MeterName && instrument.Meter.Scope == meters)
                listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            var name = instrument.Name[(instrument.Name.LastIndexOf('.') + 1)..];
            _sums.AddOrUpdate(name, value, (_, sum) => sum + value);
            foreach (var (_, tag) in tags)
                _sums.AddOrUpdate($"{name} {tag}", value, (_, sum) => sum + value);
        });
        _listener.SetMeasurementEventCallback<double>((instrument, _, _, _) =>
            _sums.AddOrUpdate(instrument.Name[(instrument.Name.LastIndexOf('.') + 1)..], 1, (_, sum) => sum + 1));
        _listener.Start();
    }

    /// <summary>The sum of a counter, or of one tag of it: <c>failures append</c>; how many measurements a histogram has.</summary>
    public long this[string counter] => _sums.GetValueOrDefault(counter);

    public void Dispose() => _listener.Dispose();
}
