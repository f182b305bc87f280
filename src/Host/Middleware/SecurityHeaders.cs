namespace SevenX42.Host.Middleware;

/// <summary>Headers that every response carries, whatever made it.</summary>
internal static class SecurityHeaders
{
    // No inline script or style, no eval, nothing from elsewhere; images of ours only, so that no answer can call out.
    private const string ContentSecurityPolicy =
        "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

    public static IApplicationBuilder UseSecurityHeaders(this IApplicationBuilder app) => app.Use(Apply);

    private static Task Apply(HttpContext context, RequestDelegate next)
    {
        context.Response.OnStarting(
            static state =>
            {
                var headers = ((HttpContext)state).Response.Headers;
                // An endpoint that serves files of users sets a stricter policy of its own.
                if (headers.ContentSecurityPolicy.Count == 0)
                    headers.ContentSecurityPolicy = ContentSecurityPolicy;
                headers.XContentTypeOptions = "nosniff";
                headers["Referrer-Policy"] = "same-origin";
                headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=(), payment=(), usb=()";
                headers["Cross-Origin-Opener-Policy"] = "same-origin";
                headers["Cross-Origin-Resource-Policy"] = "same-origin";
                headers.XFrameOptions = "DENY";
                return Task.CompletedTask;
            },
            context);
        return next(context);
    }
}
