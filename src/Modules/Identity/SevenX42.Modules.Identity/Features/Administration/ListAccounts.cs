using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using SevenX42.Http;
using SevenX42.Modules.Identity.Domain;
using SevenX42.Modules.Identity.Infrastructure;

namespace SevenX42.Modules.Identity.Features.Administration;

/// <summary>The accounts whose email begins with something, for an administrator.</summary>
internal sealed record ListAccounts(string Query) : IIdentityQuery<AccountsVm>;

internal sealed class ListAccountsHandler(IdentityDbContext context) : IRequestHandler<ListAccounts, Result<AccountsVm>>
{
    private const int PageSize = 100;

    public async Task<Result<AccountsVm>> Handle(ListAccounts request, CancellationToken cancellationToken)
    {
        var query = EmailAddress.Clean(request.Query);
        var prefix = EmailAddress.KeyOf(query);
        var accounts = await context.Users
            .Where(u => !u.IsGuest && (prefix == "" || u.NormalizedEmail!.StartsWith(prefix)))
            .OrderBy(u => u.CreatedAt)
            .Take(PageSize + 1)
            .Select(u => new AccountLineVm(u.Id, u.DisplayName, u.Email!, u.IsAdministrator, u.CreatedAt))
            .ToListAsync(cancellationToken);
        return new AccountsVm([.. accounts.Take(PageSize)], query, accounts.Count > PageSize);
    }
}

internal static class ListAccountsEndpoint
{
    public static async Task<IResult> Get(ISender sender, CancellationToken cancellationToken, string? q = null)
    {
        var result = await sender.Send(new ListAccounts(q ?? ""), cancellationToken);
        return result.IsSuccess
            ? Html.Page<AccountsView>("Accounts", new Dictionary<string, object?> { [nameof(AccountsView.Accounts)] = result.Value })
            : result.Error.ToResult();
    }
}
