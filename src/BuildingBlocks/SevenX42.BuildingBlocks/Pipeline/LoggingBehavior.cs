using System.Diagnostics;
using MediatR;
using Microsoft.Extensions.Logging;

namespace SevenX42.Pipeline;

/// <summary>
/// Logs that a request ran, how long it took and how it ended; never its content. Derive a sealed class per module,
/// constrained to the module's marker, so that every module has its own pipeline.
/// </summary>
public abstract partial class LoggingBehavior<TRequest, TResponse>(ILogger logger, TimeProvider time)
    : IPipelineBehavior<TRequest, TResponse>
    where TRequest : notnull
    where TResponse : IOutcome
{
    /// <inheritdoc/>
    public async Task<TResponse> Handle(
        TRequest request, RequestHandlerDelegate<TResponse> next, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(next);
        var started = time.GetTimestamp();
        var response = await next(cancellationToken);
        var elapsed = time.GetElapsedTime(started).TotalMilliseconds;
        if (response.Error is { } error)
        {
            Activity.Current?.SetTag("error.code", error.Code);
            LogRefused(logger, typeof(TRequest).Name, error.Code, elapsed);
        }
        else
        {
            LogHandled(logger, typeof(TRequest).Name, elapsed);
        }

        return response;
    }

    [LoggerMessage(1, LogLevel.Debug, "{Request} handled in {ElapsedMs:0.0} ms")]
    private static partial void LogHandled(ILogger logger, string request, double elapsedMs);

    [LoggerMessage(2, LogLevel.Information, "{Request} refused: {Code} in {ElapsedMs:0.0} ms")]
    private static partial void LogRefused(ILogger logger, string request, string code, double elapsedMs);
}
