namespace SevenX42.Modules.Identity.Features.Access;

/// <summary>The sign-up form.</summary>
/// <param name="DisplayName">What was typed before.</param>
/// <param name="Email">What was typed before.</param>
/// <param name="ReturnUrl">Where to go afterwards: a page of this site.</param>
/// <param name="IsGuest">Whether a guest asks, who keeps their chats.</param>
/// <param name="IsOpen">Whether an account can be made.</param>
/// <param name="LosesCookies">Whether the browser will not keep the session, because there is no HTTPS.</param>
/// <param name="Error">What is wrong with the previous try.</param>
public sealed record SignUpVm(
    string? DisplayName, string? Email, string ReturnUrl, bool IsGuest, bool IsOpen, bool LosesCookies, FormErrorVm? Error);
