using System.Text;
using FluentValidation;
using SevenX42.Modules.Identity.Domain;
using SevenX42.Modules.Identity.Infrastructure.Users;

namespace SevenX42.Modules.Identity.Features;

/// <summary>Rules that several forms share.</summary>
internal static class Rules
{
    // The few of those that everybody tries first and that are long enough; the lockout takes care of the rest.
    private static readonly HashSet<string> Guessed = new(StringComparer.OrdinalIgnoreCase)
    {
        "1234567890", "0123456789", "9876543210", "0987654321", "1234567891", "12345678910", "123456789a", "qwertyuiop", "1q2w3e4r5t", "1qaz2wsx3edc",
        "qwerty1234", "qwerty12345", "qwerty123456", "password12", "password123", "password1234", "passw0rd123", "iloveyou123", "abcdefghij",
        "letmein123", "welcome123", "welcome1234", "admin12345", "administrator", "changeme123", "football123", "qwertyuiop123", "asdfghjkl1",
        "asdfghjkl123", "zaq12wsxcde3", "abcd123456", "abc1234567",
    };

    public static void DisplayName<T>(this IRuleBuilder<T, string> rule)
    {
        rule.Must(n => n.EnumerateRunes().Any(r => !Rune.IsWhiteSpace(r) && !Characters.IsInvisible(r))).WithErrorCode("name_missing").WithMessage("Enter a name.");
        rule.Must(n => n.Trim().Length <= User.DisplayNameLength && !n.Any(char.IsControl))
            .WithErrorCode("name_invalid").WithMessage($"A name has at most {User.DisplayNameLength} characters, all of them visible.");
    }

    public static void Email<T>(this IRuleBuilder<T, string> rule) =>
        rule.Must(e => EmailAddress.Clean(e).Length > 0).WithErrorCode("email_missing").WithMessage("Enter your email address.");

    public static void NewPassword<T>(this IRuleBuilder<T, Password> rule, string field)
    {
        rule.Must(p => p.Text.Length >= Password.MinLength)
            .WithErrorCode("password_too_short").WithMessage($"A password has at least {Password.MinLength} characters.").OverridePropertyName(field);
        rule.Must(p => p.Text.Length <= Password.MaxLength)
            .WithErrorCode("password_too_long").WithMessage($"A password has at most {Password.MaxLength} characters.").OverridePropertyName(field);
        rule.Must(p => p.Text.Distinct().Count() >= 5 && !Guessed.Contains(p.Text))
            .WithErrorCode("password_too_simple").WithMessage("This password would be guessed soon. Choose another one.").OverridePropertyName(field);
    }
}
