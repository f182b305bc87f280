using FluentValidation;
using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;
using SevenX42.Modules.Identity.Infrastructure;
using SevenX42.Modules.Identity.Infrastructure.Sessions;

namespace SevenX42.Modules.Identity.Features.Account;

/// <summary>Changes the name that is shown.</summary>
internal sealed record ChangeName(string DisplayName) : IIdentityCommand;

internal sealed class ChangeNameValidator : AbstractValidator<ChangeName>
{
    public ChangeNameValidator() => RuleFor(c => c.DisplayName).DisplayName();
}

internal sealed class ChangeNameHandler(IdentityDbContext context, SessionCache cache, ICurrentUser current) : IRequestHandler<ChangeName, Result>
{
    public async Task<Result> Handle(ChangeName request, CancellationToken cancellationToken)
    {
        var (id, name) = (current.RequiredId, request.DisplayName.Trim());
        var changed = await context.Users.Where(u => u.Id == id).ExecuteUpdateAsync(set => set.SetProperty(u => u.DisplayName, name), cancellationToken);
        if (changed == 0)
            return Error.Unauthenticated();
        if (current.SessionId is { } session)
            cache.Forget(session);
        return Result.Success;
    }
}

internal static class ChangeNameEndpoint
{
    public static async Task<IResult> Post([FromForm] string? displayName, HttpContext http, ISender sender, CancellationToken cancellationToken)
    {
        var result = await sender.Send(new ChangeName(displayName ?? ""), cancellationToken);
        return await ShowAccountEndpoint.AfterAsync(http, sender, AccountSectionVm.Name, result, cancellationToken, displayName);
    }
}
