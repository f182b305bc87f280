namespace SevenX42.Ui;

/// <summary>How the product calls itself on its pages.</summary>
public static class Product
{
    /// <summary>Name of the product as people read it.</summary>
    public const string Name = "7x42";

    /// <summary>What stands in the browser's tab for a page with this title of its own.</summary>
    public static string DocumentTitle(string page) => page.Length == 0 ? Name : $"{page} · {Name}";
}
