using FluentValidation;
using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Identity;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Npgsql;
using SevenX42.Http;
using SevenX42.Modules.Identity.Domain;
using SevenX42.Modules.Identity.Infrastructure;
using SevenX42.Modules.Identity.Infrastructure.Sessions;
using SevenX42.Modules.Identity.Infrastructure.Users;

namespace SevenX42.Modules.Identity.Features.Access;

/// <summary>
/// Makes an account, or makes one of the guest who asks: the same user, so everything they have stays theirs. The first
/// account administers the installation.
/// </summary>
internal sealed record SignUp(string DisplayName, string Email, Password Password, Device Device) : IIdentityCommand<SignedIn>;

internal sealed class SignUpValidator : AbstractValidator<SignUp>
{
    public SignUpValidator()
    {
        RuleFor(c => c.DisplayName).DisplayName();
        RuleFor(c => c.Email).Email();
        RuleFor(c => c.Email).Must(e => EmailAddress.FaultOf(e) is null).WithErrorCode("email_invalid").WithMessage(c => EmailAddress.FaultOf(c.Email));
        RuleFor(c => c.Password).NewPassword(nameof(SignUp.Password));
        RuleFor(c => c).Must(c => !EmailAddress.KeyOf(c.Password.Text).Equals(EmailAddress.KeyOf(c.Email), StringComparison.Ordinal))
            .WithErrorCode("password_is_email").WithMessage("Your email address is no secret. Choose another password.").OverridePropertyName(nameof(SignUp.Password));
    }
}

internal sealed class SignUpHandler(
    IdentityDbContext context,
    UserManager<User> users,
    SessionStore sessions,
    SessionCache cache,
    ICurrentUser current,
    IOptions<IdentitySettings> settings,
    TimeProvider time)
    : IRequestHandler<SignUp, Result<SignedIn>>
{
    // Whether an account exists can't be hidden while signing up needs no answered email: a new address gets an account at
    // once. So the sentence only does not say it, the work is the same, and the number of tries is small.
    private static readonly Error Refused = Error.Invalid(
        "sign_up_refused", "An account can't be made with this email address. If you already have one, sign in instead.", nameof(SignUp.Email));

    public async Task<Result<SignedIn>> Handle(SignUp request, CancellationToken cancellationToken)
    {
        if (settings.Value.SignUp is SignUpMode.Closed)
            return new Error(ErrorKind.Forbidden, "sign_up_closed", "New accounts can't be made here. Ask the administrator.");
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        var guest = current is { IsGuest: true, Id: { } id } ? await LockGuestAsync(id, cancellationToken) : null;
        if (current.Id is not null && guest is null)
            return Error.Conflict("already_signed_in", "You already have an account and are signed in to it. Reload the page.");

        var user = guest ?? NewUser();
        user.DisplayName = request.DisplayName.Trim();
        user.UserName = user.Email = EmailAddress.Clean(request.Email);
        user.IsGuest = false;
        user.GuestKey = null;
        user.IsAdministrator = await IsFirstAsync(cancellationToken);
        try
        {
            var outcome = guest is null ? await users.CreateAsync(user, request.Password.Text) : await users.AddPasswordAsync(user, request.Password.Text);
            if (!outcome.Succeeded)
                return Refused;
        }
        catch (DbUpdateException e) when (e.InnerException is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation })
        {
            // Somebody with the same email was a moment faster.
            return Refused;
        }

        var ended = await sessions.EndAsync(user.Id, cancellationToken: cancellationToken);
        var session = sessions.Open(user.Id, guest: false, request.Device);
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        foreach (var endedId in ended)
            cache.Forget(endedId);
        return new SignedIn(user.Id, session.Id);
    }

    private User NewUser()
    {
        var now = time.GetUtcNow();
        return new User { Id = Guid.CreateVersion7(now), DisplayName = "", CreatedAt = now, LastSeenAt = now };
    }

    private async Task<User?> LockGuestAsync(Guid id, CancellationToken cancellationToken) =>
        (await context.Users.FromSql($"SELECT * FROM identity.users WHERE id = {id} AND is_guest FOR UPDATE").ToListAsync(cancellationToken)).SingleOrDefault();

    // Two people may sign up first at once: they take turns, and the second looks again.
    private async Task<bool> IsFirstAsync(CancellationToken cancellationToken)
    {
        if (await context.Users.AnyAsync(u => !u.IsGuest, cancellationToken))
            return false;
        await context.LockAdministratorsAsync(cancellationToken);
        return !await context.Users.AnyAsync(u => !u.IsGuest, cancellationToken);
    }
}

internal static class SignUpEndpoint
{
    public static IResult Get(HttpContext http, ICurrentUser user, IOptions<IdentitySettings> settings, string? returnUrl = null) =>
        user is { Id: not null, IsGuest: false }
            ? http.GoTo(LocalUrl.OrHome(returnUrl))
            : Page(http, user, settings.Value, displayName: null, email: null, ReturnUrl.Of(http.Request, returnUrl), error: null);

    public static async Task<IResult> Post(
        [FromForm] string? displayName,
        [FromForm] string? email,
        [FromForm] string? password,
        [FromForm] string? returnUrl,
        HttpContext http,
        ICurrentUser user,
        IOptions<IdentitySettings> settings,
        ISender sender,
        CancellationToken cancellationToken)
    {
        var result = await sender.Send(new SignUp(displayName ?? "", email ?? "", new Password(password), http.Device()), cancellationToken);
        if (result.IsSuccess)
        {
            await http.SendSessionCookieAsync(result.Value.UserId, result.Value.SessionId, guest: false);
            return http.GoTo(LocalUrl.OrHome(returnUrl));
        }

        return result.Error.BelongsIntoForm(http.Request)
            ? Page(http, user, settings.Value, displayName, email, returnUrl, result.Error)
            : result.Error.ToResult();
    }

    private static IResult Page(
        HttpContext http, ICurrentUser user, IdentitySettings settings, string? displayName, string? email, string? returnUrl, Error? error) =>
        Html.Page<SignUpForm>(
            "Sign up",
            new Dictionary<string, object?>
            {
                [nameof(SignUpForm.Form)] = new SignUpVm(
                    displayName,
                    email,
                    LocalUrl.OrHome(returnUrl),
                    user.IsGuest,
                    settings.SignUp is SignUpMode.Open,
                    http.Request.LosesCookies(),
                    error is null ? null : FormErrorVm.Of(error)),
            },
            error?.StatusInForm() ?? StatusCodes.Status200OK);
}
