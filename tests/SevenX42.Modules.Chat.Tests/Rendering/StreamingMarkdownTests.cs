using CsCheck;
using SevenX42.Modules.Chat.Rendering;
using SevenX42.Testing;

namespace SevenX42.Modules.Chat.Tests.Rendering;

public sealed class StreamingMarkdownTests
{
    private static readonly MarkdownRenderer Renderer = new();
    private static readonly System.Text.Json.JsonSerializerOptions WithFields = new() { IncludeFields = true };

    private static readonly Gen<string> Word = Pick(
        "plain", "word", "a", "1", "42", "naïve", "日本語", "😀", "**bold**", "*it", "_under_", "`code`", "~~gone~~", "[link](https://example.org/a?b=1&c=2)",
        "[ref]", "![image](https://example.org/i.png)", "https://example.org/x.", "www.example.org", "<b>", "&amp;", "&", "<script>alert(1)</script>",
        "\\*", "**", "`", "[", "](", "$x$", "{.class}", "a@b.example", "\t", "a\u00A0b", "end.", "yes,");

    private static readonly Gen<string> Inline = Word.Array[1, 8].Select(words => string.Join(' ', words));

    private static readonly Gen<string> Block = Gen.OneOf(
        Inline,
        Gen.Select(Gen.Int[1, 6], Inline, (level, text) => $"{new string('#', level)} {text}"),
        Inline.Array[1, 3].Select(lines => string.Join("\n", lines)),
        Inline.Select(text => $"{text}\n==="),
        Inline.Select(text => $"{text}\n---"),
        Gen.Select(Pick("- ", "* ", "1. ", "- [ ] ", "- [x] ", "3) "), Inline.Array[1, 4], Pick("\n", "\n\n", "\n  ", "\n    - ", "\n\n   "),
            (marker, items, between) => string.Join(between, items.Select(i => marker + i))),
        Inline.Array[1, 3].Select(lines => string.Join("\n", lines.Select(l => "> " + l))),
        Gen.Select(Pick("", "csharp", "js", "python", "nonsense", "html"), Pick("```", "~~~", "````"), Pick("var x = 1; // y\nfoo(\"bar\");", "<div a=\"b\">\n\n</div>", "`` ` ``\n# no heading", "\tdef f():\n\t\treturn 1", ""), Gen.Bool,
            (language, fence, code, closed) => $"{fence}{language}\n{code}{(closed ? "\n" + fence : "")}"),
        Gen.Select(Inline, Inline, (a, b) => $"| {a.Replace('|', ' ')} | b |\n|:--|--:|\n| {b.Replace('|', ' ')} | 2 |\n| 3 | 4 |"),
        Gen.Const("---"), Gen.Const("***"), Gen.Const("    indented\n\n    code"), Gen.Const("[ref]: https://example.org/ref"), Gen.Const("<div>\nhtml\n</div>"), Gen.Const(""));

    // What a model writes that has lost its way.
    private static readonly Gen<string> Deep = Gen.Select(Pick("[", "> ", "- ", "1. ", "**a*_b[", "*a **b ", "`", "![", "(", "|", "~~x "), Gen.Int[100, 400],
        (mark, times) => string.Concat(Enumerable.Repeat(mark, times)) + "x");

    private static readonly Gen<string> Document =
        Gen.Select(Block, Pick("\n\n", "\n", "\r\n", "\r\n\r\n", "\n\n\n"), (block, end) => block + end).Array[1, 8].Select(string.Concat);

    [Fact]
    public void What_a_client_has_assembled_equals_the_full_rendering_for_any_document_and_any_chunking() =>
        Gen.Select(Document, Gen.Int[1, 9].Array[1, 40], Gen.Int[1, 4]).Sample(
            (document, sizes, flushEvery) => Assert.Equal(Renderer.Render(document), Stream(document, sizes, flushEvery)),
            iter: Thoroughness.Of(1_500), threads: 2, print: t => System.Text.Json.JsonSerializer.Serialize(t, WithFields));

    [Fact]
    public void Nesting_without_end_is_shown_as_it_is_written() =>
        Gen.Select(Document, Deep, Document, Gen.Int[1, 200].Array[1, 20]).Sample(
            (before, deep, after, sizes) =>
            {
                var document = $"{before}\n\n{deep}\n\n{after}";
                Assert.Equal(Renderer.Render(document), Stream(document, sizes, flushEvery: 1));
            },
            iter: 150, threads: 2, print: t => System.Text.Json.JsonSerializer.Serialize(t, WithFields));

    [Theory]
    [InlineData("some **bold words** and `code` in a line that does not end, ")]
    [InlineData("- an item of a *very* long list\n")]
    [InlineData("| a row | of a **long** table |\n")]
    public void Work_and_bytes_grow_in_proportion_to_a_block_s_length(string part)
    {
        var (work, bytes) = CostOf(6_000);
        var (fourfoldWork, fourfoldBytes) = CostOf(24_000);
        Assert.InRange(fourfoldWork / (double)work, 2, 8);
        Assert.InRange(fourfoldBytes / (double)bytes, 2, 8);

        (long Work, long Bytes) CostOf(int length)
        {
            var streaming = new StreamingMarkdown(Renderer);
            streaming.Append("| a | b |\n|---|---|\n".AsSpan(0, part[0] == '|' ? 20 : 0));
            var before = GC.GetAllocatedBytesForCurrentThread();
            long inserted = 0;
            for (var i = 0; i < length; i++)
            {
                streaming.Append([part[i % part.Length]]);
                if (i % 8 == 7)
                    inserted += streaming.Flush().Sum(d => d.Insert.Length);
            }

            return (GC.GetAllocatedBytesForCurrentThread() - before, inserted);
        }
    }

    [Fact]
    public void Closed_blocks_depend_on_the_text_alone_and_stay_closed() =>
        Gen.Select(Document, Gen.Int[1, 9].Array[1, 40], Gen.Int[1, 30].Array[1, 10]).Sample(
            (document, sizes, otherSizes) =>
            {
                var (first, second) = (new StreamingMarkdown(Renderer), new StreamingMarkdown(Renderer));
                Feed(first, document, sizes, _ => first.Flush());
                var closed = new List<string>();
                Feed(second, document, otherSizes, _ =>
                {
                    second.Flush();
                    for (var i = 0; i < closed.Count; i++)
                        Assert.Equal(closed[i], second.BlockHtml(i));
                    for (var i = closed.Count; i < second.OpenBlock; i++)
                        closed.Add(second.BlockHtml(i));
                });
                Assert.Equal(first.OpenBlock, second.OpenBlock);
                for (var i = 0; i < first.OpenBlock; i++)
                    Assert.Equal(first.BlockHtml(i), second.BlockHtml(i));
            },
            iter: Thoroughness.Of(700), threads: 2, print: t => System.Text.Json.JsonSerializer.Serialize(t, WithFields));

    [Fact]
    public void A_delta_never_splits_a_surrogate_pair()
    {
        var streaming = new StreamingMarkdown(Renderer);
        foreach (var c in "x 😀😁😂 `😀` **😁**\n\n```\n😀😁\n```\n")
        {
            streaming.Append([c]);
            foreach (var delta in streaming.Flush())
            {
                Assert.False(delta.Insert.Length > 0 && char.IsLowSurrogate(delta.Insert[0]));
                Assert.False(delta.Insert.Length > 0 && char.IsHighSurrogate(delta.Insert[^1]));
            }
        }

        Assert.Contains("😀", streaming.BlockHtml(0), StringComparison.Ordinal);
    }

    [Fact]
    public void An_open_code_block_costs_bytes_in_proportion_to_its_length()
    {
        var line = "    var value = Compute(\"text\", 42); // note\n";
        var streaming = new StreamingMarkdown(Renderer);
        streaming.Append("```csharp\n");
        long bytes = 0;
        for (var i = 0; i < 400; i++)
        {
            for (var j = 0; j < line.Length; j += 4)
            {
                streaming.Append(line.AsSpan(j, Math.Min(4, line.Length - j)));
                bytes += streaming.Flush().Sum(d => d.Insert.Length);
            }
        }

        Assert.InRange(bytes / (400.0 * line.Length), 1, 25);
    }

    private static Gen<string> Pick(params string[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    private static string Stream(string document, int[] sizes, int flushEvery)
    {
        var streaming = new StreamingMarkdown(Renderer);
        var client = new Dictionary<int, string>();
        Feed(streaming, document, sizes, i =>
        {
            if (i % flushEvery == 0)
                Apply(streaming.Flush());
        });
        Apply(streaming.Complete());
        return string.Concat(client.OrderBy(b => b.Key).Select(b => b.Value));

        void Apply(IReadOnlyList<HtmlDelta> deltas)
        {
            foreach (var delta in deltas)
                client[delta.Block] = delta.Apply(client.GetValueOrDefault(delta.Block, ""));
        }
    }

    private static void Feed(StreamingMarkdown streaming, string document, int[] sizes, Action<int> after)
    {
        var position = 0;
        for (var i = 0; position < document.Length; i++)
        {
            var size = Math.Min(sizes[i % sizes.Length], document.Length - position);
            streaming.Append(document.AsSpan(position, size));
            position += size;
            after(i);
        }
    }
}
