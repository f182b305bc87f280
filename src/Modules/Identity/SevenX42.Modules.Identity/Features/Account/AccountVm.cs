namespace SevenX42.Modules.Identity.Features.Account;

/// <summary>What somebody sees of their own account.</summary>
/// <param name="DisplayName">Their name.</param>
/// <param name="Email">What they sign in with; a guest has none.</param>
/// <param name="IsGuest">Whether this is a guest.</param>
/// <param name="IsAdministrator">Whether they administer the installation.</param>
/// <param name="MaySignUp">Whether a guest can make an account.</param>
/// <param name="Sessions">Where they are signed in, the present one first.</param>
public sealed record AccountVm(
    string DisplayName, string? Email, bool IsGuest, bool IsAdministrator, bool MaySignUp, IReadOnlyList<SessionVm> Sessions);

/// <summary>A sign-in on a device.</summary>
/// <param name="Id">The session.</param>
/// <param name="Device">What people call the device.</param>
/// <param name="Address">Where it was last, as an IP address.</param>
/// <param name="SignedInAt">When it was signed in.</param>
/// <param name="LastSeen">When it was last used, in words.</param>
/// <param name="IsCurrent">Whether it is the one that asks.</param>
public sealed record SessionVm(Guid Id, string Device, string? Address, DateTimeOffset SignedInAt, string LastSeen, bool IsCurrent);

/// <summary>What has just happened on the account page.</summary>
/// <param name="Section">The form it happened in.</param>
/// <param name="Done">What was done, in a sentence.</param>
/// <param name="Typed">What was typed into a refused form and is shown again.</param>
/// <param name="Error">Why the form was refused.</param>
public sealed record AccountOutcomeVm(AccountSectionVm Section, string? Done, string? Typed, FormErrorVm? Error);

/// <summary>A form of the account page.</summary>
public enum AccountSectionVm
{
    /// <summary>The name.</summary>
    Name,

    /// <summary>The password.</summary>
    Password,

    /// <summary>The list of sessions.</summary>
    Sessions,

    /// <summary>Deleting everything.</summary>
    Delete,
}
