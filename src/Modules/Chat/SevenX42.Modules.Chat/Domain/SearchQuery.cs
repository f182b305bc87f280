using System.Buffers;
using System.Text;

namespace SevenX42.Modules.Chat.Domain;

/// <summary>
/// What somebody searches for: terms that must all be there, each of one or several words that follow each other, as in
/// <c>node.js</c> or <c>src/app.js</c>. The last word may be the beginning of one.
/// </summary>
internal sealed class SearchQuery
{
    private const int MostWords = 12;
    private readonly List<string[]> _terms = [];

    /// <param name="text">What was typed.</param>
    public SearchQuery(string text)
    {
        var left = MostWords;
        foreach (var term in text.Split(default(char[]), StringSplitOptions.RemoveEmptyEntries))
        {
            string[] words = [.. SearchWords.In(term).Take(left).Select(w => term.Substring(w.Start, w.Length))];
            left -= words.Length;
            if (words.Length > 0)
                _terms.Add(words);
        }
    }

    /// <summary>Whether there is nothing to search for.</summary>
    public bool IsEmpty => _terms.Count == 0;

    /// <summary>The query in PostgreSQL's language. Nothing in a word is a sign, so nothing in it can be an operator.</summary>
    public string ToTsQuery() =>
        string.Join(" & ", _terms.Select(words => string.Join(" <-> ", words.Select(word => $"'{word}'")))) + ":*";

    /// <summary>Where a text says what is searched for: ranges in order that do not overlap.</summary>
    public IReadOnlyList<(int Start, int Length)> FindIn(string text)
    {
        var words = SearchWords.In(text).ToList();
        var found = new List<(int Start, int Length)>();
        for (var i = 0; i < words.Count; i++)
        {
            var longest = _terms.Where((term, t) => Stands(text, words, i, term, isLast: t == _terms.Count - 1)).Select(term => term.Length).DefaultIfEmpty().Max();
            if (longest == 0)
                continue;
            var last = words[i + longest - 1];
            found.Add((words[i].Start, last.Start + last.Length - words[i].Start));
            i += longest - 1;
        }

        return found;
    }

    private static bool Stands(string text, List<(int Start, int Length)> words, int at, string[] term, bool isLast)
    {
        if (at + term.Length > words.Count)
            return false;
        for (var i = 0; i < term.Length; i++)
        {
            var word = text.AsSpan(words[at + i].Start, words[at + i].Length);
            if (isLast && i == term.Length - 1 ? !word.StartsWith(term[i], StringComparison.OrdinalIgnoreCase) : !word.Equals(term[i], StringComparison.OrdinalIgnoreCase))
                return false;
        }

        return true;
    }
}

/// <summary>
/// The words of a text as the search sees them: what stands between signs and spaces. The database has the same signs, in the
/// function <c>chat.searchable</c>; a migration changes it, should they ever change.
/// </summary>
internal static class SearchWords
{
    private static readonly (int First, int Last)[] Signs =
    [
        (0x00, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0xA9), (0xAB, 0xB4), (0xB6, 0xB9), (0xBB, 0xBF), (0xD7, 0xD7), (0xF7, 0xF7),

        // Arabic and Devanagari.
        (0x60C, 0x60C), (0x61B, 0x61B), (0x61F, 0x61F), (0x6D4, 0x6D4), (0x964, 0x965),

        // Quotes, dashes and joiners; currencies; arrows, mathematics, boxes and other pictures.
        (0x2000, 0x206F), (0x20A0, 0x20CF), (0x2190, 0x2BFF),

        // Chinese and Japanese, and their wide forms.
        (0x3000, 0x3004), (0x3008, 0x3020), (0x3030, 0x3030), (0x30FB, 0x30FB), (0xFE00, 0xFE0F), (0xFE30, 0xFE4F),
        (0xFF01, 0xFF0F), (0xFF1A, 0xFF20), (0xFF3B, 0xFF40), (0xFF5B, 0xFF65),

        // Emoji.
        (0x1F000, 0x1FAFF),
    ];

    // Most characters are these.
    private static readonly SearchValues<char> Plain = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");

    /// <summary>Whether it separates words.</summary>
    public static bool IsSign(Rune rune) => Array.Exists(Signs, s => s.First <= rune.Value && rune.Value <= s.Last);

    /// <summary>The words of a text, in order.</summary>
    public static IEnumerable<(int Start, int Length)> In(string text)
    {
        var start = -1;
        for (var i = 0; i < text.Length;)
        {
            var isPlain = Plain.Contains(text[i]);
            var length = 1;
            if (!isPlain && Rune.TryGetRuneAt(text, i, out var rune))
                (isPlain, length) = (!IsSign(rune), rune.Utf16SequenceLength);
            if (isPlain && start < 0)
                start = i;
            if (!isPlain && start >= 0)
            {
                yield return (start, i - start);
                start = -1;
            }

            i += length;
        }

        if (start >= 0)
            yield return (start, text.Length - start);
    }
}
