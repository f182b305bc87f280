using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Identity;
using SevenX42.Modules.Identity.Domain;

namespace SevenX42.Modules.Identity.Infrastructure.Users;

/// <summary>Has the framework's store find accounts by <see cref="EmailAddress.KeyOf"/>. An account's name is its email.</summary>
internal sealed class AccountKeys : ILookupNormalizer
{
    [return: NotNullIfNotNull(nameof(email))]
    public string? NormalizeEmail(string? email) => email is null ? null : EmailAddress.KeyOf(email);

    [return: NotNullIfNotNull(nameof(name))]
    public string? NormalizeName(string? name) => NormalizeEmail(name);
}
