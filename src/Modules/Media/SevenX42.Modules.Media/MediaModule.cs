using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Modules.Media.Infrastructure;
using SevenX42.Persistence;

namespace SevenX42.Modules.Media;

/// <summary>The Media module.</summary>
public sealed class MediaModule : IModule
{
    internal const string Schema = "media";

    /// <inheritdoc/>
    public string Name => Schema;

    /// <inheritdoc/>
    public void Add(IServiceCollection services, IConfiguration configuration)
    {
        services.AddModuleDbContext<MediaDbContext>(Schema);
        services.AddMediaPipeline();
    }

    /// <inheritdoc/>
    public void Map(IEndpointRouteBuilder routes)
    {
    }
}
