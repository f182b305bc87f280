using System.Text.RegularExpressions;
using System.Xml.Linq;
using SevenX42.Testing;

namespace SevenX42.Deployment.Tests;

/// <summary>What the application is, read from itself: manifests that say something else have drifted.</summary>
internal static partial class ApplicationFacts
{
    /// <summary>The framework's own, which the README's table leaves out.</summary>
    private static readonly HashSet<string> OfTheFramework = ["shutdownTimeoutSeconds", "ASPNETCORE_HTTP_PORTS"];

    /// <summary>Keys of the README's table, which a test of the Host's holds to what is read; <c>N</c> for the numbers of lists.</summary>
    public static IReadOnlySet<string> ConfigurationKeys { get; } = ReadKeys();

    /// <summary>Names under which Prometheus finds the application's metrics.</summary>
    public static IReadOnlySet<string> Metrics { get; } = ReadMetrics();

    /// <summary>The release that is built.</summary>
    public static string Version { get; } =
        XDocument.Load(Path.Combine(Repository.Root, "Directory.Build.props")).Descendants("Version").Single().Value;

    /// <summary>The image's instructions.</summary>
    public static string Dockerfile { get; } = File.ReadAllText(Path.Combine(Repository.Root, "docker", "Dockerfile"));

    /// <summary>The port of an address that the image's environment says is listened on.</summary>
    public static int ImagePort(string variable)
    {
        var variables = Dockerfile.Split('\n').Single(l => l.StartsWith("ENV ", StringComparison.Ordinal))[4..].Split(' ').Select(v => v.Split('=')).ToList();
        Assert.All(variables, v => Assert.True(Reads(v[0]), $"Nobody reads {v[0]}."));
        return int.Parse(variables.Single(v => v[0] == variable)[1].Split(':')[^1], System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>Whether the application reads an environment variable of this name.</summary>
    public static bool Reads(string variable) =>
        OfTheFramework.Contains(variable) || ConfigurationKeys.Contains(Number().Replace(variable.Replace("__", ":", StringComparison.Ordinal), ":N"));

    private static HashSet<string> ReadKeys()
    {
        var readme = File.ReadAllText(Path.Combine(Repository.Root, "README.md"));
        var chapter = readme[readme.IndexOf("## Configuration", StringComparison.Ordinal)..];
        chapter = chapter[..chapter.IndexOf("\n## ", 1, StringComparison.Ordinal)];
        var keys = chapter.Split('\n').Where(l => l.StartsWith("| `", StringComparison.Ordinal))
            .SelectMany(l => Code().Matches(l.Split('|')[1]).Select(m => m.Groups[1].Value))
            .ToHashSet(StringComparer.OrdinalIgnoreCase);
        Assert.True(keys.Count > 50, $"The table has only {keys.Count} keys.");
        return keys;
    }

    private static HashSet<string> ReadMetrics()
    {
        HashSet<string> names = [];
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.cs", SearchOption.AllDirectories))
        {
            foreach (Match match in Instrument().Matches(File.ReadAllText(file)))
            {
                var name = match.Groups["name"].Value.Replace('.', '_') + match.Groups["unit"].Value switch { "s" => "_seconds", "By" => "_bytes", _ => "" };
                names.UnionWith(match.Groups["kind"].Value switch
                {
                    "Counter" => [name + "_total"],
                    "Histogram" => [name + "_bucket", name + "_sum", name + "_count"],
                    _ => [name],
                });
            }
        }

        Assert.True(names.Count > 15, $"Only {names.Count} metrics were found.");
        return names;
    }

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Code();

    [GeneratedRegex(@":\d+(?=:|$)")]
    private static partial Regex Number();

    [GeneratedRegex("""Create(?<kind>Counter|Histogram|UpDownCounter|ObservableGauge)(<\w+>)?\(\s*"(?<name>sevenx42\.[a-z_.]+)"(,\s*"(?<unit>\w+)")?""")]
    private static partial Regex Instrument();
}
