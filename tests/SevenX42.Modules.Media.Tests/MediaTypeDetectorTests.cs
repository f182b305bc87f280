using System.Text;
using CsCheck;
using SevenX42.Modules.Media.Domain;

namespace SevenX42.Modules.Media.Tests;

public sealed class MediaTypeDetectorTests
{
    public static TheoryData<byte[], string?> Contents => new()
    {
        { [0x89, .. "PNG\r\n"u8, 0x1A, 0x0A, 0, 0], "image/png" },
        { [0xFF, 0xD8, 0xFF, 0xE0, 0], "image/jpeg" },
        { [.. "GIF89a"u8, 0, 1], "image/gif" },
        { [.. "GIF87a"u8, 0, 1], "image/gif" },
        { [.. "RIFF"u8, 1, 2, 3, 4, .. "WEBPVP8 "u8], "image/webp" },
        { [0, 0, 0, 28, .. "ftypavif"u8, 0, 0], "image/avif" },
        { [0, 0, 0, 28, .. "ftypheic"u8, 0, 0], null },
        { [.. "%PDF-1.7\n%"u8, 0xE2, 0xE3], "application/pdf" },
        { [.. "# Notes\n\tline – ok 🙂\r\n"u8], "text/plain" },
        { [.. "<html><script>alert(1)</script>"u8], "text/plain" },
        { [.. "<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>"u8], "text/plain" },
        { [.. "RIFF"u8, 1, 2, 3, 4, .. "WAVEfmt "u8], null },
        { [.. "PK"u8, 3, 4, .. "zipped up"u8], null },
        { [.. "MZ"u8, 0x90, 0, 3, 0, 0, 0, 4, 0, 0, 0], null },
        { [0x7F, .. "ELF"u8, 2, 1, 1, 0, 0, 0, 0, 0], null },
        { [.. "text with a bell "u8, 7], null },
        { [.. "half a character "u8, 0xE2, 0x80], null },
        { [.. "not UTF-8 "u8, 0xC3, 0x28], null },
        { [], null },
        { [0x89, .. "PN"u8], null },
    };

    [Theory]
    [MemberData(nameof(Contents))]
    public void The_content_alone_tells_the_type(byte[] content, string? expected) => Assert.Equal(expected, Detect(content, []).Type);

    [Fact]
    public void Text_is_what_is_valid_utf8_without_control_characters() => Interesting.Sample(content =>
    {
        if (content.Length == 0 || Binary(content))
            return;
        Assert.Equal(IsText(content) ? "text/plain" : null, Detect(content, []).Type);
    });

    [Fact]
    public void Cutting_a_content_anywhere_changes_nothing() => Gen.Select(Interesting, Gen.Int[0, 40].Array[0, 6]).Sample((content, cuts) =>
        Assert.Equal(Detect(content, []), Detect(content, cuts)));

    [Fact]
    public void A_hopeless_content_never_becomes_a_known_type() => Gen.Select(Interesting, Interesting).Sample((begin, rest) =>
    {
        var detector = new MediaTypeDetector();
        detector.Append(begin);
        var hopeless = detector.IsHopeless;
        detector.Append(rest);
        if (hopeless)
            Assert.Null(detector.Detect());
    });

    // Pieces of the formats, of text in several lengths of UTF-8, and of rubbish.
    private static readonly Gen<byte[]> Interesting = Gen.OneOf(
            AnyOf([.. Contents.Select(c => c.Data.Item1)]),
            AnyOf("plain "u8.ToArray(), "ü"u8.ToArray(), "–"u8.ToArray(), "🙂"u8.ToArray(), "\n"u8.ToArray()),
            Gen.Byte.Array[0, 3])
        .Array[0, 6].Select(parts => parts.SelectMany(p => p).ToArray());

    private static Gen<byte[]> AnyOf(params byte[][] contents) => Gen.Int[0, contents.Length - 1].Select(i => contents[i]);

    private static bool Binary(byte[] content) => Detect(content, []).Type is { } type && type != "text/plain";

    private static bool IsText(byte[] content)
    {
        try
        {
            var text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(content);
            return !text.Any(c => (c < ' ' && c is not ('\t' or '\n' or '\r' or '\f')) || c == '\x7F');
        }
        catch (DecoderFallbackException)
        {
            return false;
        }
    }

    private static (string? Type, bool Hopeless) Detect(byte[] content, int[] cuts)
    {
        var detector = new MediaTypeDetector();
        var from = 0;
        foreach (var cut in cuts.Where(c => c <= content.Length).Order())
        {
            detector.Append(content.AsSpan(from, cut - from));
            from = cut;
        }

        detector.Append(content.AsSpan(from));
        return (detector.Detect(), detector.IsHopeless);
    }
}
