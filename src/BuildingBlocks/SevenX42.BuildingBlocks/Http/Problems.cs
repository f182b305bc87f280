using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace SevenX42.Http;

/// <summary>
/// How a failure looks, registered once by the Host. Its components take one parameter, <c>Error</c>
/// (<see cref="SevenX42.Error"/>).
/// </summary>
/// <param name="Notice">Fragment that htmx puts next to what caused the failure.</param>
/// <param name="Page">Page for a browser without scripts.</param>
public sealed record ErrorViews(Type Notice, Type Page);

/// <summary>The one mapping from <see cref="Error"/> to HTTP.</summary>
public static class Problems
{
    /// <summary>
    /// The failure as the client wants it: a fragment for htmx, a page for a browser, RFC 9457 problem details for
    /// everything else; <c>Retry-After</c> when the error knows it.
    /// </summary>
    public static IResult ToResult(this Error error)
    {
        ArgumentNullException.ThrowIfNull(error);
        return new ErrorResult(error);
    }

    /// <summary>HTTP status of a kind of failure.</summary>
    public static int StatusOf(ErrorKind kind) => kind switch
    {
        ErrorKind.Invalid => StatusCodes.Status400BadRequest,
        ErrorKind.TooLarge => StatusCodes.Status413PayloadTooLarge,
        ErrorKind.Unauthenticated => StatusCodes.Status401Unauthorized,
        ErrorKind.NotFound => StatusCodes.Status404NotFound,
        ErrorKind.Conflict => StatusCodes.Status409Conflict,
        ErrorKind.TooMany => StatusCodes.Status429TooManyRequests,
        ErrorKind.Unavailable => StatusCodes.Status503ServiceUnavailable,
        ErrorKind.Forbidden => StatusCodes.Status403Forbidden,
        ErrorKind.Unexpected => StatusCodes.Status500InternalServerError,
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    private sealed class ErrorResult(Error error) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            var status = StatusOf(error.Kind);
            httpContext.Response.Headers.CacheControl = "no-cache, no-store";
            httpContext.Response.Headers.Append("Vary", "HX-Request");
            if (error.RetryAfter is { } wait)
                httpContext.Response.Headers.RetryAfter = Math.Ceiling(wait.TotalSeconds).ToString(CultureInfo.InvariantCulture);
            var views = httpContext.RequestServices.GetService<ErrorViews>();
            IResult result = views switch
            {
                { } when httpContext.Request.WantsFragment() => View(views.Notice, status),
                { } when httpContext.Request.WantsPage() => View(views.Page, status),
                _ => TypedResults.Problem(
                    detail: error.Message,
                    statusCode: status,
                    extensions: new Dictionary<string, object?> { ["code"] = error.Code, ["field"] = error.Field }),
            };
            return result.ExecuteAsync(httpContext);
        }

        private Microsoft.AspNetCore.Http.HttpResults.RazorComponentResult View(Type component, int status) =>
            new(component, new Dictionary<string, object?> { ["Error"] = error })
            {
                StatusCode = status,
                PreventStreamingRendering = true,
            };
    }
}
