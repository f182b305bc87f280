using SevenX42.Http;

namespace SevenX42.Host.Shell;

/// <summary>The frame around every page, and how failures look.</summary>
internal static class ShellExtensions
{
    public static IServiceCollection AddShell(this IServiceCollection services) => services
        .AddSingleton(new PageLayout(typeof(Frame)))
        .AddSingleton(new ErrorViews(typeof(ErrorNotice), typeof(ErrorPage)))
        .AddSingleton<AssetUrls>();
}
