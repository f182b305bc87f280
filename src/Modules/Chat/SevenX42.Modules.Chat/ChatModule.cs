using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Modules.Chat.Infrastructure;
using SevenX42.Persistence;

namespace SevenX42.Modules.Chat;

/// <summary>The Chat module.</summary>
public sealed class ChatModule : IModule
{
    internal const string Schema = "chat";

    /// <inheritdoc/>
    public string Name => Schema;

    /// <inheritdoc/>
    public void Add(IServiceCollection services, IConfiguration configuration)
    {
        services.AddModuleDbContext<ChatDbContext>(Schema);
        services.AddChatPipeline();
    }

    /// <inheritdoc/>
    public void Map(IEndpointRouteBuilder routes)
    {
    }
}
