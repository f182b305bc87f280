using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Http;
using SevenX42.Http;

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

    public string? GetRequestCookie(HttpContext context, string key) => _cookies.GetRequestCookie(context, Name(context, key));

    public void AppendResponseCookie(HttpContext context, string key, string? value, CookieOptions options) =>
        _cookies.AppendResponseCookie(context, Name(context, key), value, Fit(context, options));

    public void DeleteCookie(HttpContext context, string key, CookieOptions options) =>
        _cookies.DeleteCookie(context, Name(context, key), Fit(context, options));

    private static string Name(HttpContext context, string key) => key == Secure && context.Request.IsPlainLoopback() ? Plain : key;

    private static CookieOptions Fit(HttpContext context, CookieOptions options)
    {
        options.Secure = !context.Request.IsPlainLoopback();
        return options;
    }
}
