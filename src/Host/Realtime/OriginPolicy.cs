using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace SevenX42.Host.Realtime;

/// <summary>
/// Which web pages may open a socket. Browsers don't apply CORS to WebSockets and send cookies along, so the server must
/// look at Origin itself; ASP.NET Core's own check lets a missing one pass.
/// </summary>
internal sealed class OriginPolicy(IOptions<RealtimeOptions> options)
{
    private readonly HashSet<string> _allowed = new(options.Value.AllowedOrigins, StringComparer.OrdinalIgnoreCase);

    /// <summary>Whether the request says where it comes from, and that may open a socket.</summary>
    public bool Allows(HttpRequest request)
    {
        StringValues header = request.Headers.Origin;
        if (header.Count != 1 || header[0] is not { Length: > 0 } origin)
            return false;
        // Compared as a whole, never parsed: what is not exactly the expected string is foreign, "null" and look-alikes too.
        return _allowed.Count > 0
            ? _allowed.Contains(origin)
            : string.Equals(origin, OriginOf(request), StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Whether a configured value has the form a browser sends.</summary>
    public static bool IsOrigin(string value) =>
        Uri.TryCreate(value, UriKind.Absolute, out var uri)
        && uri.Scheme is "http" or "https"
        && string.Equals(value, uri.GetLeftPart(UriPartial.Authority), StringComparison.OrdinalIgnoreCase)
        && uri.UserInfo.Length == 0;

    // A browser leaves out the scheme's default port; so must the comparison.
    private static string OriginOf(HttpRequest request)
    {
        var host = request.Host;
        var isDefault = host.Port is null || host.Port == (request.IsHttps ? 443 : 80);
        return isDefault ? $"{request.Scheme}://{host.Host}" : $"{request.Scheme}://{host.Host}:{host.Port}";
    }
}
