using System.Diagnostics;
using SevenX42.Http;

namespace SevenX42.Host.Middleware;

/// <summary>
/// One line per request, with everything that is needed to find what belongs together: trace, user, conversation and
/// generation. The path is logged, the query and the body never are.
/// </summary>
internal sealed partial class RequestLog(RequestDelegate next, ILogger<RequestLog> logger, TimeProvider time)
{
    public async Task InvokeAsync(HttpContext context)
    {
        if (!logger.IsEnabled(LogLevel.Information))
        {
            await next(context);
            return;
        }

        var started = time.GetTimestamp();
        try
        {
            await next(context);
        }
        finally
        {
            var activity = Activity.Current;
            LogRequest(
                context.Response.StatusCode >= 500 ? LogLevel.Error : LogLevel.Information,
                context.Request.Method,
                context.Request.Path,
                context.Response.StatusCode,
                time.GetElapsedTime(started).TotalMilliseconds,
                activity?.TraceId.ToHexString() ?? context.TraceIdentifier,
                context.User.FindFirst(UserClaims.UserId)?.Value,
                context.GetRouteValue("conversationId") ?? activity?.GetTagItem(RequestTags.Conversation),
                activity?.GetTagItem(RequestTags.Generation));
        }
    }

    [LoggerMessage(EventId = 1, Message = "{Method} {Path} {Status} in {ElapsedMs:0.0} ms, trace {TraceId}, user {UserId}, conversation {ConversationId}, generation {GenerationId}")]
    private partial void LogRequest(
        LogLevel level, string method, string path, int status, double elapsedMs, string traceId, string? userId, object? conversationId, object? generationId);
}
