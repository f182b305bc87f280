using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;
using SevenX42.Http;
using SevenX42.Modules.Identity.Infrastructure;
using SevenX42.Modules.Identity.Infrastructure.Sessions;

namespace SevenX42.Modules.Identity.Features.Administration;

/// <summary>
/// Makes an account administrator, or no longer. Its sessions end, so that nothing that is open keeps the rights it had.
/// </summary>
internal sealed record ChangeRole(Guid UserId, bool IsAdministrator) : IIdentityCommand;

internal sealed class ChangeRoleHandler(IdentityDbContext context, SessionStore sessions, SessionCache cache) : IRequestHandler<ChangeRole, Result>
{
    public async Task<Result> Handle(ChangeRole request, CancellationToken cancellationToken)
    {
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        await context.LockAdministratorsAsync(cancellationToken);
        var user = await context.Users.Where(u => u.Id == request.UserId && !u.IsGuest)
            .Select(u => new { u.IsAdministrator })
            .SingleOrDefaultAsync(cancellationToken);
        if (user is null)
            return Error.NotFound();
        if (user.IsAdministrator == request.IsAdministrator)
            return Result.Success;
        if (!request.IsAdministrator && !await context.Users.AnyAsync(u => u.IsAdministrator && u.Id != request.UserId, cancellationToken))
            return Error.Conflict("last_administrator", "There has to be an administrator. Make somebody else one first.");
        await context.Users.Where(u => u.Id == request.UserId)
            .ExecuteUpdateAsync(set => set.SetProperty(u => u.IsAdministrator, request.IsAdministrator), cancellationToken);
        var ended = await sessions.EndAsync(request.UserId, cancellationToken: cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        foreach (var id in ended)
            cache.Forget(id);
        return Result.Success;
    }
}

internal static class ChangeRoleEndpoint
{
    public static async Task<IResult> Post(
        Guid userId, [FromForm] bool administrator, HttpContext http, ISender sender, CancellationToken cancellationToken)
    {
        var result = await sender.Send(new ChangeRole(userId, administrator), cancellationToken);
        return result.IsSuccess ? http.GoTo("/admin/users") : result.Error.ToResult();
    }
}
