using System.Globalization;
using System.Text;

namespace SevenX42.Modules.Media.Domain;

/// <summary>
/// The words that pictures are found by: what stands between signs and spaces. The database is only ever given words, of texts as
/// of queries, so that it takes nothing in them for an operator, a host's name or a path.
/// </summary>
internal static class ImageWords
{
    private const int MostInAQuery = 12;

    /// <summary>The words of texts, a space between them.</summary>
    public static string Of(params IEnumerable<string?> texts) => string.Join(' ', texts.SelectMany(In));

    /// <summary>A query for what holds all words, of which the last may be the beginning of one; empty for none.</summary>
    public static string Query(string text)
    {
        var words = In(text).Take(MostInAQuery).ToList();
        return words.Count == 0 ? "" : string.Join(" & ", words.Select(w => $"'{w}'")) + ":*";
    }

    private static IEnumerable<string> In(string? text)
    {
        var word = new StringBuilder();
        foreach (var rune in (text ?? "").EnumerateRunes())
        {
            if (IsPartOfAWord(rune))
            {
                word.Append(rune.ToString());
            }
            else if (word.Length > 0)
            {
                yield return word.ToString();
                word.Clear();
            }
        }

        if (word.Length > 0)
            yield return word.ToString();
    }

    private static bool IsPartOfAWord(Rune rune) => Rune.IsLetterOrDigit(rune)
        || Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark;
}
