using FluentValidation;
using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Identity;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;
using SevenX42.Modules.Identity.Domain;
using SevenX42.Modules.Identity.Features.Access;
using SevenX42.Modules.Identity.Infrastructure;
using SevenX42.Modules.Identity.Infrastructure.Sessions;
using SevenX42.Modules.Identity.Infrastructure.Users;

namespace SevenX42.Modules.Identity.Features.Account;

/// <summary>Changes the password. Ends every session there is, and begins a new one for the browser that asks.</summary>
internal sealed record ChangePassword(Password Present, Password New, Device Device) : IIdentityCommand<SignedIn>;

internal sealed class ChangePasswordValidator : AbstractValidator<ChangePassword>
{
    public ChangePasswordValidator()
    {
        RuleFor(c => c.Present).Must(p => p.Text.Length is > 0 and <= Password.MaxLength)
            .WithErrorCode("password_missing").WithMessage("Enter your present password.").OverridePropertyName("currentPassword");
        RuleFor(c => c.New).NewPassword("newPassword");
        RuleFor(c => c).Must(c => c.New != c.Present)
            .WithErrorCode("password_unchanged").WithMessage("This is the password you have.").OverridePropertyName("newPassword");
    }
}

internal sealed class ChangePasswordHandler(
    IdentityDbContext context,
    PasswordChecks passwords,
    IPasswordHasher<User> hasher,
    SessionStore sessions,
    SessionCache cache,
    ICurrentUser current,
    TimeProvider time)
    : IRequestHandler<ChangePassword, Result<SignedIn>>
{
    public async Task<Result<SignedIn>> Handle(ChangePassword request, CancellationToken cancellationToken)
    {
        var id = current.RequiredId;
        var user = await context.Users.AsNoTracking().SingleOrDefaultAsync(u => u.Id == id && !u.IsGuest, cancellationToken);
        if (user is null)
            return Error.Conflict("no_password", "A guest has no password. Sign up to have one.");
        var known = await passwords.CheckAsync(user, request.Present, "currentPassword", cancellationToken);
        if (!known.IsSuccess)
            return known.Error;
        if (EmailAddress.KeyOf(request.New.Text) == user.NormalizedEmail)
            return Error.Invalid("password_is_email", "Your email address is no secret. Choose another password.", "newPassword");

        var (old, hash, stamp) = (user.PasswordHash, hasher.HashPassword(user, request.New.Text), Guid.CreateVersion7(time.GetUtcNow()).ToString());
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        // The row first: a sign-in with the old password either sees that it is old or has its session ended below.
        var changed = await context.Users.Where(u => u.Id == id && u.PasswordHash == old).ExecuteUpdateAsync(
            set => set.SetProperty(u => u.PasswordHash, hash).SetProperty(u => u.SecurityStamp, stamp).SetProperty(u => u.ConcurrencyStamp, stamp),
            cancellationToken);
        if (changed == 0)
            return Error.Conflict("password_changed", "Your password was changed elsewhere just now. Sign in again.");
        var ended = await sessions.EndAsync(id, cancellationToken: cancellationToken);
        var session = sessions.Open(id, guest: false, request.Device);
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        foreach (var endedId in ended)
            cache.Forget(endedId);
        return new SignedIn(id, session.Id);
    }
}

internal static class ChangePasswordEndpoint
{
    public static async Task<IResult> Post(
        [FromForm] string? currentPassword, [FromForm] string? newPassword, HttpContext http, ISender sender, CancellationToken cancellationToken)
    {
        var result = await sender.Send(new ChangePassword(new Password(currentPassword), new Password(newPassword), http.Device()), cancellationToken);
        if (!result.IsSuccess)
            return await ShowAccountEndpoint.AfterAsync(http, sender, AccountSectionVm.Password, result.Error, cancellationToken);
        await http.SendSessionCookieAsync(result.Value.UserId, result.Value.SessionId, guest: false);
        // Loaded anew, since whatever this page has open belongs to a session that is over.
        return http.GoTo($"/account?done={AccountSectionVm.Password}");
    }
}
