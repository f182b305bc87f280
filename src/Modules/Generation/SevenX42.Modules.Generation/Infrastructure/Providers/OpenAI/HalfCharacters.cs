using System.Globalization;
using System.Text;

namespace SevenX42.Modules.Generation.Infrastructure.Providers.OpenAI;

/// <summary>
/// Servers that count in UTF-16 cut an emoji in two and send the halves in two events, as escapes. JSON readers refuse such
/// a half, so it travels through the client under the disguise of a private character that nobody uses.
/// </summary>
internal static class HalfCharacters
{
    /// <summary>U+10F000 and the 2,047 after it stand for U+D800 and the 2,047 after it.</summary>
    private const int Disguise = 0x10F000;

    private const int FirstHalf = 0xD800;
    private const int Count = 0x800;

    /// <summary>Whether a line may hold an escape of half a character.</summary>
    public static bool MayBeIn(ReadOnlySpan<byte> line) => line.IndexOf("\\ud"u8) >= 0 || line.IndexOf("\\uD"u8) >= 0;

    /// <summary>The line with disguised halves; <see langword="null"/> when every escape is whole.</summary>
    public static byte[]? Hide(ReadOnlySpan<byte> line) =>
        Replace(line, static half => char.ConvertFromUtf32(Disguise + half - FirstHalf));

    /// <summary>The line with U+FFFD for every half; <see langword="null"/> when every escape is whole.</summary>
    public static byte[]? Drop(ReadOnlySpan<byte> line) => Replace(line, static _ => "\uFFFD");

    /// <summary>The text with its halves as they were.</summary>
    public static string Reveal(string text)
    {
        var revealed = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1])
                && char.ConvertToUtf32(text[i], text[i + 1]) - Disguise is var half and >= 0 and < Count)
            {
                revealed.Append((char)(FirstHalf + half));
                i++;
            }
            else
            {
                revealed.Append(text[i]);
            }
        }

        return revealed.ToString();
    }

    private static byte[]? Replace(ReadOnlySpan<byte> line, Func<char, string> replacement)
    {
        List<byte>? replaced = null;
        var copied = 0;
        for (var i = 0; i < line.Length - 1; i++)
        {
            if (line[i] != '\\')
                continue;
            if (Unit(line[i..]) is not { } unit || !char.IsSurrogate(unit))
            {
                i++;
                continue;
            }

            if (char.IsHighSurrogate(unit) && line.Length > i + 6 && Unit(line[(i + 6)..]) is { } next && char.IsLowSurrogate(next))
            {
                i += 11;
                continue;
            }

            replaced ??= [];
            replaced.AddRange(line[copied..i]);
            foreach (var c in replacement(unit))
                replaced.AddRange(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}")));
            copied = i + 6;
            i += 5;
        }

        replaced?.AddRange(line[copied..]);
        return replaced?.ToArray();
    }

    /// <summary>The code unit of an escape <c>\uXXXX</c>.</summary>
    private static char? Unit(ReadOnlySpan<byte> escape) =>
        escape.Length >= 6 && escape[0] == '\\' && escape[1] == 'u'
        && ushort.TryParse(escape.Slice(2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var unit)
            ? (char)unit
            : null;
}
