using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Modules.Identity.Infrastructure;
using SevenX42.Persistence;

namespace SevenX42.Modules.Identity;

/// <summary>The Identity module.</summary>
public sealed class IdentityModule : IModule
{
    internal const string Schema = "identity";

    /// <inheritdoc/>
    public string Name => Schema;

    /// <inheritdoc/>
    public void Add(IServiceCollection services, IConfiguration configuration)
    {
        services.AddModuleDbContext<IdentityDbContext>(Schema);
        services.AddIdentityPipeline();
    }

    /// <inheritdoc/>
    public void Map(IEndpointRouteBuilder routes)
    {
    }
}
