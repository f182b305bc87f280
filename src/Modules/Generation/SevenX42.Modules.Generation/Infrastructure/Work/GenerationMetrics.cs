using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace SevenX42.Modules.Generation.Infrastructure.Work;

/// <summary>The module's meter and activity source.</summary>
internal sealed class GenerationMetrics
{
    public const string Name = "SevenX42.Generation";

    private readonly Histogram<double> _firstToken;
    private readonly Histogram<double> _queued;
    private readonly Counter<long> _finished;
    private readonly Counter<long> _tokens;
    private readonly Counter<long> _retries;
    private readonly Counter<long> _deadLetters;
    private long _queueDepth;

    public GenerationMetrics(IMeterFactory meters, RunningGenerations running)
    {
        var meter = meters.Create(Name);
        _firstToken = meter.CreateHistogram<double>("sevenx42.generation.first_token", "s", "From the claim to the first token.");
        _queued = meter.CreateHistogram<double>("sevenx42.generation.queued", "s", "From the request to the first claim.");
        _finished = meter.CreateCounter<long>("sevenx42.generation.finished", description: "Generations that ended, by status and error code.");
        _tokens = meter.CreateCounter<long>("sevenx42.generation.tokens", description: "Tokens as reported by providers.");
        _retries = meter.CreateCounter<long>("sevenx42.generation.retries", description: "Requests tried again before the first token.");
        _deadLetters = meter.CreateCounter<long>("sevenx42.generation.dead_letters", description: "Generations given up after too many attempts that died.");
        meter.CreateObservableGauge("sevenx42.generation.running", () => running.Count, description: "Generations that run in this process.");
        meter.CreateObservableGauge(
            "sevenx42.generation.queue_depth", () => Volatile.Read(ref _queueDepth), description: "Queued generations, over all workers.");
    }

    public static ActivitySource Activities { get; } = new(Name);

    public void Queue(long depth) => Volatile.Write(ref _queueDepth, depth);

    public void Claimed(TimeSpan queued) => _queued.Record(queued.TotalSeconds);

    public void FirstToken(string provider, TimeSpan elapsed) =>
        _firstToken.Record(elapsed.TotalSeconds, new KeyValuePair<string, object?>("provider", provider));

    public void Retried(string provider, string code) =>
        _retries.Add(1, new KeyValuePair<string, object?>("provider", provider), new KeyValuePair<string, object?>("code", code));

    public void DeadLettered() => _deadLetters.Add(1);

    public void Finished(string provider, string status, string errorCode, long inputTokens, long outputTokens)
    {
        var tag = new KeyValuePair<string, object?>("provider", provider);
        _finished.Add(1, tag, new KeyValuePair<string, object?>("status", status), new KeyValuePair<string, object?>("code", errorCode));
        if (inputTokens > 0)
            _tokens.Add(inputTokens, tag, new KeyValuePair<string, object?>("direction", "input"));
        if (outputTokens > 0)
            _tokens.Add(outputTokens, tag, new KeyValuePair<string, object?>("direction", "output"));
    }
}
