using AngleSharp.Dom;
using AngleSharp.Html.Parser;
using SevenX42.Modules.Chat.Rendering;
using SevenX42.Testing;

namespace SevenX42.Modules.Chat.Tests.Rendering;

/// <summary>Nothing hostile comes through, whole or streamed, at any moment of the stream.</summary>
public sealed class HostileMarkdownTests
{
    private const string Canary = "http://canary.test";
    private static readonly MarkdownRenderer Renderer = new();

    // What there may be, said once more than the renderer says it, so that a slip there is noticed here.
    private static readonly HashSet<string> Tags =
    [
        "P", "H1", "H2", "H3", "H4", "H5", "H6", "UL", "OL", "LI", "BLOCKQUOTE", "PRE", "CODE", "EM", "STRONG", "DEL", "A", "BR", "HR",
        "TABLE", "THEAD", "TBODY", "TR", "TH", "TD", "DIV", "SPAN", "BUTTON",
    ];

    private static readonly HashSet<string> Attributes =
        ["href", "rel", "target", "class", "start", "type", "data-copy", "aria-label", "role", "tabindex"];

    public static TheoryData<string> Payloads => [.. HostileMarkdown.Payloads(Canary)];

    [Fact]
    public void There_are_enough_of_them() => Assert.InRange(Payloads.Count, 60, 1_000);

    [Theory]
    [MemberData(nameof(Payloads))]
    public void It_is_harmless_as_a_whole_alone_and_within_text(string payload)
    {
        foreach (var text in (string[])[payload, $"Before {payload} after", $"Before\n\n{payload}\n\nafter", $"- a\n- {payload}", $"> {payload}", $"| a | b |\n|--|--|\n| {payload} | x |"])
        {
            var html = Renderer.Render(text);
            AssertHarmless(html);

            // Parsing what a browser would write of it changes nothing: there is nothing left to mutate.
            var dom = Parse(html);
            Assert.Equal(html, dom.InnerHtml);
        }
    }

    [Theory]
    [MemberData(nameof(Payloads))]
    public void It_is_the_same_and_harmless_at_every_moment_wherever_the_stream_is_split(string payload)
    {
        var text = $"Before {payload}\n\n{payload}\nafter";
        var whole = Parse(Renderer.Render(text)).InnerHtml;
        for (var split = 1; split < text.Length; split++)
            Assert.Equal(whole, Parse(Stream(text[..split], text[split..])).InnerHtml);
        Assert.Equal(whole, Parse(Stream([.. text.Select(c => c.ToString())])).InnerHtml);
    }

    private static string Stream(params string[] pieces)
    {
        var streaming = new StreamingMarkdown(Renderer);
        var blocks = new SortedDictionary<int, string>();
        foreach (var piece in pieces)
        {
            streaming.Append(piece);
            Apply(streaming.Flush());
        }

        Apply(streaming.Complete());
        return string.Concat(blocks.Values);

        void Apply(IReadOnlyList<HtmlDelta> deltas)
        {
            foreach (var delta in deltas)
            {
                blocks[delta.Block] = delta.Apply(blocks.GetValueOrDefault(delta.Block, ""));
                AssertHarmless(blocks[delta.Block]);
            }
        }
    }

    private static void AssertHarmless(string html)
    {
        foreach (var element in Parse(html).QuerySelectorAll("*"))
        {
            Assert.Contains(element.TagName, Tags);
            foreach (var attribute in element.Attributes)
            {
                Assert.Contains(attribute.Name, Attributes);
                if (attribute.Name == "href")
                    Assert.Matches("^(https?://|mailto:)", attribute.Value);
                if (attribute.Name == "class")
                    Assert.All(element.ClassList, c => Assert.Matches("^(md-|hl-|contains-task-list$|task-list-item$)", c));
            }
        }
    }

    private static IElement Parse(string html)
    {
        var document = new HtmlParser().ParseDocument("");
        document.Body!.InnerHtml = html;
        return document.Body;
    }
}
