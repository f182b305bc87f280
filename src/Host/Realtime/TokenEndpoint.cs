using Microsoft.AspNetCore.Mvc;
using SevenX42.Contracts.Identity;
using SevenX42.Http;

namespace SevenX42.Host.Realtime;

/// <summary><c>POST /realtime/token</c>: a token for the handshake, for whoever is signed in.</summary>
internal static class TokenEndpoint
{
    public static async Task<IResult> IssueAsync(
        HttpContext context, [FromServices] ICurrentUser user, [FromServices] IIdentityApi identity, [FromServices] TimeProvider time)
    {
        context.Response.Headers.CacheControl = "no-store";
        if (user is not { Id: { } userId, SessionId: { } sessionId })
            return Error.Unauthenticated().ToResult();
        var issued = await identity.IssueRealtimeTokenAsync(userId, sessionId, context.RequestAborted);
        if (!issued.IsSuccess)
            return issued.Error!.ToResult();
        // Seconds from now, since the client's clock may be anything.
        var seconds = (int)(issued.Value.ExpiresAt - time.GetUtcNow()).TotalSeconds;
        return TypedResults.Ok(new IssuedToken(issued.Value.Token, seconds));
    }

    /// <param name="Token">The token.</param>
    /// <param name="Expires">Seconds it is good for.</param>
    internal sealed record IssuedToken(string Token, int Expires);
}
