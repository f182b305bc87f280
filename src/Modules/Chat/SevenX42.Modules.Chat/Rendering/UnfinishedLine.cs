using System.Globalization;

namespace SevenX42.Modules.Chat.Rendering;

/// <summary>
/// How a line of markdown that is still being written is best shown: without the marks at its end whose meaning depends on
/// what follows (a lone <c>|</c> after a table's row, the address of a link), and with the emphasis and code that is open
/// in it closed for the moment. Otherwise a table would fall apart and stars would come and go at every row and word, and
/// each time most of the block would have to be sent again.
/// </summary>
/// <remarks>A guess about looks only: a line that is complete is rendered as it is. Pure; linear in the line's length.</remarks>
internal static class UnfinishedLine
{
    /// <summary>More than this is never held back, in UTF-16 code units: what has no end is shown as it is.</summary>
    public const int MostHeld = 400;

    // A line this long is prose; scanning it anew at each flush would cost more than its marks are worth.
    private const int LongestScanned = 4_000;

    /// <summary>How many of the line's UTF-16 code units to show now, and what to write behind them.</summary>
    /// <param name="line">What there is after the last line break; outside of top-level code.</param>
    public static (int Shown, string Closers) Read(ReadOnlySpan<char> line)
    {
        if (line.Length > LongestScanned)
            return (line.Length, "");
        var content = SkipMarkers(line);
        if (content == line.Length || IsFence(line[content..]))
            return line.Length <= MostHeld ? (0, "") : (line.Length, "");
        var (shown, closers) = new InlineScan(line, content).Run();
        return line.Length - shown <= MostHeld ? (shown, closers) : (line.Length, "");
    }

    /// <summary>Where the marks end that say what kind of block or item this is, or may.</summary>
    private static int SkipMarkers(ReadOnlySpan<char> line)
    {
        var i = 0;
        while (i < line.Length)
        {
            var c = line[i];
            if (c is ' ' or '\t' or '>' or '|')
            {
                i++;
                continue;
            }

            var end = i;
            if (c is '-' or '+' or '*' or '=' or '_' or '#' or '`' or '~' or ':')
            {
                // Rules, underlines and the row beneath a table's head are made of them; before a word they are emphasis.
                while (end < line.Length && line[end] is '-' or '+' or '*' or '=' or '_' or '#' or '`' or '~' or ':')
                    end++;
            }
            else if (char.IsAsciiDigit(c))
            {
                while (end < line.Length && char.IsAsciiDigit(line[end]))
                    end++;
                if (end < line.Length && line[end] is '.' or ')')
                    end++;
                else if (end < line.Length)
                    return i;
            }
            else if (c is '[' && (i + 1 == line.Length || line[i + 1] is ' ' or 'x' or 'X'))
            {
                end = i + 2;
                if (end < line.Length)
                    end = line[end] is ']' ? end + 1 : i;
            }

            if (end == i || (end < line.Length && line[end] is not (' ' or '\t' or '|')))
                return i;
            i = Math.Min(end, line.Length);
        }

        return line.Length;
    }

    private static bool IsFence(ReadOnlySpan<char> content) => content.StartsWith("```") || content.StartsWith("~~~");

    /// <summary>Finds the inline markup that is open at the line's end: the rules of CommonMark's delimiter runs, for one line.</summary>
    private ref struct InlineScan(ReadOnlySpan<char> line, int content)
    {
        private readonly ReadOnlySpan<char> _line = line;
        private readonly int _start = content;
        private readonly bool _isRow = line[..content].Contains('|');
        private readonly List<(char Mark, int Count, int End)> _open = [];
        private int _position = content;
        private int _shown = line.Length;
        private int _code;

        public (int Shown, string Closers) Run()
        {
            while (_position < _shown && _code == 0)
                Step();
            if (_code == 0)
                HoldAddress();
            var shown = _shown;
            _open.RemoveAll(o => o.End >= shown);
            if (_open.Count == 0 && _code == 0)
                return (_shown, "");

            // A mark behind a space closes nothing.
            while (char.IsWhiteSpace(_line[_shown - 1]))
                _shown--;
            var closers = new string('`', _code);
            for (var i = _open.Count - 1; i >= 0; i--)
                closers += new string(_open[i].Mark, _open[i].Count);
            return (_shown, closers);
        }

        private void Step()
        {
            switch (_line[_position])
            {
                case '\\' when _position + 1 < _shown:
                    _position += 2;
                    break;
                case '\\':
                    _shown = _position;
                    break;
                case '`':
                    Code();
                    break;
                case '*' or '_' or '~':
                    Emphasis();
                    break;
                case ']':
                    Link();
                    break;
                case '|' when _isRow:
                    _open.Clear();
                    _position++;
                    break;
                default:
                    _position++;
                    break;
            }
        }

        private readonly int RunLength()
        {
            var end = _position;
            while (end < _line.Length && _line[end] == _line[_position])
                end++;
            return end - _position;
        }

        private void Code()
        {
            var length = RunLength();
            var after = _position + length;
            for (var i = after; i < _shown; i++)
            {
                if (_line[i] != '`')
                    continue;
                var end = i;
                while (end < _shown && _line[end] == '`')
                    end++;
                if (end - i == length)
                {
                    _position = end;
                    return;
                }

                // The end, or the beginning of it.
                if (end == _shown)
                    _shown = i;
                i = end - 1;
            }

            if (_line[after.._shown].IsWhiteSpace())
                _shown = _position;
            else
                _code = length;
        }

        private void Emphasis()
        {
            var mark = _line[_position];
            var length = RunLength();
            var after = _position + length;
            if (after == _line.Length)
            {
                _shown = _position;
                return;
            }

            var (before, next) = (_position == 0 ? ' ' : _line[_position - 1], _line[after]);
            var opens = !char.IsWhiteSpace(next) && (!IsPunctuation(next) || char.IsWhiteSpace(before) || IsPunctuation(before));
            var closes = !char.IsWhiteSpace(before) && (!IsPunctuation(before) || char.IsWhiteSpace(next) || IsPunctuation(next));
            if (mark == '_')
                (opens, closes) = (opens && (!closes || IsPunctuation(before)), closes && (!opens || IsPunctuation(next)));
            _position = after;
            if (mark == '~' && length != 2)
                return;
            if (closes)
                length -= CloseUpTo(mark, length);
            if (opens && length is > 0 and <= 3)
                _open.Add((mark, length, after));
        }

        /// <summary>Closes what is open of this mark, and what was opened inside of it; returns how many marks that took.</summary>
        private readonly int CloseUpTo(char mark, int count)
        {
            var taken = 0;
            while (taken < count && _open.FindLastIndex(o => o.Mark == mark) is >= 0 and var i)
            {
                var used = Math.Min(count - taken, _open[i].Count);
                taken += used;
                _open.RemoveRange(i + 1, _open.Count - i - 1);
                if (_open[i].Count == used)
                    _open.RemoveAt(i);
                else
                    _open[i] = _open[i] with { Count = _open[i].Count - used };
            }

            return taken;
        }

        /// <summary>After a link's text comes its address, which is shown by nothing but the link.</summary>
        private void Link()
        {
            if (_line[.._position].LastIndexOf('[') < _start)
            {
                _position++;
                return;
            }

            if (_position + 1 == _line.Length)
            {
                _shown = _position;
            }
            else if (_line[_position + 1] != '(')
            {
                _position++;
            }
            else
            {
                var depth = 0;
                for (var i = _position + 1; i < _line.Length; i++)
                {
                    depth += _line[i] switch { '(' => 1, ')' => -1, _ => 0 };
                    if (depth == 0)
                    {
                        _position = i + 1;
                        return;
                    }
                }

                _shown = _position;
            }
        }

        /// <summary>An address that stands in the text becomes a link of all its characters: it is shown when its end has come.</summary>
        private void HoldAddress()
        {
            var word = _line[.._shown].LastIndexOfAny(" \t(<|") + 1;
            if (word < _start)
                word = _start;
            var text = _line[word.._shown];
            if (text.Contains("://", StringComparison.Ordinal) || text.StartsWith("www.", StringComparison.OrdinalIgnoreCase)
                || text.StartsWith("mailto:", StringComparison.OrdinalIgnoreCase))
                _shown = word;
        }

        private static bool IsPunctuation(char c) => char.IsPunctuation(c) || char.IsSymbol(c);
    }
}
