using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Authorization;
using SevenX42.Http;

namespace SevenX42.Host.Middleware;

/// <summary>
/// Every request that may change something must carry an antiforgery token, whatever its body; an endpoint that
/// authenticates by other means than a cookie opts out with <c>DisableAntiforgery()</c>.
/// </summary>
internal sealed class AntiforgeryGuard(RequestDelegate next, IAntiforgery antiforgery)
{
    public const string Header = "X-CSRF-TOKEN";

    public async Task InvokeAsync(HttpContext context)
    {
        var method = context.Request.Method;
        var safe = HttpMethods.IsGet(method) || HttpMethods.IsHead(method) || HttpMethods.IsOptions(method)
            || HttpMethods.IsTrace(method) || HttpMethods.IsConnect(method);
        if (!safe
            && context.GetEndpoint() is { } endpoint
            && endpoint.Metadata.GetMetadata<IAntiforgeryMetadata>() is not { RequiresValidation: false }
            && !await antiforgery.IsRequestValidAsync(context))
        {
            var error = HasLostItsSession(context, endpoint)
                ? Error.Unauthenticated()
                : Error.Invalid("antiforgery", "This page is out of date. Reload it and try again; what you wrote is kept.");
            await error.ToResult().ExecuteAsync(context);
            return;
        }

        await next(context);
    }

    // A page whose session has ended since it was loaded sends the token of whoever was signed in. What it lacks is somebody.
    private static bool HasLostItsSession(HttpContext context, Endpoint endpoint) =>
        context.User.Identity is not { IsAuthenticated: true }
        && context.Request.Headers.ContainsKey(Header)
        && endpoint.Metadata.GetMetadata<IAuthorizeData>() is not null
        && endpoint.Metadata.GetMetadata<AllowGuestCreation>() is null;
}
