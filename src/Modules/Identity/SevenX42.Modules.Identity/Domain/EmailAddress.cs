using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace SevenX42.Modules.Identity.Domain;

/// <summary>Email addresses as people type them: which ones there can be, and which of them are the same.</summary>
internal static partial class EmailAddress
{
    public const int MaxLength = 254;

    // A name that is written in other letters has one spelling in ASCII, and that is what some browsers send.
    private static readonly IdnMapping Idn = new() { UseStd3AsciiRules = true };

    /// <summary>What was meant, as it is kept and shown: without the blanks around it.</summary>
    public static string Clean(string typed) => typed.Trim();

    /// <summary>
    /// What an account is found by: the same for every spelling of one address, whoever looks (signing up, signing in, the
    /// list of accounts). Something also of what is no address, or only the beginning of one.
    /// </summary>
    public static string KeyOf(string typed)
    {
        var address = Clean(typed);
        var at = address.LastIndexOf('@');
        return (at < 0 ? address : address[..(at + 1)] + ToAscii(address[(at + 1)..])).ToUpperInvariant();
    }

    /// <summary>Why nobody can have this address, in a sentence; <see langword="null"/> when somebody can.</summary>
    public static string? FaultOf(string typed)
    {
        var address = Clean(typed);
        if (IsAddress(address))
            return null;
        if (IsAddress(Without(address, Rune.IsWhiteSpace)))
            return "An email address has no spaces in it.";
        return IsAddress(Without(address, r => Rune.IsWhiteSpace(r) || Characters.IsInvisible(r)))
            ? "There is a character in this address that can't be seen. Type it by hand."
            : "This is no email address.";
    }

    private static bool IsAddress(string address)
    {
        var domain = address[(address.LastIndexOf('@') + 1)..];
        return KeyOf(address) is { Length: <= MaxLength } key && Address().IsMatch(key) && domain.EnumerateRunes().All(IsPartOfDomain);
    }

    // Encoded in ASCII, any character would look like a letter.
    private static bool IsPartOfDomain(Rune rune) => !Characters.IsInvisible(rune)
        && (rune.IsAscii
            || Rune.IsLetterOrDigit(rune)
            || Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark);

    private static string ToAscii(string domain)
    {
        if (Ascii.IsValid(domain))
            return domain;
        try
        {
            return Idn.GetAscii(domain.ToLowerInvariant());
        }
        catch (ArgumentException)
        {
            return domain;
        }
    }

    private static string Without(string text, Func<Rune, bool> what) => string.Concat(text.EnumerateRunes().Where(r => !what(r)));

    /// <summary>Of a key. What browsers take for an address: https://html.spec.whatwg.org/#valid-e-mail-address</summary>
    [GeneratedRegex(@"^[A-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Z0-9]([A-Z0-9-]{0,61}[A-Z0-9])?(\.[A-Z0-9]([A-Z0-9-]{0,61}[A-Z0-9])?)*\z", RegexOptions.CultureInvariant)]
    private static partial Regex Address();
}
