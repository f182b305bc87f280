using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Modules.Generation.Infrastructure;
using SevenX42.Persistence;

namespace SevenX42.Modules.Generation;

/// <summary>The Generation module.</summary>
public sealed class GenerationModule : IModule
{
    internal const string Schema = "generation";

    /// <inheritdoc/>
    public string Name => Schema;

    /// <inheritdoc/>
    public void Add(IServiceCollection services, IConfiguration configuration)
    {
        services.AddModuleDbContext<GenerationDbContext>(Schema);
        services.AddGenerationPipeline();
    }

    /// <inheritdoc/>
    public void Map(IEndpointRouteBuilder routes)
    {
    }
}
