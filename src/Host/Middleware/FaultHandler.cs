using System.Diagnostics;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Diagnostics;
using SevenX42.Http;
using SevenX42.Persistence;
using SevenX42.Realtime;

namespace SevenX42.Host.Middleware;

/// <summary>Turns exceptions, and status codes without a body, into what the client can show.</summary>
internal sealed partial class FaultHandler(ILogger<FaultHandler> logger) : IExceptionHandler
{
    private static readonly TimeSpan TryAgain = TimeSpan.FromSeconds(2);
    private static readonly Error TooLarge = new(ErrorKind.TooLarge, "too_large", "This is larger than what the server takes.");
    private static readonly Error Unreadable = Error.Invalid("bad_request", "The server could not read this request.");

    private static readonly Error Busy =
        Error.Unavailable("busy", "The server is busy right now. Nothing was lost; try again in a moment.", TryAgain);

    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        // A form in which no antiforgery token could be looked for: why is what counts.
        var form = exception is AntiforgeryValidationException { InnerException: IOException or InvalidDataException } ? exception.InnerException : null;
        if ((form ?? exception) is OperationCanceledException or IOException && httpContext.RequestAborted.IsCancellationRequested)
        {
            // Nobody is there any more to be told.
            httpContext.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
            return true;
        }

        var trace = Activity.Current?.TraceId.ToHexString() ?? httpContext.TraceIdentifier;
        var error = (form ?? exception) switch
        {
            BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } => TooLarge,
            BadHttpRequestException => Unreadable,
            _ when form is not null => Unreadable,
            // A full pool and a database that is away look alike to the person: busy now, try again.
            ChannelLogUnavailableException => Busy,
            not IOException when DatabaseFaults.IsTransient(exception) => Busy,
            _ => new Error(ErrorKind.Unexpected, "unexpected", $"Something went wrong on the server. Its log has the details under {trace}."),
        };
        if (error.Kind is ErrorKind.Unexpected)
            LogFault(exception, trace);
        else
            LogRefused(exception, error.Code, trace);
        await error.ToResult().ExecuteAsync(httpContext);
        return true;
    }

    /// <summary>Gives status codes without a body (no such page, not signed in) one.</summary>
    public static Task DescribeStatusAsync(StatusCodeContext context)
    {
        var error = context.HttpContext.Response.StatusCode switch
        {
            StatusCodes.Status400BadRequest => Unreadable,
            StatusCodes.Status401Unauthorized => Error.Unauthenticated(),
            StatusCodes.Status403Forbidden => new Error(ErrorKind.Forbidden, "forbidden", "This is not for your account."),
            StatusCodes.Status404NotFound => Error.NotFound("There is nothing here, or it is not yours."),
            StatusCodes.Status413PayloadTooLarge => TooLarge,
            _ => null,
        };
        return error is null ? Task.CompletedTask : error.ToResult().ExecuteAsync(context.HttpContext);
    }

    [LoggerMessage(1, LogLevel.Error, "Unhandled fault, trace {TraceId}")]
    private partial void LogFault(Exception exception, string traceId);

    [LoggerMessage(2, LogLevel.Warning, "Answered {Code}, trace {TraceId}")]
    private partial void LogRefused(Exception exception, string code, string traceId);
}
