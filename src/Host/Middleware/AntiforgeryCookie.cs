namespace SevenX42.Host.Middleware;

/// <summary>
/// The antiforgery cookie, which another host of the same domain must not be able to set: <c>__Host-</c> over HTTPS. Plain
/// HTTP has neither the prefix nor <c>Secure</c>, since a browser would refuse both.
/// </summary>
internal sealed class AntiforgeryCookie : CookieBuilder
{
    private readonly IHttpContextAccessor _accessor;

    public AntiforgeryCookie(IHttpContextAccessor accessor)
    {
        _accessor = accessor;
        HttpOnly = true;
        IsEssential = true;
        Path = "/";
        SameSite = SameSiteMode.Strict;
        SecurePolicy = CookieSecurePolicy.SameAsRequest;
    }

    /// <inheritdoc/>
    public override string? Name
    {
        get => _accessor.HttpContext is { Request.IsHttps: true } ? "__Host-antiforgery" : "7x42-antiforgery";
        set => throw new NotSupportedException();
    }
}
