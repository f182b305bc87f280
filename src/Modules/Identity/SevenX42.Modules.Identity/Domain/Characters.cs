using System.Globalization;
using System.Text;

namespace SevenX42.Modules.Identity.Domain;

/// <summary>What characters look like.</summary>
internal static class Characters
{
    /// <summary>
    /// Whether nothing is drawn for it and no room is left either: two texts that differ in it look the same. A space is no
    /// such character.
    /// </summary>
    public static bool IsInvisible(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.OtherNotAssigned => true,
        UnicodeCategory.OtherLetter or UnicodeCategory.NonSpacingMark => IsIgnorable(rune.Value),
        _ => false,
    };

    // The letters and marks among https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point: joiners, fillers,
    // variation selectors.
    private static bool IsIgnorable(int value) => value is
        0x034F or 0x115F or 0x1160 or 0x17B4 or 0x17B5 or (>= 0x180B and <= 0x180D) or 0x180F or 0x3164
        or (>= 0xFE00 and <= 0xFE0F) or 0xFFA0 or (>= 0xE0100 and <= 0xE01EF);
}
