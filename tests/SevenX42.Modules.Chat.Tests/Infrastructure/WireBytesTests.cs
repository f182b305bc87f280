using System.Text;
using System.Text.Json;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Chat.Infrastructure;
using SevenX42.Modules.Chat.Rendering;
using SevenX42.Realtime;
using SevenX42.Testing;

namespace SevenX42.Modules.Chat.Tests.Infrastructure;

/// <summary>What formatting while streaming costs on the wire: in proportion to the text, and no more than it has to.</summary>
public sealed class WireBytesTests(ITestOutputHelper output)
{
    private const int CharactersPerToken = 4;
    private static readonly MarkdownRenderer Renderer = new();
    private static readonly int Envelope = """{"c":1,"ev":[]}""".Length;

    // 50 tokens a second make so many a frame at 50, 25 and 10 frames a second. The limits are what it costs, and a tenth; about
    // 50 bytes of a frame are its envelope.
    [Theory]
    [InlineData(1, 18.2)]
    [InlineData(2, 10.6)]
    [InlineData(5, 5.7)]
    public void An_answer_of_two_thousand_words_costs_few_bytes_for_each_of_its_text(int tokensPerFrame, double most)
    {
        var text = MarkdownDocument.OfWords(2_000, seed: 7);
        var ratio = BytesOf(text, tokensPerFrame) / (double)Encoding.UTF8.GetByteCount(text);
        output.WriteLine($"{ratio:F2} bytes on the wire for a byte of text at {tokensPerFrame} tokens a frame.");
        Assert.InRange(ratio, 1, most);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Bytes_grow_in_proportion_to_the_text(int seed)
    {
        var (one, eight) = (MarkdownDocument.OfWords(1_000, seed), MarkdownDocument.OfWords(8_000, seed));
        var (small, large) = (BytesOf(one, 2) / (double)one.Length, BytesOf(eight, 2) / (double)eight.Length);
        output.WriteLine($"{small:F2} for 1,000 words, {large:F2} for 8,000.");
        Assert.InRange(large / small, 0.7, 1.3);
    }

    private static long BytesOf(string text, int tokensPerFrame)
    {
        var projector = new ConversationProjector(Renderer, _ => Task.FromResult<IReadOnlyList<PendingAnswer>>([]));
        var generation = Guid.Parse("11111111-1111-1111-1111-111111111111");
        using var frame = new ProjectedEvents();
        projector.Project([Event(1, GenerationEvents.Started, new GenerationEvents.StartedData("2", generation, 1, 0, 0))], frame);
        long bytes = frame.WrittenSpan.Length + Envelope;
        var (seq, length) = (1, CharactersPerToken * tokensPerFrame);
        for (int i = 0, end; i < text.Length; i = end)
        {
            frame.Clear();

            // Generation never splits a character.
            end = Math.Min(i + length, text.Length);
            if (end < text.Length && char.IsLowSurrogate(text[end]))
                end++;
            var piece = text[i..end];
            projector.Project([Event(++seq, GenerationEvents.Delta, new GenerationEvents.DeltaData("2", generation, i, piece))], frame);
            if (frame.Count > 0)
                bytes += frame.WrittenSpan.Length + Envelope;
        }

        frame.Clear();
        projector.Project([Event(++seq, GenerationEvents.Done, new GenerationEvents.DoneData("2", generation, GenerationStatus.Completed, text.Length, "", ""))], frame);
        return bytes + frame.WrittenSpan.Length + Envelope;
    }

    private static ChannelEvent Event<T>(long seq, string type, T data) => new(seq, type, JsonSerializer.SerializeToUtf8Bytes(data));
}
