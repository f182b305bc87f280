using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using SevenX42.Contracts.Identity;
using SevenX42.Http;
using SevenX42.Modules.Identity.Domain;
using SevenX42.Modules.Identity.Infrastructure;

namespace SevenX42.Modules.Identity.Features.Account;

/// <summary>The account page of whoever asks.</summary>
internal sealed record ShowAccount : IIdentityQuery<AccountVm>;

internal sealed class ShowAccountHandler(IdentityDbContext context, ICurrentUser current, VisitorOffers offers, TimeProvider time)
    : IRequestHandler<ShowAccount, Result<AccountVm>>
{
    // More sessions than anybody looks through; the oldest of them can be ended all at once.
    private const int MaxSessions = 50;

    public async Task<Result<AccountVm>> Handle(ShowAccount request, CancellationToken cancellationToken)
    {
        var (id, now) = (current.RequiredId, time.GetUtcNow());
        var user = await context.Users.Where(u => u.Id == id)
            .Select(u => new { u.DisplayName, u.Email, u.IsGuest, u.IsAdministrator })
            .SingleOrDefaultAsync(cancellationToken);
        if (user is null)
            return Error.Unauthenticated();
        var sessions = await context.Sessions
            .Where(s => s.UserId == id && s.RevokedAt == null && s.ExpiresAt > now)
            .OrderByDescending(s => s.Id == current.SessionId).ThenByDescending(s => s.LastSeenAt)
            .Take(MaxSessions)
            .ToListAsync(cancellationToken);
        return new AccountVm(user.DisplayName, user.Email, user.IsGuest, user.IsAdministrator, offers.SignUp,
        [
            .. sessions.Select(s => new SessionVm(
                s.Id, DeviceName.Of(s.UserAgent), s.Address?.ToString(), s.CreatedAt, Ago.Of(now - s.LastSeenAt), s.Id == current.SessionId)),
        ]);
    }
}

internal static class ShowAccountEndpoint
{
    private static readonly Dictionary<AccountSectionVm, string> Done = new()
    {
        [AccountSectionVm.Name] = "Saved.",
        [AccountSectionVm.Password] = "Changed. All other devices are signed out.",
        [AccountSectionVm.Sessions] = "Signed out there.",
    };

    public static Task<IResult> Get(ISender sender, CancellationToken cancellationToken, string? done = null) =>
        PageAsync(sender, outcome: null, StatusCodes.Status200OK, cancellationToken, done);

    /// <summary>The page after one of its forms was sent: for htmx as it is now, for a browser by a redirect.</summary>
    public static async Task<IResult> AfterAsync(
        HttpContext http, ISender sender, AccountSectionVm section, Result result, CancellationToken cancellationToken, string? typed = null)
    {
        if (result.IsSuccess)
        {
            return http.Request.WantsFragment()
                ? await PageAsync(sender, new AccountOutcomeVm(section, Done.GetValueOrDefault(section), null, null), StatusCodes.Status200OK, cancellationToken)
                : http.GoTo($"/account?done={section}");
        }

        return result.Error.BelongsIntoForm(http.Request) && result.Error.Kind is not (ErrorKind.Unauthenticated or ErrorKind.NotFound)
            ? await PageAsync(
                sender, new AccountOutcomeVm(section, null, typed, FormErrorVm.Of(result.Error)), result.Error.StatusInForm(), cancellationToken)
            : result.Error.ToResult();
    }

    private static async Task<IResult> PageAsync(
        ISender sender, AccountOutcomeVm? outcome, int status, CancellationToken cancellationToken, string? done = null)
    {
        var account = await sender.Send(new ShowAccount(), cancellationToken);
        if (!account.IsSuccess)
            return account.Error.ToResult();
        if (outcome is null && Enum.TryParse<AccountSectionVm>(done, out var section) && Done.TryGetValue(section, out var sentence))
            outcome = new AccountOutcomeVm(section, sentence, null, null);
        return Html.Page<AccountView>(
            "Account",
            new Dictionary<string, object?> { [nameof(AccountView.Account)] = account.Value, [nameof(AccountView.Outcome)] = outcome },
            status);
    }
}
