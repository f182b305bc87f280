using Microsoft.AspNetCore.Http;

namespace SevenX42.Http;

/// <summary>Requests that came without TLS. Browsers refuse <c>Secure</c> cookies there, and with them a session.</summary>
public static class PlainHttp
{
    /// <summary>Why nobody can be somebody here, in a sentence for whoever tries.</summary>
    public const string Sentence =
        "This page came over plain HTTP, so your browser keeps neither a sign-in nor conversations. Open it over HTTPS, or on the server itself as localhost.";

    /// <summary>Whether it came from one's own machine, where a session needs no TLS.</summary>
    public static bool IsPlainLoopback(this HttpRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        var host = request.Host.Host;
        return !request.IsHttps && (host is "localhost" or "127.0.0.1" or "[::1]" || host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>
    /// Whether the browser will refuse the session cookie: plain HTTP from another machine. A proxy that nobody has
    /// configured may still have taken HTTPS away; then the browser, which saw it, keeps the cookie.
    /// </summary>
    public static bool LosesCookies(this HttpRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return !request.IsHttps && !request.IsPlainLoopback() && request.Headers["X-Forwarded-Proto"] != "https";
    }
}
