using FluentValidation;
using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;
using SevenX42.Http;
using SevenX42.Modules.Identity.Domain;
using SevenX42.Modules.Identity.Infrastructure;
using SevenX42.Modules.Identity.Infrastructure.Guests;
using SevenX42.Modules.Identity.Infrastructure.Sessions;
using SevenX42.Modules.Identity.Infrastructure.Users;

namespace SevenX42.Modules.Identity.Features.Access;

/// <summary>Signs in with email and password: always with a new session, whatever the browser had before.</summary>
internal sealed record SignIn(string Email, Password Password, Device Device) : IIdentityCommand<SignedIn>;

/// <summary>Somebody has a new session.</summary>
internal sealed record SignedIn(Guid UserId, Guid SessionId);

internal sealed class SignInValidator : AbstractValidator<SignIn>
{
    public SignInValidator()
    {
        RuleFor(c => c.Email).Email();
        RuleFor(c => c.Email).MaximumLength(EmailAddress.MaxLength).WithErrorCode("email_too_long").WithMessage("This is too long for an email address.");
        RuleFor(c => c.Password).Must(p => p.Text.Length > 0).WithErrorCode("password_missing").WithMessage("Enter your password.");
        RuleFor(c => c.Password).Must(p => p.Text.Length <= Password.MaxLength).WithErrorCode("password_too_long").WithMessage("This is too long for a password.");
    }
}

internal sealed class SignInHandler(
    IdentityDbContext context, PasswordChecks passwords, SessionStore sessions, SessionCache cache, ICurrentUser current, AbandonedGuests guests)
    : IRequestHandler<SignIn, Result<SignedIn>>
{
    public async Task<Result<SignedIn>> Handle(SignIn request, CancellationToken cancellationToken)
    {
        var found = await passwords.FindAsync(request.Email, request.Password, cancellationToken);
        // What nobody could sign up with is pointed out, which tells no more than what was typed.
        if (found.Error == PasswordChecks.Wrong && EmailAddress.FaultOf(request.Email) is { } fault)
            return Error.Invalid("email_invalid", fault, nameof(SignIn.Email));
        if (!found.IsSuccess)
            return found.Error;

        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        if (!await passwords.ConfirmAsync(found.Value, cancellationToken))
            return PasswordChecks.Wrong;
        IReadOnlyList<Guid> ended = [];
        if (current is { Id: { } previous, SessionId: { } previousSession })
        {
            ended = await sessions.EndAsync(previous, only: previousSession, cancellationToken: cancellationToken);
            if (current.IsGuest)
                await guests.AbandonAsync(previous, cancellationToken);
        }

        var session = sessions.Open(found.Value.Id, guest: false, request.Device);
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        foreach (var id in ended)
            cache.Forget(id);
        return new SignedIn(session.UserId, session.Id);
    }
}

internal static class SignInEndpoint
{
    public static IResult Get(HttpContext http, ICurrentUser user, IOptions<IdentitySettings> settings, string? returnUrl = null) =>
        user is { Id: not null, IsGuest: false }
            ? http.GoTo(LocalUrl.OrHome(returnUrl))
            // What a guest had open is nothing that the account they sign in to could open.
            : Page(http, user, settings.Value, email: null, ReturnUrl.Of(http.Request, returnUrl ?? (user.IsGuest ? LocalUrl.Home : null)), error: null);

    public static async Task<IResult> Post(
        [FromForm] string? email,
        [FromForm] string? password,
        [FromForm] string? returnUrl,
        HttpContext http,
        ICurrentUser user,
        IOptions<IdentitySettings> settings,
        ISender sender,
        CancellationToken cancellationToken)
    {
        var result = await sender.Send(new SignIn(email ?? "", new Password(password), http.Device()), cancellationToken);
        if (result.IsSuccess)
        {
            await http.SendSessionCookieAsync(result.Value.UserId, result.Value.SessionId, guest: false);
            return http.GoTo(LocalUrl.OrHome(returnUrl));
        }

        return result.Error.BelongsIntoForm(http.Request)
            ? Page(http, user, settings.Value, email, returnUrl, result.Error)
            : result.Error.ToResult();
    }

    private static IResult Page(HttpContext http, ICurrentUser user, IdentitySettings settings, string? email, string? returnUrl, Error? error) =>
        Html.Page<SignInForm>(
            "Sign in",
            new Dictionary<string, object?>
            {
                [nameof(SignInForm.Form)] = new SignInVm(
                    email,
                    LocalUrl.OrHome(returnUrl),
                    user.IsGuest,
                    settings.SignUp is SignUpMode.Open,
                    http.Request.LosesCookies(),
                    error is null ? null : FormErrorVm.Of(error)),
            },
            error?.StatusInForm() ?? StatusCodes.Status200OK);
}
