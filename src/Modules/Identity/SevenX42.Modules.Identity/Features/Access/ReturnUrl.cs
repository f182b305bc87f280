using Microsoft.AspNetCore.Http;
using SevenX42.Modules.Identity.Domain;
using SevenX42.Modules.Identity.Infrastructure.Sessions;

namespace SevenX42.Modules.Identity.Features.Access;

/// <summary>Where somebody who opens the form to sign in or up wants to be afterwards.</summary>
internal static class ReturnUrl
{
    /// <summary>What the address of the form says; when it says nothing, the page of this site that led to the form.</summary>
    public static string Of(HttpRequest request, string? given)
    {
        if (given is not null)
            return LocalUrl.OrHome(given);
        var referer = request.GetTypedHeaders().Referer;
        return referer is { IsAbsoluteUri: true, AbsolutePath: not (SessionCookie.SignInPath or SessionCookie.SignUpPath) }
            && referer.Authority.Equals(request.Host.Value, StringComparison.OrdinalIgnoreCase)
            ? LocalUrl.OrHome(referer.PathAndQuery)
            : LocalUrl.Home;
    }
}
