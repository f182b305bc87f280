using System.Text.Json;
using CsCheck;
using SevenX42.Modules.Chat.Infrastructure;
using SevenX42.Modules.Chat.Rendering;
using SevenX42.Realtime;
using SevenX42.Testing;

namespace SevenX42.Modules.Chat.Tests.Infrastructure;

/// <summary>A page from any position, and the events after it, make what is true.</summary>
public sealed class ConversationProjectorTests
{
    private static readonly MarkdownRenderer Renderer = new();

    [Fact]
    public void A_page_of_any_position_and_the_events_after_it_make_what_is_true() =>
        Gen.Int[0, int.MaxValue - 1].Sample(seed => Follow(seed, forgets: false), iter: 60, threads: 2);

    [Fact]
    public void A_log_that_has_forgotten_its_beginning_changes_nothing_about_that() =>
        Gen.Int[0, int.MaxValue - 1].Sample(seed => Follow(seed, forgets: true), iter: 60, threads: 2);

    [Fact]
    public void What_a_forgotten_attempt_thought_is_void_on_pages_that_show_it() => Follow(seed: 204_720_785, forgets: true);

    private static void Follow(int seed, bool forgets)
    {
        var random = new Random(seed);
        var story = Story.Tell(seed);
        var end = story.Events.Count;
        var head = (long)random.Next(1, end + 1);
        var forgotten = forgets ? random.NextInt64(0, head + 1) : 0;
        var projector = Load(story, forgotten, head, random);
        var readers = Enumerable.Range(0, 4).Select(_ => new Page(story, random, random.NextInt64(forgotten, head + 1))).ToList();
        using var output = new ProjectedEvents();
        while (true)
        {
            foreach (var reader in readers.Where(r => !r.IsLive && r.Position < head && random.Next(3) > 0))
            {
                output.Clear();
                projector.CatchUp(reader.Position, story.Between(reader.Position, head), output);
                reader.Take(output, head);
            }

            if (head == end)
                break;
            var next = Math.Min(end, head + random.Next(1, random.Next(2, 30)));
            output.Clear();
            try
            {
                projector.Project(story.Between(head, next), output);
            }
            catch (InvalidOperationException) when (forgets)
            {
                // An answer goes on whose text nobody has: the projector is loaded anew, and the pages are.
                projector = Load(story, forgotten, next, random);
                readers.ForEach(r => r.Load(random.NextInt64(head, next + 1)));
                head = next;
                continue;
            }

            foreach (var reader in readers.Where(r => r.IsLive))
            {
                if (random.Next(8) == 0)
                    reader.IsLive = false;
                else
                    reader.Take(output, next);
            }

            head = next;
        }

        foreach (var reader in readers)
        {
            while (reader.Position < end)
            {
                output.Clear();
                projector.CatchUp(reader.Position, story.Between(reader.Position, end), output);
                reader.Take(output, end);
            }
        }
    }

    private static ConversationProjector Load(Story story, long forgotten, long head, Random random)
    {
        // What has no stored end yet has a checkpoint, which the log reaches back to.
        var pending = story.At(head).Where(a => !a.Value.IsStored).Select(a =>
        {
            var checkpoint = story.At(random.NextInt64(Math.Max(forgotten, a.Value.Requested), head + 1))[a.Key];
            return new PendingAnswer(a.Key, a.Value.Generation, checkpoint.Text, checkpoint.Reasoning);
        }).ToList();
        var projector = new ConversationProjector(Renderer, _ => Task.FromResult<IReadOnlyList<PendingAnswer>>(pending));
        var loading = projector.LoadAsync(story.Between(forgotten, head), CancellationToken.None);
        Assert.True(loading.IsCompletedSuccessfully, loading.AsTask().Exception?.ToString());
        return projector;
    }

    private static string Whole(string text) => string.Concat(Renderer.RenderBlocks(text));

    private static StreamingMarkdown Stream(string text)
    {
        var streaming = new StreamingMarkdown(Renderer);
        streaming.Append(text);
        streaming.Flush();
        return streaming;
    }

    private static string StreamedSoFar(string text)
    {
        var streaming = Stream(text);
        return string.Concat(Enumerable.Range(0, streaming.BlockCount).Select(streaming.BlockHtml));
    }

    /// <summary>A reader's page, checked against the truth after every frame.</summary>
    private sealed class Page
    {
        private readonly Story _story;
        private readonly Random _random;
        private readonly Dictionary<int, StreamedBlocks> _blocks = [];
        private readonly Dictionary<int, string> _reasoning = [];

        // To which position what is shown of an answer was true when it was fetched by itself.
        private readonly Dictionary<int, long> _fetched = [];

        public Page(Story story, Random random, long position)
        {
            (_story, _random) = (story, random);
            Load(position);
        }

        public long Position { get; private set; }

        public bool IsLive { get; set; }

        public void Take(ProjectedEvents output, long reached)
        {
            using var frame = JsonDocument.Parse($"[{System.Text.Encoding.UTF8.GetString(output.WrittenSpan)}]");
            IsLive = true;
            foreach (var e in frame.RootElement.EnumerateArray())
            {
                Assert.InRange(e[0].GetInt64(), Position, reached);
                Position = e[0].GetInt64();
                if (e[1].GetString() == "tree")
                {
                    // The page is fetched anew, and stands where the log was then.
                    Load(_random.NextInt64(Position, reached + 1));
                    Check();
                    return;
                }

                Take(e[1].GetString()!, e[2], reached);
            }

            Position = reached;
            Check();
        }

        public void Load(long position)
        {
            Position = position;
            IsLive = false;
            _blocks.Clear();
            foreach (var number in _story.At(position).Keys)
                Show(number, position);
        }

        private void Show(int number, long position)
        {
            var state = _story.At(position)[number];
            var streaming = Stream(state.Text);
            IReadOnlyList<string> html = state.IsStored ? Renderer.RenderBlocks(state.Text) : [.. Enumerable.Range(0, streaming.BlockCount).Select(streaming.BlockHtml)];
            _blocks[number] = new StreamedBlocks();
            for (var i = 0; i < html.Count; i++)
                _blocks[number].Show(i, html[i]);
            _reasoning[number] = state.Reasoning;
        }

        private void Take(string type, JsonElement data, long reached)
        {
            switch (type)
            {
                case var _ when StreamedBlocks.Takes(type):
                    _blocks[data[0].GetInt32()].Take(type, data);
                    break;
                case "think":
                    var reasoning = _reasoning[data[0].GetInt32()];
                    Assert.InRange(data[1].GetInt32(), 0, reasoning.Length);
                    _reasoning[data[0].GetInt32()] = reasoning[..data[1].GetInt32()] + data[2].GetString();
                    break;
                case "done":
                    // Of deltas alone, unless what is stored was fetched before; that may be newer than this event.
                    var done = data.GetProperty("n").GetInt32();
                    if (_fetched.GetValueOrDefault(done) < Position)
                        Assert.Equal(Whole(_story.At(Position)[done].Text), string.Concat(_blocks[done].Blocks));
                    break;
                case "changed":
                    Show(data.GetProperty("n").GetInt32(), reached);
                    _fetched[data.GetProperty("n").GetInt32()] = reached;
                    break;
                default:
                    break;
            }
        }

        private void Check()
        {
            foreach (var (number, state) in _story.At(Position))
            {
                var expected = state.IsDone ? Whole(state.Text) : StreamedSoFar(state.Text);
                var shown = string.Concat(_blocks[number].Blocks);
                if (!state.IsDone || state.IsStored)
                    Assert.Equal(expected, shown);
                Assert.Equal(state.Reasoning, _reasoning[number]);
            }
        }
    }
}
