namespace SevenX42.Modules.Identity.Features.Administration;

/// <summary>The accounts of the installation.</summary>
/// <param name="Accounts">The accounts found, oldest first.</param>
/// <param name="Query">What was searched for.</param>
/// <param name="HasMore">Whether there are more than are shown.</param>
public sealed record AccountsVm(IReadOnlyList<AccountLineVm> Accounts, string Query, bool HasMore);

/// <summary>An account.</summary>
/// <param name="Id">The user.</param>
/// <param name="DisplayName">Their name.</param>
/// <param name="Email">What they sign in with.</param>
/// <param name="IsAdministrator">Whether they administer the installation.</param>
/// <param name="CreatedAt">When the account was made.</param>
public sealed record AccountLineVm(Guid Id, string DisplayName, string Email, bool IsAdministrator, DateTimeOffset CreatedAt);
