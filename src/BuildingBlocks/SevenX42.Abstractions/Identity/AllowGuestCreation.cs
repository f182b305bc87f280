namespace SevenX42;

/// <summary>
/// Metadata of an endpoint that whoever has no account yet may use: where guests are on and nobody is signed in, a guest
/// user, a session and its cookie are made before authorization runs. Has no effect on GET and HEAD, which change nothing.
/// </summary>
/// <remarks>
/// The page that sent the request was rendered for nobody. Where the request has the feature <see cref="GuestCreated"/>, the
/// endpoint answers with a redirect, so that the next page and its tokens belong to the guest.
/// </remarks>
public sealed class AllowGuestCreation;
