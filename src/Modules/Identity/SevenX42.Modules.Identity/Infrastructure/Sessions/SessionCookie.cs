using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using SevenX42.Http;
using SevenX42.Modules.Identity.Domain;

namespace SevenX42.Modules.Identity.Infrastructure.Sessions;

/// <summary>
/// The cookie names user and session and nothing else; name, role and whether the session counts come from the database at
/// every request, through <see cref="SessionCache"/>.
/// </summary>
internal static class SessionCookie
{
    public const string Scheme = "Session";
    public const string SignInPath = "/signin";
    public const string SignUpPath = "/signup";
    public const string ReturnUrlParameter = "returnUrl";

    /// <summary>Sends the cookie of a session that is stored, and goes on as its user.</summary>
    public static async Task SendSessionCookieAsync(this HttpContext http, Guid userId, Guid sessionId, bool guest)
    {
        var services = http.RequestServices;
        var lifetime = services.GetRequiredService<IOptions<IdentitySettings>>().Value.LifetimeOf(guest);
        var now = services.GetRequiredService<TimeProvider>().GetUtcNow();
        await http.SignInAsync(
            Scheme,
            Principal([new(UserClaims.UserId, userId.ToString()), new(UserClaims.SessionId, sessionId.ToString())]),
            new AuthenticationProperties { IsPersistent = true, IssuedUtc = now, ExpiresUtc = now + lifetime, AllowRefresh = true });
    }

    public static void Configure(CookieAuthenticationOptions options, TimeProvider time)
    {
        options.TimeProvider = time;
        options.CookieManager = new SessionCookieNames();
        options.Cookie.Name = SessionCookieNames.Secure;
        options.Cookie.HttpOnly = true;
        options.Cookie.SameSite = SameSiteMode.Lax;
        options.Cookie.Path = "/";
        options.Cookie.SecurePolicy = CookieSecurePolicy.Always;
        options.Cookie.IsEssential = true;
        options.SlidingExpiration = true;
        options.LoginPath = SignInPath;
        options.ReturnUrlParameter = ReturnUrlParameter;
        options.Events.OnValidatePrincipal = ValidateAsync;
        options.Events.OnRedirectToLogin = AskToSignInAsync;
        options.Events.OnRedirectToAccessDenied = RefuseAsync;
        // Endpoints decide where to go after signing in.
        options.Events.OnRedirectToReturnUrl = static _ => Task.CompletedTask;
        options.Events.OnRedirectToLogout = static _ => Task.CompletedTask;
    }

    public static ClaimsPrincipal PrincipalOf(ActiveSession session)
    {
        List<Claim> claims =
        [
            new(UserClaims.UserId, session.UserId.ToString()),
            new(UserClaims.SessionId, session.Id.ToString()),
            new(UserClaims.Name, session.DisplayName),
        ];
        if (session.IsGuest)
            claims.Add(new(UserClaims.Guest, "true"));
        if (session.IsAdministrator)
            claims.Add(new(UserClaims.Role, UserClaims.Administrator));
        return Principal(claims);
    }

    private static ClaimsPrincipal Principal(IEnumerable<Claim> claims) =>
        new(new ClaimsIdentity(claims, Scheme, UserClaims.Name, UserClaims.Role));

    private static async Task ValidateAsync(CookieValidatePrincipalContext context)
    {
        var http = context.HttpContext;
        var session = Guid.TryParse(context.Principal?.FindFirstValue(UserClaims.SessionId), out var sessionId)
            ? await http.RequestServices.GetRequiredService<SessionCache>().FindAsync(sessionId, ClientAddress.Of(http), http.RequestAborted)
            : null;
        if (session is not null && context.Principal!.HasClaim(UserClaims.UserId, session.UserId.ToString()))
        {
            context.ReplacePrincipal(PrincipalOf(session));
            return;
        }

        // The cookie stays: this request may be older than the sign-in that replaced it, and would delete the new one.
        context.RejectPrincipal();
    }

    // A page that needs a user leads to the sign-in page and back. What else a script asked for is told the plain status, so
    // that a draft on the page is not swept away by a redirect.
    private static Task AskToSignInAsync(RedirectContext<CookieAuthenticationOptions> context)
    {
        var (request, response) = (context.Request, context.Response);
        var back = HttpMethods.IsGet(request.Method) ? request.PathBase + request.Path + request.QueryString : "/";
        var signIn = $"{SignInPath}?{ReturnUrlParameter}={Uri.EscapeDataString(back)}";
        if (request.WantsPage())
        {
            response.StatusCode = StatusCodes.Status303SeeOther;
            response.Headers.Location = signIn;
        }
        else
        {
            response.StatusCode = StatusCodes.Status401Unauthorized;
            if (request.WantsMain())
                response.Headers["HX-Redirect"] = signIn;
        }

        return Task.CompletedTask;
    }

    private static Task RefuseAsync(RedirectContext<CookieAuthenticationOptions> context)
    {
        context.Response.StatusCode = StatusCodes.Status403Forbidden;
        return Task.CompletedTask;
    }
}
