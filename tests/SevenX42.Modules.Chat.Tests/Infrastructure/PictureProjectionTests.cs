using System.Text.Json;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Chat.Infrastructure;
using SevenX42.Modules.Chat.Rendering;
using SevenX42.Realtime;
using SevenX42.Testing;

namespace SevenX42.Modules.Chat.Tests.Infrastructure;

/// <summary>What browsers are sent of pictures that are being drawn.</summary>
public sealed class PictureProjectionTests
{
    private static readonly Guid Generation = Guid.CreateVersion7(DateTimeOffset.UnixEpoch);
    private static readonly MarkdownRenderer Renderer = new();

    [Fact]
    public void Whoever_watches_from_the_start_and_whoever_comes_late_or_has_a_page_see_the_same()
    {
        var events = Tell(steps: 20);
        var early = new StreamedBlocks();
        using var output = new ProjectedEvents();
        var projector = new ConversationProjector(Renderer, _ => Task.FromResult<IReadOnlyList<PendingAnswer>>([]));
        var longest = 0;
        for (var i = 0; i < events.Count; i++)
        {
            output.Clear();
            projector.Project([events[i]], output);
            if (i > 5)
                longest = Math.Max(longest, output.WrittenSpan.Length);
            Read(output, early);
        }

        // A page of the middle, which says what the checkpoint says, and the events after it.
        var late = new StreamedBlocks();
        late.Show(0, PictureProgress.Html(Progress(9, 20)));
        output.Clear();
        projector.CatchUp(10, events.GetRange(10, events.Count - 10), output);
        Read(output, late);

        Assert.Equal([PictureProgress.Html(Progress(20, 20), Progress(19, 20).Preview)], early.Blocks);
        Assert.Equal(early.Blocks, late.Blocks);

        // Two steps of a bar, and no picture in it.
        Assert.InRange(longest, 1, 400);
    }

    [Fact]
    public async Task A_replica_that_begins_in_the_middle_goes_on_from_the_checkpoint_and_the_log()
    {
        var events = Tell(steps: 20);
        var projector = new ConversationProjector(
            Renderer, _ => Task.FromResult<IReadOnlyList<PendingAnswer>>([new PendingAnswer(2, Generation, "", "", Progress(3, 20))]));
        await projector.LoadAsync(events.GetRange(8, 4), TestContext.Current.CancellationToken);
        var blocks = new StreamedBlocks();
        blocks.Show(0, PictureProgress.Html(Progress(1, 20)));
        using var output = new ProjectedEvents();
        projector.CatchUp(3, events.GetRange(8, 4), output);
        Read(output, blocks);
        Assert.Contains("Step 10 of 20", blocks.Blocks.Single(), StringComparison.Ordinal);
        output.Clear();
        projector.Project(events.GetRange(12, events.Count - 12), output);
        Read(output, blocks);
        Assert.Contains("Step 20 of 20", blocks.Blocks.Single(), StringComparison.Ordinal);
    }

    [Fact]
    public void Whoever_comes_while_the_provider_is_waited_for_sees_how_far_it_was()
    {
        var waiting = new GenerationEvents.WaitingData("2", Generation, "rate_limited", 1_000);
        List<ChannelEvent> events =
        [
            .. Tell(steps: 8),
            new(11, GenerationEvents.Waiting, JsonSerializer.SerializeToUtf8Bytes(waiting, GenerationEventsJson.Wire.WaitingData)),
        ];
        using var output = new ProjectedEvents();
        var projector = new ConversationProjector(Renderer, _ => Task.FromResult<IReadOnlyList<PendingAnswer>>([]));
        projector.Project(events, output);
        output.Clear();
        var late = new StreamedBlocks();
        late.Show(0, PictureProgress.Html(Progress(4, 8)));
        projector.CatchUp(6, events.GetRange(6, 5), output);
        Read(output, late);
        Assert.Equal([PictureProgress.Html(Progress(8, 8), Progress(7, 8).Preview)], late.Blocks);
    }

    [Fact]
    public void After_news_of_an_earlier_end_the_bar_goes_on_and_after_news_of_its_own_it_does_not()
    {
        var events = Tell(steps: 20);
        using var output = new ProjectedEvents();
        var projector = new ConversationProjector(Renderer, _ => Task.FromResult<IReadOnlyList<PendingAnswer>>([]));
        projector.Project(events.GetRange(0, 7), output);
        projector.Project([Changed(Guid.CreateVersion7(DateTimeOffset.UnixEpoch))], output);

        // Told of a change, the page has fetched another state.
        var page = new StreamedBlocks();
        page.Show(0, PictureProgress.Html(Progress(3, 20)));
        output.Clear();
        projector.Project([events[7]], output);
        Read(output, page);
        Assert.Equal([PictureProgress.Html(Progress(6, 20), Progress(5, 20).Preview)], page.Blocks);

        projector.Project([Changed(Generation)], output);
        output.Clear();
        projector.Project([events[8]], output);
        Assert.DoesNotContain("delta", System.Text.Encoding.UTF8.GetString(output.WrittenSpan), StringComparison.Ordinal);

        static ChannelEvent Changed(Guid generation) => new(100, "changed", JsonSerializer.SerializeToUtf8Bytes(new { n = 2, g = generation }));
    }

    [Fact]
    public void A_bar_without_steps_says_how_long_it_takes_and_claims_nothing()
    {
        var html = PictureProgress.Html(new ImageProgress(1, 0, 512, 512, 0, 0, "", null, 75));
        Assert.Contains("<progress aria-label=\"Progress\"></progress>", html, StringComparison.Ordinal);
        Assert.Contains("1 min 15 s", html, StringComparison.Ordinal);
        Assert.DoesNotContain("value=", html, StringComparison.Ordinal);
    }

    private static ImageProgress Progress(int step, int steps) => new(1, 0, 512, 512, step, steps, $"/images/{Generation}/preview?v=1-{step}", null, 0);

    /// <summary>Queued, begun, and a state for each step.</summary>
    private static List<ChannelEvent> Tell(int steps)
    {
        var json = GenerationEventsJson.Wire;
        List<(string Type, byte[] Data)> told =
        [
            (GenerationEvents.Queued, JsonSerializer.SerializeToUtf8Bytes(new("2", Generation, 0), json.QueuedData)),
            (GenerationEvents.Started, JsonSerializer.SerializeToUtf8Bytes(new("2", Generation, 1, 0, 0), json.StartedData)),
            .. Enumerable.Range(1, steps).Select(step =>
                (GenerationEvents.Image, JsonSerializer.SerializeToUtf8Bytes(new("2", Generation, Progress(step, steps)), json.ImageProgressData))),
        ];
        return [.. told.Select((e, i) => new ChannelEvent(i + 1, e.Type, e.Data))];
    }

    private static void Read(ProjectedEvents output, StreamedBlocks blocks)
    {
        using var document = JsonDocument.Parse($"[{System.Text.Encoding.UTF8.GetString(output.WrittenSpan)}]");
        foreach (var e in document.RootElement.EnumerateArray())
        {
            if (StreamedBlocks.Takes(e[1].GetString()!))
                blocks.Take(e[1].GetString()!, e[2]);
        }
    }
}
