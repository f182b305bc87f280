using System.Text.Json;
using SevenX42.Contracts.Chat;
using SevenX42.Contracts.Generation;
using SevenX42.Realtime;

namespace SevenX42.Modules.Generation.Tests;

/// <summary>
/// An answer as a reader of its channel puts it together, by the rules of <see cref="GenerationEvents"/>. A gap, a doubled
/// character or text after the end is an error.
/// </summary>
internal sealed record ReadAnswer(
    string Text, string Reasoning, GenerationEvents.DoneData? Done, IReadOnlyList<ChannelEvent> Events)
{
    public IEnumerable<GenerationEvents.StartedData> Started => Of<GenerationEvents.StartedData>(GenerationEvents.Started);

    public IEnumerable<GenerationEvents.QueuedData> Queued => Of<GenerationEvents.QueuedData>(GenerationEvents.Queued);

    public IEnumerable<GenerationEvents.WaitingData> Waiting => Of<GenerationEvents.WaitingData>(GenerationEvents.Waiting);

    public IEnumerable<GenerationEvents.DeltaData> Deltas => Of<GenerationEvents.DeltaData>(GenerationEvents.Delta);

    public static async Task<ReadAnswer> ReadAsync(IChannelLog log, AnswerRequested request)
    {
        var events = new List<ChannelEvent>();
        var read = await log.ReadRetainedAsync(request.Channel, events, TestContext.Current.CancellationToken);
        Assert.True(read.Recovered, "The log no longer reaches back to the beginning.");
        return Fold(request, events);
    }

    public static ReadAnswer Fold(AnswerRequested request, IEnumerable<ChannelEvent> log)
    {
        var (text, reasoning) = (request.Prefix, request.ReasoningPrefix);
        GenerationEvents.DoneData? done = null;
        var own = log.Where(e => JsonDocument.Parse(e.Data).RootElement.GetProperty("g").GetGuid() == request.GenerationId).ToList();
        foreach (var e in own)
        {
            Assert.True(done is null || e.Type == GenerationEvents.Done, $"{e.Type} after the end.");
            switch (e.Type)
            {
                case GenerationEvents.Started:
                    var started = Read<GenerationEvents.StartedData>(e);
                    (text, reasoning) = (text[..started.TextOffset], reasoning[..started.ReasoningOffset]);
                    break;
                case GenerationEvents.Delta:
                    text = Merge(text, Read<GenerationEvents.DeltaData>(e));
                    break;
                case GenerationEvents.Reasoning:
                    reasoning = Merge(reasoning, Read<GenerationEvents.DeltaData>(e));
                    break;
                case GenerationEvents.Done:
                    done = Read<GenerationEvents.DoneData>(e);
                    Assert.Equal(done.Length, text.Length);
                    break;
            }
        }

        return new ReadAnswer(text, reasoning, done, own);
    }

    private static string Merge(string have, GenerationEvents.DeltaData delta)
    {
        Assert.True(delta.Offset <= have.Length, $"A gap: the text goes on at {delta.Offset}, but {have.Length} are had.");
        Assert.False(char.IsHighSurrogate(delta.Text[^1]), "Half a character.");
        var end = delta.Offset + delta.Text.Length;
        return end <= have.Length ? have : have + delta.Text[(have.Length - delta.Offset)..];
    }

    private static T Read<T>(ChannelEvent e) => JsonSerializer.Deserialize<T>(e.Data.Span)!;

    private IEnumerable<T> Of<T>(string type) => Events.Where(e => e.Type == type).Select(Read<T>);
}
