using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Infrastructure.Jobs;
using SevenX42.Realtime;

namespace SevenX42.Modules.Generation.Infrastructure.Work;

/// <summary>
/// What an attempt has written. See <see cref="IAttemptRecord"/>.
/// </summary>
internal sealed class Transcript(
    string subject, Guid generationId, string text, string reasoning, int prefixLength = 0, int reasoningPrefixLength = 0) : IAttemptRecord
{
    /// <summary>No event is longer, so that no reader gets a huge one.</summary>
    private const int MaxPiece = 8192;

    private readonly Lock _lock = new();
    private readonly List<NewChannelEvent> _notices = [];
    private readonly StreamedText _text = new(text);
    private readonly StreamedText _reasoning = new(reasoning);
    private long _version;

    /// <summary>Grows with every change.</summary>
    public long Version
    {
        get
        {
            lock (_lock)
                return _version;
        }
    }

    public int Length
    {
        get
        {
            lock (_lock)
                return _text.Length + _reasoning.Length;
        }
    }

    /// <summary>A reader does not see more than some fifty pieces a second, and each costs a write of the log.</summary>
    public TimeSpan Interval { get; } = TimeSpan.FromMilliseconds(20);

    public bool HasContent => !string.IsNullOrWhiteSpace(Text);

    public string Text
    {
        get
        {
            lock (_lock)
                return _text.ToString();
        }
    }

    public int ReasoningLength
    {
        get
        {
            lock (_lock)
                return _reasoning.Length;
        }
    }

    public (JobContent Content, long Version) Snapshot()
    {
        lock (_lock)
            return (new JobContent(_text.ToString(), _reasoning.ToString()), _version);
    }

    public void Begin(int attempt)
    {
        lock (_lock)
            Start(attempt, _text.Length, _reasoning.Length);
    }

    public void Clear(int attempt) => Start(attempt, prefixLength, reasoningPrefixLength);

    /// <summary>Adds text.</summary>
    /// <returns>Length of everything.</returns>
    public int AppendText(string chunk) => Append(_text, chunk);

    /// <summary>Adds reasoning.</summary>
    /// <returns>Length of everything.</returns>
    public int AppendReasoning(string chunk) => Append(_reasoning, chunk);

    /// <summary>An attempt begins, or begins again: what lies behind the lengths is void.</summary>
    public void Start(int attempt, int textLength, int reasoningLength)
    {
        lock (_lock)
        {
            _text.Truncate(textLength);
            _reasoning.Truncate(reasoningLength);
            _version++;
            _notices.Add(StartedEvent(subject, generationId, attempt, textLength, reasoningLength));
        }
    }

    public void Wait(string code, TimeSpan delay)
    {
        lock (_lock)
        {
            _notices.Add(WaitingEvent(subject, generationId, code, delay));
        }
    }

    public void Complete()
    {
        lock (_lock)
        {
            _text.Complete();
            _reasoning.Complete();
            _version++;
        }
    }

    public bool Take(List<NewChannelEvent> events)
    {
        lock (_lock)
        {
            events.AddRange(_notices);
            _notices.Clear();
            var notices = events.Count;
            Take(_reasoning, GenerationEvents.Reasoning, subject, generationId, events);
            Take(_text, GenerationEvents.Delta, subject, generationId, events);
            return events.Count > notices;
        }
    }

    /// <summary>The event of an attempt's beginning.</summary>
    public static NewChannelEvent StartedEvent(string subject, Guid generationId, int attempt, int textLength, int reasoningLength) => Event(
        GenerationEvents.Started,
        new GenerationEvents.StartedData(subject, generationId, attempt, textLength, reasoningLength),
        GenerationEventsJson.Wire.StartedData);

    /// <summary>The event of pictures' progress.</summary>
    public static NewChannelEvent ImageEvent(string subject, Guid generationId, ImageProgress progress) => Event(
        GenerationEvents.Image,
        new GenerationEvents.ImageProgressData(subject, generationId, progress),
        GenerationEventsJson.Wire.ImageProgressData);

    /// <summary>The event of a wait.</summary>
    public static NewChannelEvent WaitingEvent(string subject, Guid generationId, string code, TimeSpan delay) => Event(
        GenerationEvents.Waiting,
        new GenerationEvents.WaitingData(subject, generationId, code, (int)delay.TotalMilliseconds),
        GenerationEventsJson.Wire.WaitingData);

    /// <summary>The event of an end.</summary>
    public static NewChannelEvent DoneEvent(
        string subject, Guid generationId, string status, int length, string errorCode, string errorMessage) =>
        Event(
            GenerationEvents.Done,
            new GenerationEvents.DoneData(subject, generationId, status, length, errorCode, errorMessage),
            GenerationEventsJson.Wire.DoneData);

    /// <summary>Everything of a finished job, for a channel that may lack some of it.</summary>
    public static List<NewChannelEvent> EndEvents(Unannounced job)
    {
        var events = new List<NewChannelEvent>();
        Take(new StreamedText(), GenerationEvents.Reasoning, job.Reasoning, job, events);
        Take(new StreamedText(), GenerationEvents.Delta, job.Text, job, events);
        events.Add(DoneEvent(job.Subject, job.Id, job.Status, job.Text.Length, job.ErrorCode, job.ErrorMessage));
        return events;

        static void Take(StreamedText source, string type, string text, Unannounced job, List<NewChannelEvent> events)
        {
            source.Append(text);
            Transcript.Take(source, type, job.Subject, job.Id, events);
        }
    }

    /// <summary>The event of a place in the queue.</summary>
    public static NewChannelEvent QueuedEvent(string subject, Guid generationId, int position) =>
        Event(
            GenerationEvents.Queued,
            new GenerationEvents.QueuedData(subject, generationId, position),
            GenerationEventsJson.Wire.QueuedData);

    private static NewChannelEvent Event<T>(string type, T data, JsonTypeInfo<T> json) =>
        new(type, JsonSerializer.SerializeToUtf8Bytes(data, json));

    private int Append(StreamedText target, string chunk)
    {
        lock (_lock)
        {
            target.Append(chunk);
            _version++;
            return _text.Length + _reasoning.Length;
        }
    }

    private static void Take(StreamedText source, string type, string subject, Guid generationId, List<NewChannelEvent> events)
    {
        while (source.HasMore)
        {
            var (offset, piece) = source.Take(MaxPiece);
            events.Add(Event(
                type, new GenerationEvents.DeltaData(subject, generationId, offset, piece), GenerationEventsJson.Wire.DeltaData));
        }
    }
}
