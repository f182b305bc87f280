using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using SevenX42.Http;
using SevenX42.Modules.Identity.Infrastructure.Sessions;

namespace SevenX42.Modules.Identity.Infrastructure.Guests;

/// <summary>
/// Makes whoever sends a first command to an endpoint with <see cref="AllowGuestCreation"/> a guest. Stands after
/// antiforgery, whose token was made for nobody, and before authorization, which wants somebody.
/// </summary>
internal sealed partial class GuestSessions(
    RequestDelegate next,
    IOptions<IdentitySettings> settings,
    GuestAttempts attempts,
    IOptions<AntiforgeryOptions> antiforgery,
    ILogger<GuestSessions> logger)
{
    public async Task InvokeAsync(HttpContext http)
    {
        if (!settings.Value.AllowsGuests
            || http.User.Identity is { IsAuthenticated: true }
            || HttpMethods.IsGet(http.Request.Method) || HttpMethods.IsHead(http.Request.Method)
            || http.GetEndpoint()?.Metadata.GetMetadata<AllowGuestCreation>() is null)
        {
            await next(http);
            return;
        }

        // Whatever it stored would be gone with the response.
        if (http.Request.LosesCookies())
        {
            await Error.Invalid("plain_http", PlainHttp.Sentence).ToResult().ExecuteAsync(http);
            return;
        }

        if (await attempts.FromAsync(ClientAddress.Of(http), http.RequestAborted) is { Ticks: > 0 } wait)
        {
            await Error.TooMany("too_many_guests", "Too many people began here as guests just now. Sign in, or try again later.", wait)
                .ToResult().ExecuteAsync(http);
            return;
        }

        // The antiforgery cookie is the one thing a browser without session is known by.
        var browserKey = antiforgery.Value.Cookie.Name is { } name ? http.Request.Cookies[name] : null;
        var session = await http.RequestServices.GetRequiredService<GuestAccounts>().CreateAsync(browserKey, http.Device(), http.RequestAborted);
        // Whose first command is refused stays nobody: the page, whose token is for nobody, can send it again. Within a moment that is the
        // same guest, and later the purge takes who was left behind with nothing.
        http.Response.OnStarting(() => http.Response.StatusCode < StatusCodes.Status400BadRequest
            ? http.SendSessionCookieAsync(session.UserId, session.Id, guest: true)
            : Task.CompletedTask);
        http.User = SessionCookie.PrincipalOf(
            new ActiveSession(session.Id, session.UserId, GuestAccounts.DisplayName, true, false, session.LastSeenAt, session.ExpiresAt));
        http.Features.Set(new GuestCreated());
        LogCreated(session.UserId);
        await next(http);
    }

    [LoggerMessage(1, LogLevel.Information, "Guest {UserId} created")]
    private partial void LogCreated(Guid userId);
}
