using MediatR;
using Microsoft.AspNetCore.Http;
using SevenX42.Modules.Identity.Infrastructure.Sessions;

namespace SevenX42.Modules.Identity.Features.Account;

/// <summary>Ends one of one's own sessions.</summary>
internal sealed record RevokeSession(Guid SessionId) : IIdentityCommand;

internal sealed class RevokeSessionHandler(SessionStore sessions, SessionCache cache, ICurrentUser current) : IRequestHandler<RevokeSession, Result>
{
    public async Task<Result> Handle(RevokeSession request, CancellationToken cancellationToken)
    {
        var ended = await sessions.EndAsync(current.RequiredId, only: request.SessionId, cancellationToken: cancellationToken);
        if (ended.Count == 0)
            return Error.NotFound("This session has already ended.");
        cache.Forget(request.SessionId);
        return Result.Success;
    }
}

internal static class RevokeSessionEndpoint
{
    public static async Task<IResult> Post(Guid sessionId, HttpContext http, ISender sender, CancellationToken cancellationToken)
    {
        var result = await sender.Send(new RevokeSession(sessionId), cancellationToken);
        return await ShowAccountEndpoint.AfterAsync(http, sender, AccountSectionVm.Sessions, result, cancellationToken);
    }
}
