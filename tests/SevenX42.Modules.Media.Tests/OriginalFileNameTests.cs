using System.Globalization;
using System.Text;
using CsCheck;
using SevenX42.Modules.Media.Domain;

namespace SevenX42.Modules.Media.Tests;

public sealed class OriginalFileNameTests
{
    [Theory]
    [InlineData("holiday.png", "holiday.png")]
    [InlineData("../../etc/passwd", "passwd")]
    [InlineData("C:\\Users\\me\\holiday.png", "holiday.png")]
    [InlineData("photo\u202Egpj.exe", "photogpj.exe")]
    [InlineData("a\r\nSet-Cookie: b", "aSet-Cookie: b")]
    [InlineData("Grüße – 🙂.txt", "Grüße – 🙂.txt")]
    [InlineData("..", "file")]
    [InlineData("", "file")]
    [InlineData(null, "file")]
    public void A_file_name_keeps_what_can_be_seen_and_no_path(string? claimed, string expected) =>
        Assert.Equal(expected, OriginalFileName.Clean(claimed));

    [Fact]
    public void Any_name_becomes_a_short_visible_one_and_stays_so() => Gen.String.Sample(claimed =>
    {
        var name = OriginalFileName.Clean(claimed);
        Assert.InRange(name.Length, 1, OriginalFileName.MaxLength);
        Assert.DoesNotContain(name.EnumerateRunes(), rune => rune.Value is '/' or '\\'
            || Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format);
        Assert.Equal(name, OriginalFileName.Clean(name));
    });
}
