using System.Security.Claims;
using Microsoft.AspNetCore.Http;

namespace SevenX42.Http;

/// <summary><see cref="ICurrentUser"/> of the current HTTP request.</summary>
internal sealed class CurrentUser(IHttpContextAccessor accessor) : ICurrentUser
{
    public Guid? Id => Find(UserClaims.UserId);

    public Guid? SessionId => Find(UserClaims.SessionId);

    public bool IsGuest => Principal?.HasClaim(UserClaims.Guest, "true") ?? false;

    public bool IsAdministrator => Principal?.HasClaim(UserClaims.Role, UserClaims.Administrator) ?? false;

    private ClaimsPrincipal? Principal => accessor.HttpContext?.User;

    private Guid? Find(string claim) => Guid.TryParse(Principal?.FindFirstValue(claim), out var id) ? id : null;
}
