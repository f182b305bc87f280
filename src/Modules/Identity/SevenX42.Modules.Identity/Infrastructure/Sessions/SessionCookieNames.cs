using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Http;

namespace SevenX42.Modules.Identity.Infrastructure.Sessions;

/// <summary>
/// The prefix <c>__Host-</c> makes browsers refuse the cookie unless it came over HTTPS, for this host and all paths. On
/// plain HTTP only one's own machine works: there, and only there, the cookie has no prefix and is not Secure.
/// </summary>
internal sealed class SessionCookieNames : ICookieManager
{
    public const string Secure = "__Host-session";
    public const string Plain = "7x42-session";

    private readonly ChunkingCookieManager _cookies = new();

    public static bool IsPlainLoopback(HttpRequest request)
    {
        var host = request.Host.Host;
        return !request.IsHttps && (host is "localhost" or "127.0.0.1" or "[::1]" || host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase));
    }

    public string? GetRequestCookie(HttpContext context, string key) => _cookies.GetRequestCookie(context, Name(context, key));

    public void AppendResponseCookie(HttpContext context, string key, string? value, CookieOptions options) =>
        _cookies.AppendResponseCookie(context, Name(context, key), value, Fit(context, options));

    public void DeleteCookie(HttpContext context, string key, CookieOptions options) =>
        _cookies.DeleteCookie(context, Name(context, key), Fit(context, options));

    private static string Name(HttpContext context, string key) => key == Secure && IsPlainLoopback(context.Request) ? Plain : key;

    private static CookieOptions Fit(HttpContext context, CookieOptions options)
    {
        options.Secure = !IsPlainLoopback(context.Request);
        return options;
    }
}

internal static class SessionTransport
{
    /// <summary>
    /// Whether the browser will refuse the session cookie: plain HTTP from another machine. A proxy that nobody has
    /// configured may still have taken HTTPS away; its header is good enough for showing or not showing a hint.
    /// </summary>
    public static bool LosesCookies(this HttpRequest request) =>
        !request.IsHttps && !SessionCookieNames.IsPlainLoopback(request) && request.Headers["X-Forwarded-Proto"] != "https";
}
