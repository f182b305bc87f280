using System.Text.RegularExpressions;
using SevenX42.ArchitectureTests.Subjects;

namespace SevenX42.ArchitectureTests;

/// <summary>Where things stand and what they are called.</summary>
internal static partial class LayoutRules
{
    public static Verdict TopLevelIsFixed(IEnumerable<string> files) => Verdict.On(
        files.Select(f => f.Split('/')[0]).Distinct(),
        top => TopLevel.Contains(top) ? [] : [$"{top}: is none of the repository's top-level names"]);

    public static Verdict ProjectsStandInTheirPlace(IEnumerable<ProjectFile> projects) => Verdict.On(
        projects, p => Place().IsMatch(p.Path) ? [] : [$"{p.Name}: has no place at {p.Path}"]);

    /// <summary>A module is a contracts project, a module project and a test project: no more, no less.</summary>
    public static Verdict ModulesHaveTheirThreeProjects(IReadOnlyCollection<ProjectFile> projects) => Verdict.On(
        projects.Select(p => p.Module).OfType<string>().Distinct(),
        module =>
        {
            string[] expected = [$"SevenX42.Contracts.{module}", $"SevenX42.Modules.{module}", $"SevenX42.Modules.{module}.Tests"];
            var actual = projects.Where(p => p.Module == module || p.Name == $"SevenX42.Modules.{module}.Tests").Select(p => p.Name).ToList();
            return expected.Except(actual).Select(missing => $"{module}: lacks {missing}")
                .Concat(actual.Except(expected).Select(extra => $"{module}: has {extra} besides"));
        });

    public static Verdict SolutionHoldsEveryProject(IEnumerable<ProjectFile> projects, string solution)
    {
        var listed = SolutionEntry().Matches(solution).Select(m => m.Groups[1].Value.Replace('\\', '/')).ToHashSet(StringComparer.Ordinal);
        return Verdict.On(projects, p => listed.Contains(p.Path) ? [] : [$"{p.Name}: is not in the solution"]);
    }

    public static Verdict EveryProjectIsLocked(IEnumerable<ProjectFile> projects, IReadOnlyCollection<string> files) => Verdict.On(
        projects,
        p => files.Contains(p.Path[..(p.Path.LastIndexOf('/') + 1)] + "packages.lock.json") ? [] : [$"{p.Name}: has no packages.lock.json"]);

    public static Verdict VersionsAreCentral(IEnumerable<ProjectFile> projects) => Verdict.On(
        projects,
        p => p.Xml.Descendants("PackageReference")
            .Where(r => r.Attribute("Version") is not null || r.Attribute("VersionOverride") is not null)
            .Select(r => $"{p.Name}: versions {(string?)r.Attribute("Include")} by itself"));

    /// <summary>A project does not opt out of what the repository's props demand of all.</summary>
    public static Verdict NoProjectIsExcused(IEnumerable<ProjectFile> projects)
    {
        string[] demanded = ["Nullable", "TreatWarningsAsErrors", "AnalysisLevel", "TargetFramework", "LangVersion", "NoWarn", "WarningsNotAsErrors", "RunAnalyzers"];
        return Verdict.On(projects, p => demanded.Where(d => p.Property(d) is not null).Select(d => $"{p.Name}: sets {d} for itself"));
    }

    /// <summary>MediatR 13 and later need a commercial licence; an open range of Npgsql resolves to 11.</summary>
    public static Verdict VersionsStayInTheirLine(ProjectFile central)
    {
        (string Package, string Line)[] lines =
            [("MediatR", "12."), ("Npgsql", "10."), ("Npgsql.EntityFrameworkCore.PostgreSQL", "10."), ("Microsoft.EntityFrameworkCore", "10.")];
        var versions = central.Xml.Descendants("PackageVersion").ToDictionary(v => (string)v.Attribute("Include")!, v => (string)v.Attribute("Version")!);
        return Verdict.On(
            lines.Where(l => versions.ContainsKey(l.Package)),
            l => versions[l.Package].StartsWith(l.Line, StringComparison.Ordinal) ? [] : [$"{l.Package}: is {versions[l.Package]}, not {l.Line}x"]);
    }

    private static readonly HashSet<string> TopLevel = new(StringComparer.Ordinal)
    {
        "src", "tests", "architecture-tests", "docker", "k8s", "docs", ".ci", ".config", ".github",
        "Monolith.sln", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "Directory.Build.props", "Directory.Build.targets",
        "Directory.Packages.props", "BannedSymbols.txt", "global.json", "nuget.config", ".editorconfig", ".gitattributes", ".gitignore", ".dockerignore",
    };

    [GeneratedRegex("""
        ^( src/BuildingBlocks/(?<name>SevenX42\.(Abstractions|BuildingBlocks)|MediatR\.Contracts)/\k<name>
         | src/Modules/(?<module>[A-Z][A-Za-z]*)/(?<project>SevenX42\.(Contracts|Modules)\.\k<module>)/\k<project>
         | src/Host/SevenX42\.Host
         | tests/(?<test>SevenX42\.[A-Za-z.]+|Load)/[A-Za-z0-9.]+
         | tests/Load/[A-Za-z0-9.]+/[A-Za-z0-9.]+
         | architecture-tests/SevenX42\.ArchitectureTests )\.csproj$
        """, RegexOptions.IgnorePatternWhitespace | RegexOptions.ExplicitCapture)]
    private static partial Regex Place();

    [GeneratedRegex("""^Project\("[^"]+"\) = "[^"]+", "([^"]+\.csproj)",""", RegexOptions.Multiline)]
    private static partial Regex SolutionEntry();
}

public sealed class LayoutTests
{
    private static readonly ProjectFile Bare = new("src/Modules/A/SevenX42.Modules.A/SevenX42.Modules.A.csproj", "<Project />");

    [Fact]
    public void The_top_level_is_fixed() => LayoutRules.TopLevelIsFixed(Repository.Files).Holds(atLeast: 10);

    [Fact]
    public void A_new_top_level_folder_is_caught() => LayoutRules.TopLevelIsFixed(["src/A.cs", "lib/B.cs", "Shared.props"]).Catches("lib", "Shared.props");

    [Fact]
    public void Projects_stand_where_the_layout_puts_them() => LayoutRules.ProjectsStandInTheirPlace(Repository.Projects).Holds(atLeast: 19);

    [Theory]
    [InlineData("src/Modules/Chat/SevenX42.Modules.Chat.Domain/SevenX42.Modules.Chat.Domain.csproj")]
    [InlineData("src/Modules/Chat/SevenX42.Modules.Media/SevenX42.Modules.Media.csproj")]
    [InlineData("src/BuildingBlocks/SevenX42.Shared/SevenX42.Shared.csproj")]
    [InlineData("src/SevenX42.Worker/SevenX42.Worker.csproj")]
    [InlineData("architecture-tests/Fixtures/Fixtures.csproj")]
    public void A_project_in_the_wrong_place_is_caught(string path)
    {
        var planted = new ProjectFile(path, "<Project />");
        LayoutRules.ProjectsStandInTheirPlace([Bare, planted]).Catches(planted.Name);
    }

    [Fact]
    public void A_module_is_contracts_module_and_tests() => LayoutRules.ModulesHaveTheirThreeProjects(Repository.Projects).Holds(atLeast: 4);

    [Fact]
    public void A_module_without_tests_or_of_too_many_projects_is_caught() => LayoutRules.ModulesHaveTheirThreeProjects(
    [
        .. Complete("A"),
        .. Complete("B").SkipLast(1),
        .. Complete("C").Append(new("src/Modules/C/SevenX42.Modules.C.Domain/SevenX42.Modules.C.Domain.csproj", "<Project />")),
    ]).Catches("B", "C");

    [Fact]
    public void The_solution_holds_every_project() =>
        LayoutRules.SolutionHoldsEveryProject(Repository.Projects, Repository.Read("Monolith.sln").Text).Holds(atLeast: 19);

    [Fact]
    public void A_project_outside_the_solution_is_caught() => LayoutRules.SolutionHoldsEveryProject(
        [Bare, new("src/Host/SevenX42.Host.csproj", "<Project />")],
        """Project("{FAE0}") = "SevenX42.Host", "src\Host\SevenX42.Host.csproj", "{5DC8}" """).Catches("SevenX42.Modules.A");

    [Fact]
    public void Every_project_has_a_lock_file() => LayoutRules.EveryProjectIsLocked(Repository.Projects, Repository.Files.ToHashSet()).Holds(atLeast: 19);

    [Fact]
    public void A_project_without_a_lock_file_is_caught() => LayoutRules.EveryProjectIsLocked(
        [Bare, new("src/Host/SevenX42.Host.csproj", "<Project />")], ["src/Host/packages.lock.json"]).Catches("SevenX42.Modules.A");

    [Fact]
    public void Package_versions_are_central() => LayoutRules.VersionsAreCentral(Repository.Projects).Holds(atLeast: 19);

    [Fact]
    public void A_version_in_a_project_is_caught() => LayoutRules.VersionsAreCentral(
        [Bare, new("src/B.csproj", """<Project><PackageReference Include="X" VersionOverride="1.0" /></Project>""")]).Catches("B");

    [Fact]
    public void No_project_lowers_the_bar_for_itself() => LayoutRules.NoProjectIsExcused(Repository.Projects).Holds(atLeast: 19);

    [Fact]
    public void A_project_that_silences_warnings_is_caught() => LayoutRules.NoProjectIsExcused(
        [Bare, new("src/B.csproj", "<Project><PropertyGroup><NoWarn>CS8600</NoWarn></PropertyGroup></Project>")]).Catches("B");

    [Fact]
    public void Packages_stay_in_the_line_they_were_chosen_for() =>
        LayoutRules.VersionsStayInTheirLine(new("Directory.Packages.props", Repository.Read("Directory.Packages.props").Text)).Holds(atLeast: 4);

    [Fact]
    public void A_package_of_another_line_is_caught() => LayoutRules.VersionsStayInTheirLine(new(
        "Directory.Packages.props",
        """<Project><PackageVersion Include="MediatR" Version="13.0.0" /><PackageVersion Include="Npgsql" Version="10.0.3" /></Project>""")).Catches("MediatR");

    private static IEnumerable<ProjectFile> Complete(string module) =>
    [
        new($"src/Modules/{module}/SevenX42.Contracts.{module}/SevenX42.Contracts.{module}.csproj", "<Project />"),
        new($"src/Modules/{module}/SevenX42.Modules.{module}/SevenX42.Modules.{module}.csproj", "<Project />"),
        new($"tests/SevenX42.Modules.{module}.Tests/SevenX42.Modules.{module}.Tests.csproj", "<Project />"),
    ];
}
