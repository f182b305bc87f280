using System.Diagnostics.CodeAnalysis;

namespace SevenX42.Modules.Identity.Domain;

/// <summary>Where to go after signing in: a page of this site and of no other, whatever a link said.</summary>
internal static class LocalUrl
{
    public const string Home = "/";

    public static string OrHome(string? url) => IsLocal(url) ? url : Home;

    // Browsers drop tabs and line breaks and take a backslash for a slash, so "/\evil" and "/\t/evil" leave the site.
    public static bool IsLocal([NotNullWhen(true)] string? url) =>
        url is ['/', ..]
        && url is not ['/', '/' or '\\', ..]
        && url.Length <= 2048
        && !url.Any(c => char.IsControl(c) || c == '\\');
}
