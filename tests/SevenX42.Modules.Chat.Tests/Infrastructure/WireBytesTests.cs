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
    private static readonly JsonSerializerOptions Relaxed = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly int Envelope = "[1,]".Length;

    // 50 tokens a second make so many a frame at 50, 25 and 10 frames a second. The peer sends a frame for each token.
    [Theory]
    [InlineData(1, 0.75)]
    [InlineData(2, 0.52)]
    [InlineData(5, 0.37)]
    public void A_formatted_answer_costs_fewer_bytes_than_its_plain_text_does_over_SignalR(int tokensPerFrame, double most)
    {
        for (var seed = 0; seed < 6; seed++)
        {
            var text = MarkdownDocument.OfWords(2_000, seed);
            var (bytes, peer) = (BytesOf(text, tokensPerFrame), SignalRBytesOf(text));
            var ofText = bytes / (double)Encoding.UTF8.GetByteCount(text);
            output.WriteLine($"{bytes / (double)peer:F3} of SignalR's bytes at {tokensPerFrame} tokens a frame, {ofText:F2} for a byte of text.");
            Assert.InRange(bytes / (double)peer, 0.1, most);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Bytes_grow_in_proportion_to_the_text(int seed)
    {
        var (one, four) = (MarkdownDocument.OfWords(1_000, seed), MarkdownDocument.OfWords(4_000, seed));
        var (small, large) = (BytesOf(one, 2) / (double)one.Length, BytesOf(four, 2) / (double)four.Length);
        output.WriteLine($"{small:F2} for 1,000 words, {large:F2} for 4,000.");
        Assert.InRange(large / small, 0.7, 1.3);
    }

    /// <summary>A streaming hub's items, JSON protocol, one for each token: https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/HubProtocol.md</summary>
    private static long SignalRBytesOf(string text)
    {
        long bytes = 0;
        foreach (var token in Pieces(text, CharactersPerToken))
        {
            var json = JsonSerializer.Serialize(token, Relaxed);
            bytes += Framed(Encoding.UTF8.GetByteCount("{\"type\":2,\"invocationId\":\"1\",\"item\":" + json + "}\u001e"));
        }

        return bytes;
    }

    /// <summary>With the header of a server's WebSocket frame.</summary>
    private static int Framed(int length) => length + (length < 126 ? 2 : length < 65_536 ? 4 : 10);

    private static IEnumerable<string> Pieces(string text, int length)
    {
        for (int i = 0, end; i < text.Length; i = end)
        {
            end = Math.Min(i + length, text.Length);
            if (end < text.Length && char.IsLowSurrogate(text[end]))
                end++;
            yield return text[i..end];
        }
    }

    private static long BytesOf(string text, int tokensPerFrame)
    {
        var projector = new ConversationProjector(Renderer, _ => Task.FromResult<IReadOnlyList<PendingAnswer>>([]));
        var generation = Guid.Parse("11111111-1111-1111-1111-111111111111");
        using var frame = new ProjectedEvents();
        long bytes = 0;
        var (seq, offset) = (0L, 0);
        Project(GenerationEvents.Started, new GenerationEvents.StartedData("2", generation, 1, 0, 0));
        foreach (var piece in Pieces(text, CharactersPerToken * tokensPerFrame))
        {
            Project(GenerationEvents.Delta, new GenerationEvents.DeltaData("2", generation, offset, piece));
            offset += piece.Length;
        }

        Project(GenerationEvents.Done, new GenerationEvents.DoneData("2", generation, GenerationStatus.Completed, text.Length, "", ""));
        return bytes;

        void Project<T>(string type, T data)
        {
            frame.Clear();
            projector.Project([Event(++seq, type, data)], frame);
            if (frame.Count > 0)
                bytes += Framed(frame.WrittenSpan.Length + Envelope);
        }
    }

    private static ChannelEvent Event<T>(long seq, string type, T data) => new(seq, type, JsonSerializer.SerializeToUtf8Bytes(data));
}
