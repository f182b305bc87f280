using System.Xml.Linq;

namespace SevenX42.ArchitectureTests.Subjects;

/// <summary>A text file of the repository, by its path from the root with forward slashes.</summary>
internal sealed record SourceFile(string Path, string Text)
{
    public string Name => System.IO.Path.GetFileNameWithoutExtension(Path);
}

/// <summary>A project file.</summary>
internal sealed record ProjectFile(string Path, XDocument Xml)
{
    public ProjectFile(string path, string xml)
        : this(path, XDocument.Parse(xml))
    {
    }

    public string Name => System.IO.Path.GetFileNameWithoutExtension(Path);

    /// <summary>The module this project belongs to, or null.</summary>
    public string? Module => Path.Split('/') is ["src", "Modules", var module, ..] ? module : null;

    public bool IsContracts => Name.StartsWith("SevenX42.Contracts.", StringComparison.Ordinal);

    public bool IsModule => Name.StartsWith("SevenX42.Modules.", StringComparison.Ordinal) && !IsTest;

    public bool IsBuildingBlock => Path.StartsWith("src/BuildingBlocks/", StringComparison.Ordinal);

    public bool IsTest => Path.StartsWith("tests/", StringComparison.Ordinal) || Path.StartsWith("architecture-tests/", StringComparison.Ordinal);

    /// <summary>Names of the referenced projects.</summary>
    public IEnumerable<string> References => Items("ProjectReference").Select(
        include => System.IO.Path.GetFileNameWithoutExtension(include.Replace('\\', '/')));

    public IEnumerable<string> Packages => Items("PackageReference");

    public IEnumerable<string> Items(string kind) =>
        Xml.Descendants(kind).Select(item => (string?)item.Attribute("Include")).OfType<string>();

    public string? Property(string name) => Xml.Descendants(name).LastOrDefault()?.Value;
}

/// <summary>The repository's files, as the developer sees them.</summary>
internal static class Repository
{
    private static readonly string[] Excluded =
        ["bin", "obj", "node_modules", ".git", ".data", "wwwroot", "artifacts", "TestResults", ".vs", ".idea", ".vscode"];

    public static string Root { get; } = FindRoot();

    /// <summary>Paths from the root, with forward slashes, without what the build makes.</summary>
    public static IReadOnlyList<string> Files { get; } =
        [.. Enumerate(new DirectoryInfo(Root)).Select(file => Path.GetRelativePath(Root, file).Replace('\\', '/')).Order(StringComparer.Ordinal)];

    public static IReadOnlyList<ProjectFile> Projects { get; } =
        [.. Files.Where(f => f.EndsWith(".csproj", StringComparison.Ordinal)).Select(f => new ProjectFile(f, Read(f).Text))];

    /// <summary>Names of the modules: the folders of <c>src/Modules</c>.</summary>
    public static IReadOnlyList<string> Modules { get; } = [.. Projects.Select(p => p.Module).OfType<string>().Distinct()];

    public static SourceFile Read(string path) => new(path, File.ReadAllText(Path.Combine(Root, path)));

    public static IEnumerable<SourceFile> Sources(string under, string extension = ".cs") => Files
        .Where(f => f.StartsWith(under, StringComparison.Ordinal) && f.EndsWith(extension, StringComparison.Ordinal))
        .Select(Read);

    private static IEnumerable<string> Enumerate(DirectoryInfo directory)
    {
        foreach (var file in directory.EnumerateFiles().Where(f => f.Name != ".git"))
            yield return file.FullName;
        foreach (var child in directory.EnumerateDirectories().Where(d => !Excluded.Contains(d.Name, StringComparer.Ordinal)))
        {
            foreach (var file in Enumerate(child))
                yield return file;
        }
    }

    private static string FindRoot()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "Monolith.sln")))
                return directory.FullName;
        }

        throw new DirectoryNotFoundException("The tests run outside the repository.");
    }
}
