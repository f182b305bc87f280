using System.Text.RegularExpressions;

namespace SevenX42.Modules.Chat.Domain;

/// <summary>Titles made of text.</summary>
internal static partial class Titles
{
    private const int Enough = 60;

    /// <summary>The first words of the first message, on one line and without markdown's signs.</summary>
    public static string FromFirstMessage(string text) => Clean(text) is { Length: > 0 } title ? title : "New chat";

    /// <summary>One line of what a model answered, without quotes, marks and the full stop; empty when nothing is left.</summary>
    public static string FromModel(string text)
    {
        var line = text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).FirstOrDefault(l => l.Length > 0) ?? "";
        var title = Clean(line.StartsWith("Title:", StringComparison.OrdinalIgnoreCase) ? line["Title:".Length..] : line).TrimEnd('.', ' ');
        return title is [var first, .., var last] && IsQuote(first) && IsQuote(last) ? title[1..^1].TrimEnd('.').Trim() : title;
    }

    private static bool IsQuote(char c) => c is '"' or '\'' or '“' or '”' or '„' or '‘' or '’' or '«' or '»' or '「' or '」';

    private static string Clean(string text)
    {
        var head = text.Length > 400 ? text[..400] : text;
        var plain = Space().Replace(Marks().Replace(head, ""), " ").Trim();
        if (plain.Length <= Enough)
            return plain;
        var cut = plain.LastIndexOf(' ', Enough);
        var end = cut > Enough / 2 ? cut : Enough;
        if (char.IsHighSurrogate(plain[end - 1]))
            end--;
        return plain[..end].TrimEnd(',', ';', ':', ' ') + "…";
    }

    // Markdown's, and control characters that are no white space.
    [GeneratedRegex(@"[`*_#>~\[\]|]+|[\p{Cc}-[\s]]+")]
    private static partial Regex Marks();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();
}
