using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace SevenX42;

/// <summary>
/// One module of the monolith: the only public class of its assembly besides Razor components. The Host holds the one
/// explicit list of them; nothing is found by scanning.
/// </summary>
public interface IModule
{
    /// <summary>Lower-case name: the module's database schema, its metrics prefix and its log category.</summary>
    string Name { get; }

    /// <summary>Registers the module's services. Called once, before the application is built, in every role.</summary>
    void Add(IServiceCollection services, IConfiguration configuration);

    /// <summary>Maps the module's routes. Called once, in roles that serve HTTP.</summary>
    void Map(IEndpointRouteBuilder routes);
}
