using System.Text.Encodings.Web;
using System.Text.Unicode;
using Microsoft.Extensions.DependencyInjection;

namespace SevenX42.Http;

/// <summary>Registers what endpoints of every module need.</summary>
public static class HttpServices
{
    /// <summary>Adds <see cref="ICurrentUser"/> and Razor components.</summary>
    public static IServiceCollection AddHttpBuildingBlocks(this IServiceCollection services)
    {
        services.AddHttpContextAccessor();
        services.AddScoped<ICurrentUser, CurrentUser>();
        // The default one writes every letter beyond ASCII as an entity of eight bytes.
        services.AddSingleton(HtmlEncoder.Create(UnicodeRanges.All));
        services.AddRazorComponents();
        return services;
    }
}
