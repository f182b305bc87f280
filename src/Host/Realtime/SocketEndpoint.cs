using System.Net.WebSockets;
using SevenX42.Contracts.Identity;
using SevenX42.Http;

namespace SevenX42.Host.Realtime;

/// <summary>
/// <c>/realtime</c>: the handshake. Everything that can refuse a client refuses it here, as HTTP, before the socket is
/// accepted.
/// </summary>
internal static partial class SocketEndpoint
{
    private static readonly TimeSpan ComeBackAfter = TimeSpan.FromSeconds(1);

    public static async Task HandleAsync(HttpContext context)
    {
        var server = context.RequestServices.GetRequiredService<RealtimeServer>();
        var protocols = context.WebSockets.WebSocketRequestedProtocols;
        var offersOurs = protocols.Contains(ServerMessages.Subprotocol);
        var token = FindToken(context.Request, protocols);
        Redact(context.Request, offersOurs);
        if (!context.WebSockets.IsWebSocketRequest || !offersOurs)
        {
            var error = Error.Invalid("not_a_socket", $"This address is for WebSockets of the subprotocol {ServerMessages.Subprotocol}.");
            await RefuseAsync(server, context, "protocol", error);
            return;
        }

        if (!server.Origins.Allows(context.Request))
        {
            LogForeign(server.Logger, Printable(context.Request.Headers.Origin.ToString()));
            await RefuseAsync(server, context, "origin", new Error(ErrorKind.Forbidden, "origin", "This page may not open a connection here."));
            return;
        }

        if (server.Clients.IsDraining)
        {
            await RefuseAsync(server, context, "draining", Draining());
            return;
        }

        var identity = token is null ? null : await server.Access.IdentifyAsync(token, context.RequestAborted);
        if (identity is null)
        {
            await RefuseAsync(server, context, "token", Error.Unauthenticated("The connection's token is missing or no longer good."));
            return;
        }

        if (await server.ReserveAsync(identity, context.RequestAborted) is not { } place)
        {
            var error = Error.TooMany("too_many_connections", "You have too many windows open at once.", TimeSpan.FromSeconds(10));
            await RefuseAsync(server, context, "connections", error);
            return;
        }

        using var _ = place;
        using var socket = await context.WebSockets.AcceptWebSocketAsync(new WebSocketAcceptContext
        {
            // Never the one that carries the token.
            SubProtocol = ServerMessages.Subprotocol,
            // Beats are ours, on one clock: this would be a timer for each socket.
            KeepAliveInterval = Timeout.InfiniteTimeSpan,
            // Secrets and what others wrote share a stream: compression would tell about the one by the other's length.
            DangerousEnableCompression = false,
        });
        var connection = new RealtimeConnection(server, context, socket, identity);
        if (!server.Clients.TryAdd(connection))
        {
            // The process began to stop while this was accepted.
            await socket.CloseOutputAsync((WebSocketCloseStatus)RealtimeCloseCodes.Draining, "restarting", context.RequestAborted);
            return;
        }

        server.Metrics.Connected(1);
        try
        {
            await connection.RunAsync();
        }
        finally
        {
            server.Metrics.Connected(-1);
            server.Clients.Remove(connection);
        }
    }

    internal static Error Draining() =>
        Error.Unavailable("draining", "This server is restarting. The connection comes back by itself.", ComeBackAfter);

    /// <summary>A browser can set no header on a WebSocket, so the token comes as a subprotocol; others may send a header.</summary>
    private static string? FindToken(HttpRequest request, IList<string> protocols)
    {
        foreach (var protocol in protocols)
        {
            if (protocol.StartsWith(ServerMessages.TokenPrefix, StringComparison.Ordinal))
                return protocol[ServerMessages.TokenPrefix.Length..];
        }

        return BearerToken(request);
    }

    internal static string? BearerToken(HttpRequest request)
    {
        const string scheme = "Bearer ";
        var header = request.Headers.Authorization.ToString();
        return header.StartsWith(scheme, StringComparison.OrdinalIgnoreCase) ? header[scheme.Length..].Trim() : null;
    }

    /// <summary>Takes the token out of the request, so that nothing that logs headers later can log it.</summary>
    private static void Redact(HttpRequest request, bool offersOurs)
    {
        request.Headers.SecWebSocketProtocol = offersOurs ? ServerMessages.Subprotocol : "redacted";
        if (request.Headers.Authorization.Count > 0)
            request.Headers.Authorization = "redacted";
    }

    private static Task RefuseAsync(RealtimeServer server, HttpContext context, string reason, Error error)
    {
        server.Metrics.Refused(reason);
        return error.ToResult().ExecuteAsync(context);
    }

    private static string Printable(string origin)
    {
        var printable = origin.Where(c => c is > ' ' and < (char)127).Take(100);
        return new string([.. printable]);
    }

    [LoggerMessage(1, LogLevel.Information, "A socket was refused to a page of {Origin}")]
    private static partial void LogForeign(ILogger logger, string origin);
}
