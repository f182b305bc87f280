using MediatR;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;
using SevenX42.Contracts.Identity;
using SevenX42.Messaging;
using SevenX42.Modules.Identity.Domain;
using SevenX42.Modules.Identity.Infrastructure;
using SevenX42.Modules.Identity.Infrastructure.Sessions;
using SevenX42.Modules.Identity.Infrastructure.Users;

namespace SevenX42.Modules.Identity.Features.Account;

/// <summary>
/// Deletes the account of whoever asks, with everything they have in every module. An account proves itself by its password;
/// a guest types a word.
/// </summary>
internal sealed record DeleteAccount(Password Password, string Confirmation) : IIdentityCommand;

internal sealed class DeleteAccountHandler(
    IdentityDbContext context, PasswordChecks passwords, SessionStore sessions, SessionCache cache, ICurrentUser current, TimeProvider time)
    : IRequestHandler<DeleteAccount, Result>
{
    public const string Word = "delete";

    public async Task<Result> Handle(DeleteAccount request, CancellationToken cancellationToken)
    {
        var id = current.RequiredId;
        var user = await context.Users.AsNoTracking().SingleOrDefaultAsync(u => u.Id == id, cancellationToken);
        if (user is null)
            return Result.Success;
        if (user.IsGuest && !request.Confirmation.Trim().Equals(Word, StringComparison.OrdinalIgnoreCase))
            return Error.Invalid("confirmation_missing", $"Type the word {Word}.", "confirmation");
        if (!user.IsGuest && await passwords.CheckAsync(user, request.Password, "password", cancellationToken) is { Error: { } wrong })
            return wrong;

        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        if (user.IsAdministrator && await IsNeededAsync(id, cancellationToken))
            return Error.Conflict("last_administrator", "You are the only administrator. Make somebody else one first.");
        var ended = await sessions.EndAsync(id, cancellationToken: cancellationToken);
        // Pressed twice, one of the two deletes, and one event is raised.
        if (await context.Users.Where(u => u.Id == id).ExecuteDeleteAsync(cancellationToken) == 1)
            context.Raise(new UserDeleted(Guid.CreateVersion7(time.GetUtcNow()), id));
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        foreach (var sessionId in ended)
            cache.Forget(sessionId);
        return Result.Success;
    }

    // Administrators who leave at the same moment take turns, so that one of them stays.
    private async Task<bool> IsNeededAsync(Guid id, CancellationToken cancellationToken)
    {
        await context.LockAdministratorsAsync(cancellationToken);
        return await context.Users.AnyAsync(u => !u.IsGuest && u.Id != id, cancellationToken)
            && !await context.Users.AnyAsync(u => u.IsAdministrator && u.Id != id, cancellationToken);
    }
}

internal static class DeleteAccountEndpoint
{
    public static async Task<IResult> Post(
        [FromForm] string? password, [FromForm] string? confirmation, HttpContext http, ISender sender, CancellationToken cancellationToken)
    {
        var result = await sender.Send(new DeleteAccount(new Password(password), confirmation ?? ""), cancellationToken);
        if (!result.IsSuccess)
            return await ShowAccountEndpoint.AfterAsync(http, sender, AccountSectionVm.Delete, result, cancellationToken, confirmation);
        await http.SignOutAsync(SessionCookie.Scheme);
        return http.Leave();
    }
}
