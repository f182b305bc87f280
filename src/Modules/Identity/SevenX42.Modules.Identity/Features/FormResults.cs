using Microsoft.AspNetCore.Http;
using SevenX42.Http;
using SevenX42.Modules.Identity.Domain;

namespace SevenX42.Modules.Identity.Features;

internal static class FormResults
{
    /// <summary>A form that is shown again: what was sent is understood, and can't be done as it is.</summary>
    public const int Refused = StatusCodes.Status422UnprocessableEntity;

    /// <summary>Goes to another page, which is loaded anew: after the user has changed, nothing of the old one counts.</summary>
    public static IResult GoTo(this HttpContext http, string url)
    {
        if (http.Request.WantsFragment())
        {
            http.Response.Headers["HX-Redirect"] = url;
            return TypedResults.Ok();
        }

        http.Response.Headers.Location = url;
        return TypedResults.StatusCode(StatusCodes.Status303SeeOther);
    }

    /// <summary>
    /// Goes home after whoever was here has left: drafts that this browser keeps are theirs, and not the next person's. See
    /// https://www.w3.org/TR/clear-site-data/
    /// </summary>
    public static IResult Leave(this HttpContext http)
    {
        http.Response.Headers["Clear-Site-Data"] = "\"storage\"";
        return http.GoTo(LocalUrl.Home);
    }

    /// <summary>
    /// Whether a refusal belongs into the form. What htmx gets otherwise is the notice, which the form has a place for.
    /// </summary>
    public static bool BelongsIntoForm(this Error error, HttpRequest request) =>
        error.Kind is ErrorKind.Invalid or ErrorKind.Conflict || !request.WantsFragment();

    public static int StatusInForm(this Error error) => error.Kind is ErrorKind.Invalid or ErrorKind.Conflict ? Refused : Problems.StatusOf(error.Kind);
}
