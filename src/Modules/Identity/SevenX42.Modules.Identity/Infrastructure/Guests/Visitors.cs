using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Options;

namespace SevenX42.Modules.Identity.Infrastructure.Guests;

/// <summary>The policy <see cref="AccessPolicies.Visitors"/>.</summary>
internal sealed class Visitors(IOptions<IdentitySettings> settings) : AuthorizationHandler<Visitors.Requirement>
{
    protected override Task HandleRequirementAsync(AuthorizationHandlerContext context, Requirement requirement)
    {
        if (settings.Value.AllowsGuests || context.User.Identity is { IsAuthenticated: true })
            context.Succeed(requirement);
        return Task.CompletedTask;
    }

    internal sealed class Requirement : IAuthorizationRequirement;
}
