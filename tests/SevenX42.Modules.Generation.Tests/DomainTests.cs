using System.Text;
using CsCheck;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Infrastructure.Providers.OpenAI;

namespace SevenX42.Modules.Generation.Tests;

public sealed class DomainTests
{
    /// <summary>Text as servers send it: cut anywhere, with NUL, halves of characters, everything.</summary>
    private static readonly Gen<string[]> Chunks =
        Gen.OneOf(Gen.Char, Gen.OneOf([.. "a\0\ud83d\ude00\ud800\udfffé\n".Select(c => Gen.Const(c))])).Array[0, 12].Select(c => new string(c)).Array[0, 12];

    [Fact]
    public void Pieces_of_a_streamed_text_are_whole_characters_and_make_up_the_text() => Gen.Select(Chunks, Gen.Int[2, 9]).Sample((chunks, max) =>
    {
        var text = new StreamedText();
        var taken = new StringBuilder();
        foreach (var chunk in chunks)
        {
            text.Append(chunk);
            Take();
            Assert.Equal(taken.ToString(), text.ToString());
        }

        text.Complete();
        Take();
        Assert.Equal(taken.ToString(), text.ToString());
        Assert.Equal(Clean(string.Concat(chunks)), text.ToString());

        void Take()
        {
            while (text.HasMore)
            {
                var (offset, piece) = text.Take(max);
                Assert.Equal(taken.Length, offset);
                Assert.InRange(piece.Length, 1, max);
                Assert.Equal(piece, Clean(piece));
                taken.Append(piece);
            }
        }
    });

    [Fact]
    public void Cleaning_is_what_streaming_does() => Chunks.Sample(chunks =>
        Assert.Equal(Clean(string.Concat(chunks)), StreamedText.Clean(string.Concat(chunks))));

    [Fact]
    public void A_truncated_text_goes_on_from_there()
    {
        var text = new StreamedText("prefix");
        Assert.False(text.HasMore);
        text.Append(" one \ud83d");
        Assert.Equal((6, " one "), text.Take(100));
        text.Truncate(6);
        Assert.Equal((6, 6), (text.Length, text.Taken));
        text.Append("\ude00 two");
        text.Complete();
        Assert.Equal((6, "\uFFFD two"), text.Take(100));
    }

    [Fact]
    public void The_first_piece_goes_at_once_and_the_next_after_the_interval() => Gen.Int[0, 100].Array[1, 30].Sample(pauses =>
    {
        var coalescer = new DeltaCoalescer(TimeSpan.FromMilliseconds(20));
        var now = TimeSpan.Zero;
        TimeSpan? last = null;
        Assert.Equal(TimeSpan.Zero, coalescer.DueIn(now));
        foreach (var pause in pauses)
        {
            now += TimeSpan.FromMilliseconds(pause);
            var wait = coalescer.DueIn(now);
            Assert.InRange(wait, TimeSpan.Zero, coalescer.Interval);
            if (last is { } before)
                Assert.True(now + wait >= before + coalescer.Interval);
            now += wait;
            Assert.Equal(TimeSpan.Zero, coalescer.DueIn(now));
            coalescer.HandedOn(now);
            last = now;
        }
    });

    [Fact]
    public void Tries_end_and_waits_are_bounded() =>
        Gen.Select(Gen.Int[1, 6], Gen.Int[0, 5000], Gen.Int[0, 20_000], Gen.Int[-1, 40_000], Gen.Bool, Gen.Double[0, 1]).Sample(
            (maxTries, baseDelay, maxWait, asked, retry, jitter) =>
            {
                var policy = new RetryPolicy(maxTries, TimeSpan.FromMilliseconds(baseDelay), TimeSpan.FromMilliseconds(maxWait));
                TimeSpan? retryAfter = asked < 0 ? null : TimeSpan.FromMilliseconds(asked);
                var failure = new GenerationFailure("code", "", retry, retryAfter);
                var tries = 1;
                while (policy.NextDelay(failure, tries, jitter) is { } delay)
                {
                    Assert.True(retry);
                    Assert.InRange(delay, TimeSpan.Zero, policy.MaxRetryAfter);
                    if (asked > 0)
                        Assert.Equal(retryAfter, delay);
                    tries++;
                }

                Assert.InRange(tries, 1, maxTries);
                if (retry && (asked < 0 || asked <= maxWait))
                    Assert.Equal(maxTries, tries);
            });

    [Theory]
    [InlineData("ollama/llama3.2:latest", "ollama", "llama3.2:latest")]
    [InlineData("router/meta-llama/Llama-3", "router", "meta-llama/Llama-3")]
    [InlineData("plain", "", "plain")]
    public void A_model_id_is_a_provider_and_its_own_name_of_the_model(string id, string provider, string model) =>
        Assert.Equal(new ModelId(provider, model), ModelId.Parse(id));

    [Fact]
    public void Half_characters_survive_their_disguise() => Chunks.Sample(chunks =>
    {
        var text = string.Concat(chunks);
        var escaped = new StringBuilder("\"");
        foreach (var c in text)
            escaped.Append(System.Globalization.CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
        var line = Encoding.ASCII.GetBytes(escaped.Append('"').ToString());
        var hidden = HalfCharacters.Hide(line);
        Assert.Equal(Clean(text) != text.Replace('\0', '\uFFFD'), hidden is not null);
        Assert.Equal(text, HalfCharacters.Reveal(System.Text.Json.JsonSerializer.Deserialize<string>(hidden ?? line)!));
    });

    /// <summary>The oracle: .NET's own idea of well-formed text, and no NUL.</summary>
    private static string Clean(string text) => new string([.. text.EnumerateRunes().SelectMany(r => r.ToString())]).Replace('\0', '\uFFFD');
}
