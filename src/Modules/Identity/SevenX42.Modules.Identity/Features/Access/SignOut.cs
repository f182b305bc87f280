using MediatR;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using SevenX42.Http;
using SevenX42.Modules.Identity.Infrastructure;
using SevenX42.Modules.Identity.Infrastructure.Guests;
using SevenX42.Modules.Identity.Infrastructure.Sessions;

namespace SevenX42.Modules.Identity.Features.Access;

/// <summary>Ends the session of this browser. A guest who signs out can't come back, so what they have is given up.</summary>
internal sealed record SignOut : IIdentityCommand;

internal sealed class SignOutHandler(
    IdentityDbContext context, SessionStore sessions, SessionCache cache, ICurrentUser current, AbandonedGuests guests)
    : IRequestHandler<SignOut, Result>
{
    public async Task<Result> Handle(SignOut request, CancellationToken cancellationToken)
    {
        // Signing out twice is signing out.
        if (current is not { Id: { } userId, SessionId: { } sessionId })
            return Result.Success;
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        await sessions.EndAsync(userId, only: sessionId, cancellationToken: cancellationToken);
        if (current.IsGuest)
            await guests.AbandonAsync(userId, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        cache.Forget(sessionId);
        return Result.Success;
    }
}

internal static class SignOutEndpoint
{
    public static async Task<IResult> Post(HttpContext http, ISender sender, CancellationToken cancellationToken)
    {
        var result = await sender.Send(new SignOut(), cancellationToken);
        if (!result.IsSuccess)
            return result.Error.ToResult();
        await http.SignOutAsync(SessionCookie.Scheme);
        return http.Leave();
    }
}
