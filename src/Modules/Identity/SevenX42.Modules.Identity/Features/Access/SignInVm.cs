namespace SevenX42.Modules.Identity.Features.Access;

/// <summary>The sign-in form.</summary>
/// <param name="Email">What was typed before.</param>
/// <param name="ReturnUrl">Where to go afterwards: a page of this site.</param>
/// <param name="LeavesGuest">Whether a guest would leave their chats behind.</param>
/// <param name="MaySignUp">Whether an account can be made.</param>
/// <param name="LosesCookies">Whether the browser will not keep the session, because there is no HTTPS.</param>
/// <param name="Error">What is wrong with the previous try.</param>
public sealed record SignInVm(string? Email, string ReturnUrl, bool LeavesGuest, bool MaySignUp, bool LosesCookies, FormErrorVm? Error);
