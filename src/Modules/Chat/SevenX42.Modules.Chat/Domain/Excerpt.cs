using System.Net;
using System.Text;

namespace SevenX42.Modules.Chat.Domain;

/// <summary>A part of a text with what was found in it marked, as HTML.</summary>
internal static class Excerpt
{
    private const int Length = 200;
    private const int Before = 40;

    /// <summary>The whole text.</summary>
    public static string Whole(string text, SearchQuery query) => Mark(text, 0, text.Length, query.FindIn(text));

    /// <summary>Around what was found: where most of it stands together.</summary>
    public static string Around(string text, SearchQuery query)
    {
        var found = query.FindIn(text);
        var (best, most) = (0, 0);
        for (int i = 0, j = 0; i < found.Count; i++)
        {
            while (j < found.Count && found[j].Start + found[j].Length <= found[i].Start + Length - Before)
                j++;
            if (j - i > most)
                (best, most) = (found[i].Start, j - i);
        }

        var start = best <= Before ? 0 : NextWord(text, best - Before, best);
        var end = Math.Min(text.Length, start + Length);
        if (end < text.Length && char.IsLowSurrogate(text[end]))
            end--;
        return (start > 0 ? "… " : "") + Mark(text, start, end, found) + (end < text.Length ? " …" : "");
    }

    private static int NextWord(string text, int from, int until)
    {
        for (var i = from; i < until; i++)
        {
            if (char.IsWhiteSpace(text[i]))
                return i + 1;
        }

        return until;
    }

    private static string Mark(string text, int start, int end, IReadOnlyList<(int Start, int Length)> found)
    {
        var html = new StringBuilder();
        var at = start;
        foreach (var (begin, length) in found)
        {
            var (first, last) = (Math.Max(begin, start), Math.Min(begin + length, end));
            if (first >= last)
                continue;
            html.Append(WebUtility.HtmlEncode(text[at..first])).Append("<mark>").Append(WebUtility.HtmlEncode(text[first..last])).Append("</mark>");
            at = last;
        }

        return html.Append(WebUtility.HtmlEncode(text[at..end])).ToString();
    }
}
