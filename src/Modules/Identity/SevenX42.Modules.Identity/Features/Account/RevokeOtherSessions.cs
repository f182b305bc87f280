using MediatR;
using Microsoft.AspNetCore.Http;
using SevenX42.Modules.Identity.Infrastructure.Sessions;

namespace SevenX42.Modules.Identity.Features.Account;

/// <summary>Ends all of one's own sessions but the one that asks.</summary>
internal sealed record RevokeOtherSessions : IIdentityCommand;

internal sealed class RevokeOtherSessionsHandler(SessionStore sessions, SessionCache cache, ICurrentUser current)
    : IRequestHandler<RevokeOtherSessions, Result>
{
    public async Task<Result> Handle(RevokeOtherSessions request, CancellationToken cancellationToken)
    {
        foreach (var id in await sessions.EndAsync(current.RequiredId, except: current.SessionId, cancellationToken: cancellationToken))
            cache.Forget(id);
        return Result.Success;
    }
}

internal static class RevokeOtherSessionsEndpoint
{
    public static async Task<IResult> Post(HttpContext http, ISender sender, CancellationToken cancellationToken)
    {
        var result = await sender.Send(new RevokeOtherSessions(), cancellationToken);
        return await ShowAccountEndpoint.AfterAsync(http, sender, AccountSectionVm.Sessions, result, cancellationToken);
    }
}
