using System.Globalization;
using System.Text;

namespace SevenX42.Modules.Media.Domain;

/// <summary>
/// Makes an uploader's file name fit to be shown: no folders, no control characters, and none of the invisible ones that
/// turn the direction of writing and make <c>photo&#x202E;gpj.exe</c> look like a picture.
/// </summary>
internal static class OriginalFileName
{
    public const int MaxLength = 120;

    private const string Nameless = "file";

    /// <summary>A name with the extension of what the content has become.</summary>
    public static string As(string name, string mediaType)
    {
        var extension = mediaType switch
        {
            MediaTypes.Jpeg => ".jpg",
            MediaTypes.Png => ".png",
            MediaTypes.WebP => ".webp",
            _ => "",
        };
        return extension.Length == 0 || name.EndsWith(extension, StringComparison.OrdinalIgnoreCase)
            ? name
            : Path.GetFileNameWithoutExtension(name) + extension;
    }

    public static string Clean(string? claimed)
    {
        var name = claimed.AsSpan();
        name = name[(name.LastIndexOfAny('/', '\\') + 1)..];
        var clean = new StringBuilder(MaxLength);
        foreach (var rune in name.EnumerateRunes())
        {
            var visible = Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator
                or UnicodeCategory.ParagraphSeparator or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned);
            if (visible && rune != Rune.ReplacementChar && clean.Length + rune.Utf16SequenceLength <= MaxLength)
                clean.Append(rune.ToString());
        }

        var result = clean.ToString().Trim(' ', '.');
        return result.Length == 0 ? Nameless : result;
    }
}
