using Microsoft.AspNetCore.Http;

namespace SevenX42.Http;

/// <summary>What kind of answer a request wants.</summary>
public static class HtmxRequest
{
    /// <summary>Whether htmx asks for a fragment. A history restore asks for the whole page.</summary>
    public static bool WantsFragment(this HttpRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return request.Headers["HX-Request"] == "true" && request.Headers["HX-History-Restore-Request"] != "true";
    }

    /// <summary>
    /// Whether htmx asks for what fills the frame's main column, as when a link is followed; what it asks for with another
    /// target is a part of the page that is there already.
    /// </summary>
    public static bool WantsMain(this HttpRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return request.WantsFragment() && HttpMethods.IsGet(request.Method) && request.Headers["HX-Target"].ToString() is "" or "main#main";
    }

    /// <summary>Whether a browser asks for a page: a link or a form before scripts have loaded.</summary>
    public static bool WantsPage(this HttpRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return !request.WantsFragment() && request.Headers.Accept.ToString().Contains("text/html", StringComparison.Ordinal);
    }
}
