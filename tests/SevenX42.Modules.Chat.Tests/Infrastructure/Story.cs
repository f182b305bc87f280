using System.Globalization;
using System.Text.Json;
using SevenX42.Contracts.Generation;
using SevenX42.Realtime;

namespace SevenX42.Modules.Chat.Tests.Infrastructure;

/// <summary>What is true of an answer after an event of the log.</summary>
/// <param name="Generation">The generation that writes it.</param>
/// <param name="Text">Its text.</param>
/// <param name="Reasoning">Its reasoning.</param>
/// <param name="IsDone">Whether its generation has ended.</param>
/// <param name="IsStored">Whether its end is stored.</param>
/// <param name="Requested">The event that requested the generation.</param>
internal sealed record AnswerState(Guid Generation, string Text, string Reasoning, bool IsDone, bool IsStored, long Requested);

/// <summary>
/// A conversation's log as generations and Chat write it, at random: attempts that begin again or go on from a checkpoint,
/// answers that are stopped, continued and retried, several at once, any coalescing, events that come twice.
/// </summary>
internal sealed class Story
{
    private readonly List<ChannelEvent> _events = [];
    private readonly List<Dictionary<int, AnswerState>> _states = [[]];

    private Story()
    {
    }

    public IReadOnlyList<ChannelEvent> Events => _events;

    public static Story Tell(int seed)
    {
        var random = new Random(seed);
        var story = new Story();
        var answers = Enumerable.Range(1, random.Next(1, 3)).Select(i => story.Answer(random, 2 * i).GetEnumerator()).ToList();
        while (answers.Count > 0)
        {
            var next = random.Next(answers.Count);
            if (!answers[next].MoveNext())
                answers.RemoveAt(next);
        }

        return story;
    }

    /// <summary>The events after a position, up to another.</summary>
    public List<ChannelEvent> Between(long after, long last) => _events.GetRange((int)after, (int)(last - after));

    /// <summary>The answers as they are at a position.</summary>
    public IReadOnlyDictionary<int, AnswerState> At(long position) => _states[(int)position];

    // Yields after each event, so that answers can be interleaved.
    private IEnumerable<bool> Answer(Random random, int number)
    {
        var state = new AnswerState(Guid.Empty, "", "", false, false, 0);
        for (var generations = random.Next(1, 4); generations > 0; generations--)
        {
            var goesOn = state.Text.Length > 0 && random.Next(2) == 0;
            state = state with
            {
                Generation = NewGuid(random),
                Text = goesOn ? state.Text : "",
                Reasoning = goesOn ? state.Reasoning : "",
                IsDone = false,
                IsStored = false,
                Requested = _events.Count + 1,
            };
            Append(number, state, "tree", new { leaf = "x" });
            yield return true;
            for (var i = random.Next(3); i > 0; i--)
            {
                Append(number, state, GenerationEvents.Queued, new GenerationEvents.QueuedData(Subject(number), state.Generation, i - 1));
                yield return true;
            }

            var (prefix, prefixReasoning) = (state.Text, state.Reasoning);
            var attempts = random.Next(1, 4);
            for (var attempt = 1; attempt <= attempts; attempt++)
            {
                // From what was stored last; or, where the provider can't go on, from the prefix.
                state = random.Next(2) == 0
                    ? state with { Text = state.Text[..Whole(state.Text, random.Next(prefix.Length, state.Text.Length + 1))], Reasoning = state.Reasoning[..Whole(state.Reasoning, random.Next(prefixReasoning.Length, state.Reasoning.Length + 1))] }
                    : state with { Text = prefix, Reasoning = prefixReasoning };
                Append(number, state, GenerationEvents.Started, new GenerationEvents.StartedData(Subject(number), state.Generation, attempt, state.Text.Length, state.Reasoning.Length));
                yield return true;
                var document = Testing.MarkdownDocument.OfWords(random.Next(60), random.Next()) + (random.Next(4) == 0 ? "[a]: https://example.org/ref\n" : "");
                for (var position = 0; position < document.Length && (attempt == attempts || random.Next(15) > 0);)
                {
                    var length = Math.Min(random.Next(1, random.Next(2, 80)), document.Length - position);
                    if (position + length < document.Length)
                        length = Math.Max(Whole(document, position + length) - position, char.IsHighSurrogate(document[position]) ? 2 : 1);
                    switch (random.Next(12))
                    {
                        case 0:
                            Append(number, state, GenerationEvents.Waiting, new GenerationEvents.WaitingData(Subject(number), state.Generation, "rate_limited", 100));
                            break;
                        case 1 when state.Text.Length > 0:
                            // What was appended before, again.
                            var from = Whole(state.Text, random.Next(state.Text.Length));
                            Append(number, state, GenerationEvents.Delta, new GenerationEvents.DeltaData(Subject(number), state.Generation, from, state.Text[from..]));
                            break;
                        case 2 or 3:
                            var thought = document.Substring(position, length);
                            state = state with { Reasoning = state.Reasoning + thought };
                            Append(number, state, GenerationEvents.Reasoning, new GenerationEvents.DeltaData(Subject(number), state.Generation, state.Reasoning.Length - length, thought));
                            break;
                        default:
                            var added = document.Substring(position, length);
                            state = state with { Text = state.Text + added };
                            Append(number, state, GenerationEvents.Delta, new GenerationEvents.DeltaData(Subject(number), state.Generation, state.Text.Length - length, added));
                            position += length;
                            break;
                    }

                    yield return true;
                }
            }

            // The story may end before the answer does.
            if (generations == 1 && random.Next(3) == 0)
                yield break;
            state = state with { IsDone = true };
            var status = generations == 1 && random.Next(3) > 0 ? GenerationStatus.Completed : random.Next(2) == 0 ? GenerationStatus.Stopped : GenerationStatus.Interrupted;
            // Two processes tell of the end, each in its own time.
            var isStoredFirst = random.Next(3) == 0;
            foreach (var isStored in (bool[])[isStoredFirst, !isStoredFirst])
            {
                state = state with { IsStored = state.IsStored || isStored };
                if (isStored)
                    Append(number, state, "changed", new { n = number });
                else
                    Append(number, state, GenerationEvents.Done, new GenerationEvents.DoneData(Subject(number), state.Generation, status, state.Text.Length, "", ""));
                yield return true;
            }
        }
    }

    private void Append(int number, AnswerState state, string type, object data)
    {
        _events.Add(new ChannelEvent(_events.Count + 1, type, JsonSerializer.SerializeToUtf8Bytes(data, data.GetType())));
        _states.Add(new Dictionary<int, AnswerState>(_states[^1]) { [number] = state });
    }

    private static string Subject(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static int Whole(string text, int length) => length > 0 && length < text.Length && char.IsLowSurrogate(text[length]) ? length - 1 : length;

    private static Guid NewGuid(Random random)
    {
        var bytes = new byte[16];
        random.NextBytes(bytes);
        return new Guid(bytes);
    }
}
