using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Ui;

namespace SevenX42.Http;

/// <summary>
/// The frame around every page, registered once by the Host. Its component takes the parameters <c>Title</c>
/// (<see cref="string"/>) and <c>ChildContent</c> (<see cref="RenderFragment"/>).
/// </summary>
/// <param name="Component">The layout component.</param>
public sealed record PageLayout(Type Component);

/// <summary>
/// What the frame shows beside every page for getting to other pages, registered once, by the module that owns it. Its
/// component takes no parameters, loads what it shows by itself, and shows something useful to a visitor who is nobody yet.
/// </summary>
/// <param name="Component">The component.</param>
public sealed record SidebarContent(Type Component);

/// <summary>HTML results of endpoints: static server-side Razor components.</summary>
public static class Html
{
    /// <summary>
    /// A page: the component inside the layout, or with nothing but its title when htmx asked. Responses vary by
    /// <c>HX-Request</c> and are not stored by caches.
    /// </summary>
    /// <param name="title">The document's title, without the product's name.</param>
    /// <param name="parameters">The component's parameters.</param>
    /// <param name="statusCode">Status of the response.</param>
    public static IResult Page<TComponent>(
        string title, IReadOnlyDictionary<string, object?>? parameters = null, int statusCode = StatusCodes.Status200OK)
        where TComponent : IComponent => new PageResult(typeof(TComponent), title, parameters, statusCode);

    /// <summary>A component alone, whoever asks.</summary>
    public static IResult Fragment<TComponent>(
        IReadOnlyDictionary<string, object?>? parameters = null, int statusCode = StatusCodes.Status200OK)
        where TComponent : IComponent =>
        new RazorComponentResult(typeof(TComponent), parameters ?? new Dictionary<string, object?>())
        {
            StatusCode = statusCode,
            PreventStreamingRendering = true,
        };

    private sealed class PageResult(
        Type component, string title, IReadOnlyDictionary<string, object?>? parameters, int statusCode) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            var headers = httpContext.Response.Headers;
            headers.Append("Vary", "HX-Request");
            headers.CacheControl = "no-cache, no-store";
            var content = parameters ?? new Dictionary<string, object?>();
            var frame = httpContext.Request.WantsFragment()
                ? typeof(PageFragment)
                : httpContext.RequestServices.GetRequiredService<PageLayout>().Component;
            var result = new RazorComponentResult(
                frame, new Dictionary<string, object?> { ["Title"] = title, ["ChildContent"] = Body(content) });
            result.StatusCode = statusCode;
            result.PreventStreamingRendering = true;
            return result.ExecuteAsync(httpContext);
        }

        private RenderFragment Body(IReadOnlyDictionary<string, object?> content) => builder =>
        {
            builder.OpenComponent(0, component);
            foreach (var (name, value) in content)
                builder.AddComponentParameter(1, name, value);
            builder.CloseComponent();
        };
    }
}
