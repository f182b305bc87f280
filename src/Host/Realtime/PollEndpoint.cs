using System.Buffers;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Primitives;
using SevenX42.Contracts.Identity;
using SevenX42.Http;
using SevenX42.Realtime;

namespace SevenX42.Host.Realtime;

/// <summary>
/// <c>GET /realtime/poll?ch=…&amp;pos=…&amp;ch=…&amp;pos=…</c>: the same events for whom no socket gets through. Answers
/// <c>{"channels":[{"ch","pos","recovered","ev","code"}]}</c> when there is something to tell, or after a while; with
/// <c>&amp;now</c> at once, for whom it would be news that polls get through.
/// </summary>
internal static class PollEndpoint
{
    public static async Task<IResult> AnswerAsync(
        HttpContext context, [FromServices] RealtimeServer server, [FromServices] PollLimits limits)
    {
        context.Response.Headers.CacheControl = "no-store";
        if (context.Request.Headers.Origin.Count > 0 && !server.Origins.Allows(context.Request))
            return new Error(ErrorKind.Forbidden, "origin", "This page may not ask here.").ToResult();
        if (await IdentifyAsync(server, context) is not { } identity)
            return Error.Unauthenticated().ToResult();
        if (server.Clients.IsDraining)
            return SocketEndpoint.Draining().ToResult();
        if (Read(context.Request.Query) is not { } channels)
            return Error.Invalid("malformed", "A poll names channels, each with the position to go on from.").ToResult();
        if (channels.Count > server.Options.ChannelsPerConnection)
            return Error.Invalid(RealtimeCodes.TooManyChannels, "This is more channels than one poll may ask for.").ToResult();
        if (!limits.TryBegin(identity.UserId, out var wait))
            return Error.TooMany("rate_limited", "These are too many polls at once.", wait).ToResult();
        if (await server.ReserveAsync(identity, context.RequestAborted) is not { } place)
            return Error.TooMany("too_many_connections", "You have too many windows open at once.", TimeSpan.FromSeconds(5)).ToResult();
        using (place)
            return await PollAsync(server, context, identity, channels);
    }

    private static async Task<IResult> PollAsync(
        RealtimeServer server,
        HttpContext context,
        RealtimeIdentity identity,
        IReadOnlyList<(string Channel, ChannelPosition? From)> channels)
    {
        var poll = new PollRequest(server, identity);
        if (!server.Clients.TryAdd(poll))
            return SocketEndpoint.Draining().ToResult();
        server.Metrics.Polling(1);
        try
        {
            await poll.WaitAsync(channels, context.Request.Query["as"] == "raw", context.Request.Query.ContainsKey("now"), context.RequestAborted);
            if (poll.IsSignedOut)
                return Error.Unauthenticated("This session has ended. Sign in again.").ToResult();
            var body = new ArrayBufferWriter<byte>(1024);
            poll.Write(body);
            return TypedResults.Bytes(body.WrittenMemory, "application/json");
        }
        finally
        {
            poll.Release();
            server.Clients.Remove(poll);
            server.Metrics.Polling(-1);
        }
    }

    /// <summary>By the cookie, which Identity has checked; or by a real-time token, whose session is checked here.</summary>
    private static async Task<RealtimeIdentity?> IdentifyAsync(RealtimeServer server, HttpContext context)
    {
        if (SocketEndpoint.BearerToken(context.Request) is { } token)
        {
            context.Request.Headers.Authorization = "redacted";
            if (await server.Access.IdentifyAsync(token, context.RequestAborted) is not { } identity)
                return null;
            var ended = await context.RequestServices.GetRequiredService<IIdentityApi>()
                .FindEndedSessionsAsync([identity.SessionId], context.RequestAborted);
            return ended.Count == 0 ? identity : null;
        }

        var user = context.RequestServices.GetRequiredService<ICurrentUser>();
        return user is { Id: { } userId, SessionId: { } sessionId } && !server.Clients.HasEnded(sessionId)
            ? new RealtimeIdentity(userId, sessionId, DateTimeOffset.MaxValue)
            : null;
    }

    private static List<(string Channel, ChannelPosition? From)>? Read(IQueryCollection query)
    {
        StringValues names = query["ch"], positions = query["pos"];
        if (names.Count == 0 || names.Count != positions.Count)
            return null;
        var channels = new List<(string Channel, ChannelPosition? From)>(names.Count);
        for (var i = 0; i < names.Count; i++)
        {
            if (names[i] is not { Length: > 0 } name || channels.Exists(c => c.Channel == name))
                return null;
            // As on the socket: none means from now on, one that can't be read can't be resumed.
            ChannelPosition? from = string.IsNullOrEmpty(positions[i]) ? null
                : ChannelPosition.TryParse(positions[i], out var parsed) ? parsed : new ChannelPosition("", 0);
            channels.Add((name, from));
        }

        return channels;
    }
}
