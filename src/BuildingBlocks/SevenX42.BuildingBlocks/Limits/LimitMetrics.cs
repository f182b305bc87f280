using System.Diagnostics.Metrics;

namespace SevenX42.Limits;

/// <summary>Metrics of limits that others share.</summary>
internal sealed class LimitMetrics
{
    public const string MeterName = "SevenX42.Limits";

    private readonly Counter<long> _alone;

    public LimitMetrics(IMeterFactory meters) => _alone = meters.Create(MeterName).CreateCounter<long>(
        "sevenx42.limits.alone", description: "Decisions of this process alone, because Redis did not answer, by operation.");

    public void Alone(string operation) => _alone.Add(1, new KeyValuePair<string, object?>("operation", operation));
}
