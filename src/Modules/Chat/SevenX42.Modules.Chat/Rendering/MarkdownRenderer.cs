using Ganss.Xss;
using Markdig;
using Markdig.Extensions.AutoLinks;
using Markdig.Extensions.EmphasisExtras;
using Markdig.Extensions.Tables;
using Markdig.Extensions.TaskLists;
using Markdig.Parsers;
using Markdig.Parsers.Inlines;
using Markdig.Renderers;
using Markdig.Renderers.Html;
using Markdig.Syntax;
using Markdig.Syntax.Inlines;

namespace SevenX42.Modules.Chat.Rendering;

/// <summary>
/// Markdown to safe HTML, block by block. Extensions are enabled one by one, because the usual set turns content into
/// attributes and embeds media; raw HTML is text; images become links, so that showing an answer calls nobody.
/// Sanitising with an allow-list of our own is the last step. Thread-safe.
/// </summary>
internal sealed class MarkdownRenderer
{
    private static readonly MarkdownPipeline Pipeline = new MarkdownPipelineBuilder()
        .UsePipeTables()
        .UseTaskLists()
        .UseAutoLinks(new AutoLinkOptions { AllowDomainWithoutPeriod = false })
        .UseEmphasisExtras(EmphasisExtraOptions.Strikethrough)
        .DisableHtml()
        .Build();

    // For what is nested deeper than anything that is meant: paragraphs and lines, as they are written.
    private static readonly MarkdownPipeline Plain = CreatePlain();

    private const int DeepestNesting = 60;

    private static readonly string[] Schemes = ["http://", "https://", "mailto:"];

    private readonly HtmlSanitizer _sanitizer = AllowList.Create();

    /// <summary>The document's top-level blocks as safe HTML. Joined, they are the whole rendering.</summary>
    public IReadOnlyList<string> RenderBlocks(string markdown)
    {
        var document = Parse(markdown);
        var blocks = new List<string>(document.Count);
        foreach (var block in document)
        {
            if (IsVisible(block))
                blocks.Add(RenderBlock(block));
        }

        return blocks;
    }

    /// <summary>The whole document as safe HTML.</summary>
    public string Render(string markdown) => string.Concat(RenderBlocks(markdown));

    /// <summary>
    /// Parses without rendering. What is nested too deeply for the parser, or for a browser to show, is taken as plain
    /// paragraphs: a model that repeats a bracket for ever must not make its conversation unreadable.
    /// </summary>
    internal static MarkdownDocument Parse(string markdown)
    {
        try
        {
            var document = Markdig.Markdown.Parse(markdown, Pipeline);
            if (!IsDeeperThan(document, DeepestNesting))
                return document;
        }
        catch (ArgumentException)
        {
            // Markdig's depth limit, which has no exception of its own.
        }

        return Markdig.Markdown.Parse(markdown, Plain);
    }

    private static bool IsDeeperThan(MarkdownObject node, int depth) => depth == 0 || node switch
    {
        ContainerBlock container => container.Any(child => IsDeeperThan(child, depth - 1)),
        LeafBlock { Inline: { } inline } => IsDeeperThan(inline, depth - 1),
        ContainerInline container => container.Any(child => IsDeeperThan(child, depth - 1)),
        _ => false,
    };

    private static MarkdownPipeline CreatePlain()
    {
        var builder = new MarkdownPipelineBuilder();
        builder.BlockParsers.RemoveAll(parser => parser is not ParagraphBlockParser);
        builder.InlineParsers.RemoveAll(parser => parser is not LineBreakInlineParser);
        return builder.Build();
    }

    /// <summary>Whether a block shows: definitions of reference links don't.</summary>
    internal static bool IsVisible(Block block) => block is not (LinkReferenceDefinitionGroup or LinkReferenceDefinition or BlankLineBlock);

    /// <summary>One block as safe HTML.</summary>
    internal string RenderBlock(Block block)
    {
        using var writer = new StringWriter();
        var renderer = new HtmlRenderer(writer);
        Pipeline.Setup(renderer);
        renderer.ObjectRenderers.Replace<CodeBlockRenderer>(new CodeRenderer());
        renderer.ObjectRenderers.Replace<Markdig.Renderers.Html.Inlines.LinkInlineRenderer>(new LinkRenderer());
        renderer.ObjectRenderers.Replace<Markdig.Renderers.Html.Inlines.AutolinkInlineRenderer>(new AutolinkRenderer());
        renderer.ObjectRenderers.Replace<HtmlTableRenderer>(new ScrollingTableRenderer());
        renderer.ObjectRenderers.Replace<HtmlTaskListRenderer>(new TaskRenderer());
        renderer.Render(block);
        return _sanitizer.Sanitize(writer.ToString());
    }

    private static void WriteLink(HtmlRenderer renderer, string? url, Action<HtmlRenderer> content)
    {
        // Out, or nowhere: a relative address would lead into this application.
        if (!LeadsOut(url))
        {
            content(renderer);
            return;
        }

        renderer.Write("<a href=\"").WriteEscapeUrl(url ?? "").Write("\" rel=\"noopener\" target=\"_blank\">");
        content(renderer);
        renderer.Write("</a>");
    }

    private static bool LeadsOut(string? url) =>
        Schemes.Any(scheme => url?.StartsWith(scheme, StringComparison.OrdinalIgnoreCase) is true);

    private sealed class LinkRenderer : HtmlObjectRenderer<LinkInline>
    {
        protected override void Write(HtmlRenderer renderer, LinkInline obj) =>
            WriteLink(renderer, obj.GetDynamicUrl?.Invoke() ?? obj.Url, r =>
            {
                if (obj.IsImage && obj.FirstChild is null)
                    r.Write("image");
                else
                    r.WriteChildren(obj);
            });
    }

    private sealed class AutolinkRenderer : HtmlObjectRenderer<AutolinkInline>
    {
        protected override void Write(HtmlRenderer renderer, AutolinkInline obj) =>
            WriteLink(renderer, obj.IsEmail ? "mailto:" + obj.Url : obj.Url, r => r.WriteEscape(obj.Url));
    }

    private sealed class ScrollingTableRenderer : HtmlTableRenderer
    {
        protected override void Write(HtmlRenderer renderer, Table table)
        {
            renderer.EnsureLine();
            renderer.Write("<div class=\"md-table\" tabindex=\"0\" role=\"region\" aria-label=\"Table\">");
            base.Write(renderer, table);
            renderer.Write("</div>");
        }
    }

    private sealed class TaskRenderer : HtmlObjectRenderer<TaskList>
    {
        protected override void Write(HtmlRenderer renderer, TaskList obj) => renderer.Write(
            obj.Checked
                ? "<span class=\"md-task md-done\" role=\"img\" aria-label=\"Done\"></span>"
                : "<span class=\"md-task\" role=\"img\" aria-label=\"Not done\"></span>");
    }

    private sealed class CodeRenderer : HtmlObjectRenderer<CodeBlock>
    {
        protected override void Write(HtmlRenderer renderer, CodeBlock obj)
        {
            renderer.EnsureLine();
            var language = (obj as FencedCodeBlock)?.Info is { Length: > 0 } info ? info : "text";
            renderer.Write(CodeFrame.Open(language));
            var lines = CodeFrame.LinesOf(obj);
            var highlighter = CodeHighlighter.For(language);
            foreach (var line in lines)
                renderer.Write(highlighter.Next(line)).Write("\n");
            renderer.Write(CodeFrame.End);
        }
    }
}

/// <summary>What stands around the lines of a code block.</summary>
internal static class CodeFrame
{
    private const int LongestLabel = 40;

    /// <summary>After the last line.</summary>
    public const string End = "</code></pre></div>";

    /// <summary>Before the first line: the language and a button that the page's script serves.</summary>
    public static string Open(string language)
    {
        var label = language.Length > LongestLabel ? language[..LongestLabel] : language;
        return $"""<div class="md-code"><div class="md-code-head"><span>{Escape(label)}</span><button type="button" data-copy="code" aria-label="Copy code">Copy</button></div><pre tabindex="0"><code>""";
    }

    /// <summary>The lines of a code block.</summary>
    public static IEnumerable<string> LinesOf(CodeBlock block)
    {
        for (var i = 0; i < block.Lines.Count; i++)
            yield return block.Lines.Lines[i].Slice.ToString();
    }

    /// <summary>Escapes text as the sanitiser's serialiser does, so that both ways to a line give the same bytes.</summary>
    public static string Escape(string text) => text
        .Replace("&", "&amp;", StringComparison.Ordinal)
        .Replace("<", "&lt;", StringComparison.Ordinal)
        .Replace(">", "&gt;", StringComparison.Ordinal)
        .Replace("\u00A0", "&nbsp;", StringComparison.Ordinal)
        .Replace('\0', '\uFFFD');
}
