using System.Text;
using Markdig.Extensions.Tables;
using Markdig.Syntax;

namespace SevenX42.Modules.Chat.Rendering;

/// <summary>
/// A change of one block's HTML: of what the reader has for <paramref name="Block"/>, keep the first
/// <paramref name="Keep"/> and the last <paramref name="KeepEnd"/> UTF-16 code units and put <paramref name="Insert"/> between.
/// </summary>
internal readonly record struct HtmlDelta(int Block, int Keep, string Insert, int KeepEnd)
{
    /// <summary>The smallest change from one text to another that splits no surrogate pair; null when they are equal.</summary>
    public static HtmlDelta? Between(int block, string old, string now)
    {
        if (old == now)
            return null;
        var keep = old.AsSpan().CommonPrefixLength(now);
        if (keep > 0 && char.IsHighSurrogate(now[keep - 1]))
            keep--;
        var most = Math.Min(old.Length, now.Length) - keep;
        var keepEnd = 0;
        while (keepEnd < most && old[^(keepEnd + 1)] == now[^(keepEnd + 1)])
            keepEnd++;
        if (keepEnd > 0 && char.IsLowSurrogate(now[^keepEnd]))
            keepEnd--;
        return new HtmlDelta(block, keep, now[keep..(now.Length - keepEnd)], keepEnd);
    }

    /// <summary>What the reader does with it.</summary>
    public string Apply(string old) => string.Concat(old.AsSpan(0, Keep), Insert, old.AsSpan(old.Length - KeepEnd));
}

/// <summary>
/// Markdown that is still being written, as HTML blocks. A block is closed when the text up to the last line break shows
/// that the next top-level block has begun; a half line decides nothing, because what it is can still change (a lone
/// <c>1</c> after a list is a paragraph until its dot arrives). Closed blocks are never parsed or sent again, and their numbers
/// depend on the text alone, however it was cut. How the last line looks meanwhile is <see cref="UnfinishedLine"/>'s.
/// A long open block is formatted the more rarely the longer it is, and shows the text since then as it is written, so the
/// work is linear in the text. Not thread-safe; no clock, no I/O.
/// </summary>
internal sealed class StreamingMarkdown(MarkdownRenderer renderer)
{
    private readonly StringBuilder _text = new();
    private readonly List<string> _blocks = [];

    // Open text up to this long is formatted at every flush, longer text whenever a part of what is above that has come.
    private const int AlwaysFormatted = 4_000;
    private const int FormattedParts = 64;

    // The text since the last closed block, how much of it is shown, and how much was there when it was formatted last.
    private readonly StringBuilder _tail = new();
    private int _rendered;
    private int _formatted;
    private int _closed;
    private OpenFence? _fence;
    private bool _carriageReturn;

    /// <summary>Blocks as last flushed, the open one included.</summary>
    public int BlockCount => _blocks.Count;

    /// <summary>Blocks before this one are closed: final, unless <see cref="Complete"/> says otherwise.</summary>
    public int OpenBlock => _closed;

    /// <summary>UTF-16 code units appended.</summary>
    public int Length => _text.Length;

    /// <summary>The whole text.</summary>
    public string Text => _text.ToString();

    /// <summary>HTML of a block as last flushed.</summary>
    public string BlockHtml(int block) => _blocks[block];

    /// <summary>Takes in more text. Cheap; <see cref="Flush"/> does the work.</summary>
    public void Append(ReadOnlySpan<char> text)
    {
        _text.Append(text);
        foreach (var c in text)
        {
            // Line breaks are one character here, so that a pair that is cut in two is still one line break.
            if (c == '\n' && _carriageReturn)
            {
                _carriageReturn = false;
                continue;
            }

            _carriageReturn = c == '\r';
            _tail.Append(_carriageReturn ? '\n' : c);
        }
    }

    /// <summary>Renders what was appended and says what changed since the last flush.</summary>
    public IReadOnlyList<HtmlDelta> Flush()
    {
        var length = _tail.Length;
        if (length > 0 && char.IsHighSurrogate(_tail[^1]))
            length--;
        if (length <= _rendered)
            return [];
        var deltas = new List<HtmlDelta>();
        if (!TryAppendPlainText(length, deltas) && !TryAppendCode(ref length, deltas) && !TryAppendAsWritten(length, deltas))
            length = RenderTail(length, deltas);
        _rendered = length;
        return deltas;
    }

    /// <summary>
    /// Ends the text: renders all of it at once and says where that differs from the blocks sent (a reference that was
    /// defined after its use). Blocks that are no more become empty.
    /// </summary>
    public IReadOnlyList<HtmlDelta> Complete()
    {
        var deltas = new List<HtmlDelta>(Flush());
        var whole = renderer.RenderBlocks(_text.ToString());
        for (var i = 0; i < Math.Max(whole.Count, _blocks.Count); i++)
            Set(i, i < whole.Count ? whole[i] : "", deltas);
        _closed = _blocks.Count;
        return deltas;
    }

    // Most tokens are a word: nothing in them can matter to markdown, and they follow plain text at the end of the block.
    private bool TryAppendPlainText(int length, List<HtmlDelta> deltas)
    {
        if (_fence is not null || _rendered == 0 || _closed >= _blocks.Count)
            return false;
        for (var i = _rendered; i < length; i++)
        {
            if (!IsPlain(_tail[i]))
                return false;
        }

        // Spaces at the end of a line are dropped until something follows them.
        if (_tail[length - 1] == ' ' || !EndsInPlainWord(_rendered))
            return false;
        // More than one block is open while the last one has no whole line yet.
        var block = _blocks.Count - 1;
        var html = _blocks[block];
        var end = EndOfText(html);
        var word = LastWord(_rendered);
        if (end < word.Length || !html.AsSpan(0, end).EndsWith(word))
            return false;
        var insert = _tail.ToString(_rendered, length - _rendered);
        deltas.Add(new HtmlDelta(block, end, insert, html.Length - end));
        _blocks[block] = html.Insert(end, insert);
        return true;
    }

    private static bool IsPlain(char c) => c is ' ' or ',' || char.IsAsciiLetterOrDigit(c) || (c > 0x7F && char.IsLetter(c));

    // The last word is of letters only and something plain stands before it on its line, so no line or link can begin here.
    private bool EndsInPlainWord(int end)
    {
        var i = end - 1;
        while (i >= 0 && char.IsLetter(_tail[i]))
            i--;
        return end - 1 - i > 0 && i >= 0 && _tail[i] == ' ' && i > 0 && (char.IsLetterOrDigit(_tail[i - 1]) || _tail[i - 1] == ',');
    }

    private string LastWord(int end)
    {
        var i = end - 1;
        while (i >= 0 && char.IsLetter(_tail[i]))
            i--;
        return _tail.ToString(i + 1, end - 1 - i);
    }

    // Where the block's text ends and its closing tags begin.
    private static int EndOfText(string html)
    {
        var end = html.Length;
        while (true)
        {
            while (end > 0 && html[end - 1] == '\n')
                end--;
            if (end == 0 || html[end - 1] != '>')
                return end;
            var open = html.LastIndexOf('<', end - 1);
            if (open < 0 || open + 1 >= html.Length || html[open + 1] != '/')
                return end;

            // What is code may have to be highlighted anew.
            if (html.AsSpan(open, end - open) is "</code>")
                return 0;
            end = open;
        }
    }

    // Lines of an open fence are highlighted once, when they are complete; only the last one is done again.
    private bool TryAppendCode(ref int length, List<HtmlDelta> deltas)
    {
        if (_fence is null)
            return false;
        var text = _tail.ToString(_fence.Position, length - _fence.Position);

        // The end of the block, perhaps.
        var line = text.AsSpan(text.LastIndexOf('\n') + 1);
        if (line.Length <= UnfinishedLine.MostHeld && line.TrimStart(' ').TrimStart(_fence.Mark).IsEmpty)
        {
            length -= line.Length;
            text = text[..^line.Length];
        }

        if (!_fence.TryAppend(text, out var html))
        {
            _fence = null;
            return false;
        }

        _fence.Position += text.LastIndexOf('\n') + 1;
        Set(_closed, html, deltas);
        return true;
    }

    private bool TryAppendAsWritten(int length, List<HtmlDelta> deltas)
    {
        if (length - _formatted >= (length - AlwaysFormatted) / FormattedParts || _closed >= _blocks.Count)
            return false;
        var block = _blocks.Count - 1;
        var html = _blocks[block];
        var end = EndOfText(html);
        if (end == 0)
            return false;
        var insert = CodeFrame.Escape(_tail.ToString(_rendered, length - _rendered));
        deltas.Add(new HtmlDelta(block, end, insert, html.Length - end));
        _blocks[block] = html.Insert(end, insert);
        return true;
    }

    // Returns how much of the tail is shown then.
    private int RenderTail(int length, List<HtmlDelta> deltas)
    {
        var text = _tail.ToString(0, length);
        var lines = text.LastIndexOf('\n') + 1;
        var start = 0;
        if (lines > 0)
        {
            var complete = MarkdownRenderer.Parse(text[..lines]);
            var visible = complete.Where(MarkdownRenderer.IsVisible).ToList();
            for (var i = 0; i + 1 < visible.Count; i++)
            {
                var end = LineEnd(text, visible[i].Span.End);
                if (CanStillMerge(text, end, visible[i], visible[i + 1]))
                    continue;

                // Alone: a reference that is defined further on must not decide how a closed block looks, since whether it
                // has come already depends on how the text was cut.
                foreach (var html in renderer.RenderBlocks(text[start..end]))
                    Set(_closed++, html, deltas);
                start = end;
            }
        }

        _tail.Remove(0, start);
        length -= start;
        _formatted = length;
        var (open, document, shown) = ParseOpen(length);
        var index = _closed;
        foreach (var block in document)
        {
            if (MarkdownRenderer.IsVisible(block))
                Set(index++, renderer.RenderBlock(block), deltas);
        }

        // A half line may have looked like a block of its own a moment ago.
        for (var i = index; i < _blocks.Count; i++)
            Set(i, "", deltas);
        if (_blocks.Count > index)
            _blocks.RemoveRange(index, _blocks.Count - index);
        _fence = document is [FencedCodeBlock { IsOpen: true } or FencedCodeBlock { ClosingFencedCharCount: 0 }]
            ? OpenFence.TryCreate(open, (FencedCodeBlock)document[0], _blocks[_closed])
            : null;
        return shown;
    }

    private (string Text, MarkdownDocument Document, int Shown) ParseOpen(int length)
    {
        var text = _tail.ToString(0, length);
        var line = text.LastIndexOf('\n') + 1;
        var (shown, closers) = UnfinishedLine.Read(text.AsSpan(line));
        shown += line;
        var open = text[..shown] + closers;
        var document = MarkdownRenderer.Parse(open);
        if (closers.Length > 0 && LastLeaf(document) is CodeBlock)
        {
            // Nothing is markup there.
            open = text[..shown];
            document = MarkdownRenderer.Parse(open);
        }

        return (open, document, shown);
    }

    private static Block? LastLeaf(Block? block)
    {
        while (block is ContainerBlock { Count: > 0 } container)
            block = container.LastChild;
        return block;
    }

    // A table that follows a paragraph without a blank line is cut out of the paragraph's text, and further rows may undo that.
    private static bool CanStillMerge(string text, int end, Block block, Block next) =>
        block is ParagraphBlock && next is Table && text.AsSpan(end).IndexOf('\n') != 0;

    private static int LineEnd(string text, int position) => text.IndexOf('\n', Math.Min(position, text.Length - 1)) + 1;

    private void Set(int block, string html, List<HtmlDelta> deltas)
    {
        while (_blocks.Count <= block)
            _blocks.Add("");
        if (HtmlDelta.Between(block, _blocks[block], html) is { } delta)
        {
            deltas.Add(delta);
            _blocks[block] = html;
        }
    }

    /// <summary>A fenced code block at top level whose end has not come.</summary>
    private sealed class OpenFence(string opening, char mark, CodeHighlighter highlighter)
    {
        private readonly StringBuilder _lines = new(opening);

        /// <summary>What its fences are made of.</summary>
        public char Mark => mark;

        /// <summary>Where in the tail the first line stands that is not highlighted yet.</summary>
        public int Position { get; set; }

        public static OpenFence? TryCreate(string text, FencedCodeBlock block, string html)
        {
            var language = block.Info is { Length: > 0 } info ? info : "text";
            // An indented fence takes its indent off every line: left to the renderer, as is text before the fence.
            var firstLine = text.IndexOf('\n', StringComparison.Ordinal);
            if (firstLine < 0 || text.Length == 0 || text[0] != block.FencedChar)
                return null;
            var opening = CodeFrame.Open(language);
            if (!html.StartsWith(opening, StringComparison.Ordinal))
                return null;
            var fence = new OpenFence(opening, block.FencedChar, CodeHighlighter.For(language)) { Position = firstLine + 1 };
            var rest = text[(firstLine + 1)..];
            if (!fence.TryAppend(rest, out var rendered) || rendered != html)
                return null;
            fence.Position += rest.LastIndexOf('\n') + 1;
            return fence;
        }

        public bool TryAppend(string text, out string html)
        {
            html = "";
            var start = 0;
            for (var end = text.IndexOf('\n', start); end >= 0; end = text.IndexOf('\n', start))
            {
                var line = text[start..end];
                if (IsSpecial(line))
                    return false;
                _lines.Append(highlighter.Next(line)).Append('\n');
                start = end + 1;
            }

            var last = text[start..];
            if (IsSpecial(last))
                return false;
            html = last.Length == 0
                ? _lines + CodeFrame.End
                : _lines + highlighter.Peek(last) + "\n" + CodeFrame.End;
            return true;
        }

        // Tabs and NUL are changed by the parser, so their lines are left to it.
        private bool IsSpecial(string line) =>
            line.AsSpan().TrimStart(' ').StartsWith([mark]) || line.AsSpan().IndexOfAny('\0', '\t') >= 0;
    }
}
