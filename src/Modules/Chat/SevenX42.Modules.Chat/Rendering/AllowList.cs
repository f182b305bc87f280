using AngleSharp.Dom;
using Ganss.Xss;

namespace SevenX42.Modules.Chat.Rendering;

/// <summary>
/// What HTML of an answer may hold. htmx and Alpine are script gadgets: an attribute of theirs in content would run, so
/// attributes are allowed by name and classes by value; everything else goes.
/// </summary>
internal static class AllowList
{
    private static readonly string[] Tags =
    [
        "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "em", "strong", "del", "a", "br", "hr",
        "table", "thead", "tbody", "tr", "th", "td", "div", "span", "button",
    ];

    private static readonly string[] Attributes =
        ["href", "rel", "target", "class", "start", "type", "data-copy", "aria-label", "role", "tabindex"];

    private static readonly string[] Classes =
    [
        "md-code", "md-code-head", "md-table", "md-task", "md-done", "md-center", "md-right", "contains-task-list", "task-list-item",
        .. CodeHighlighter.Classes,
    ];

    public static HtmlSanitizer Create()
    {
        var sanitizer = new HtmlSanitizer(new HtmlSanitizerOptions
        {
            AllowedTags = Set(Tags),
            AllowedAttributes = Set(Attributes),
            AllowedSchemes = Set(["http", "https", "mailto"]),
            UriAttributes = Set(["href"]),
            AllowedCssProperties = Set([]),
        })
        {
            AllowDataAttributes = false,
            KeepChildNodes = true,
        };
        foreach (var css in Classes)
            sanitizer.AllowedClasses.Add(css);
        sanitizer.RemovingAttribute += KeepAlignmentAsClass;
        return sanitizer;

        static HashSet<string> Set(string[] values) => new(values, StringComparer.OrdinalIgnoreCase);
    }

    // Inline style is forbidden by the page's policy; a table cell's alignment lives on as a class.
    private static void KeepAlignmentAsClass(object? sender, RemovingAttributeEventArgs e)
    {
        if (e.Tag.LocalName is not ("td" or "th") || e.Attribute.Name != "style")
            return;
        if (e.Attribute.Value.Contains("center", StringComparison.Ordinal))
            e.Tag.ClassList.Add("md-center");
        else if (e.Attribute.Value.Contains("right", StringComparison.Ordinal))
            e.Tag.ClassList.Add("md-right");
    }
}
