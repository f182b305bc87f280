using SevenX42.ArchitectureTests.Subjects;

namespace SevenX42.ArchitectureTests;

/// <summary>Which project may know which, read from the project files: what is not referenced can't be used.</summary>
internal static class ProjectRules
{
    private const string Abstractions = "SevenX42.Abstractions";
    private const string BuildingBlocks = "SevenX42.BuildingBlocks";
    private const string MediatorContracts = "MediatR.Contracts";
    private const string Host = "SevenX42.Host";

    public static Verdict ModulesReferenceOnlyContracts(IEnumerable<ProjectFile> projects) =>
        Allowed(projects.Where(p => p.IsModule), r => r is Abstractions or BuildingBlocks || r.StartsWith("SevenX42.Contracts.", StringComparison.Ordinal));

    public static Verdict ContractsReferenceOnlyAbstractions(IEnumerable<ProjectFile> projects) =>
        Allowed(projects.Where(p => p.IsContracts), r => r is Abstractions);

    public static Verdict ContractsNeedNoPackages(IEnumerable<ProjectFile> projects) =>
        Verdict.On(projects.Where(p => p.IsContracts), p => p.Packages.Select(package => $"{p.Name}: needs the package {package}"));

    public static Verdict BuildingBlocksReferenceOnlyThemselves(IEnumerable<ProjectFile> projects) =>
        Allowed(projects.Where(p => p.IsBuildingBlock), r => r is Abstractions or MediatorContracts);

    public static Verdict NothingReferencesTheHost(IEnumerable<ProjectFile> projects) =>
        Allowed(projects.Where(p => !p.IsTest), r => r is not Host);

    public static Verdict NothingReferencesTests(IEnumerable<ProjectFile> projects, IReadOnlyCollection<string> tests) =>
        Allowed(projects.Where(p => !p.IsTest), r => !tests.Contains(r));

    public static Verdict InternalsAreShownToTestsOnly(IEnumerable<ProjectFile> projects, IReadOnlyCollection<string> tests) =>
        Verdict.On(
            projects.Where(p => p.Items("InternalsVisibleTo").Any()),
            p => p.Items("InternalsVisibleTo").Where(friend => !tests.Contains(friend)).Select(friend => $"{p.Name}: shows its internals to {friend}"));

    public static Verdict TestsReferenceOneModule(IEnumerable<ProjectFile> projects) => Verdict.On(
        projects.Where(p => p.Name.StartsWith("SevenX42.Modules.", StringComparison.Ordinal) && p.IsTest),
        p => p.References
            .Where(r => r.StartsWith("SevenX42.Modules.", StringComparison.Ordinal) && r + ".Tests" != p.Name)
            .Select(r => $"{p.Name}: references {r}"));

    private static Verdict Allowed(IEnumerable<ProjectFile> projects, Func<string, bool> allowed) =>
        Verdict.On(projects, p => p.References.Where(r => !allowed(r)).Select(r => $"{p.Name}: references {r}"));
}

public sealed class ProjectTests
{
    private static readonly string[] Tests = [.. Repository.Projects.Where(p => p.IsTest).Select(p => p.Name)];

    [Fact]
    public void Modules_reference_each_other_only_through_contracts() =>
        ProjectRules.ModulesReferenceOnlyContracts(Repository.Projects).Holds(atLeast: 4);

    [Fact]
    public void A_reference_from_module_to_module_is_caught() => ProjectRules.ModulesReferenceOnlyContracts(
    [
        Project("src/Modules/A/SevenX42.Modules.A", "../../B/SevenX42.Modules.B/SevenX42.Modules.B.csproj"),
        Project("src/Modules/B/SevenX42.Modules.B", "../../A/SevenX42.Contracts.A/SevenX42.Contracts.A.csproj"),
        Project("src/Modules/C/SevenX42.Modules.C", @"..\..\..\Host\SevenX42.Host.csproj"),
    ]).Catches("SevenX42.Modules.A", "SevenX42.Modules.C");

    [Fact]
    public void Contracts_reference_only_the_abstractions()
    {
        ProjectRules.ContractsReferenceOnlyAbstractions(Repository.Projects).Holds(atLeast: 4);
        ProjectRules.ContractsNeedNoPackages(Repository.Projects).Holds(atLeast: 4);
    }

    [Fact]
    public void Contracts_that_reference_a_module_building_blocks_or_a_package_are_caught()
    {
        ProjectFile[] planted =
        [
            Project("src/Modules/A/SevenX42.Contracts.A", "../SevenX42.Modules.A/SevenX42.Modules.A.csproj"),
            Project("src/Modules/B/SevenX42.Contracts.B", "../../../BuildingBlocks/SevenX42.BuildingBlocks/SevenX42.BuildingBlocks.csproj"),
            Project("src/Modules/C/SevenX42.Contracts.C", "../../../BuildingBlocks/SevenX42.Abstractions/SevenX42.Abstractions.csproj"),
            new("src/Modules/D/SevenX42.Contracts.D/SevenX42.Contracts.D.csproj", """<Project><ItemGroup><PackageReference Include="Npgsql" /></ItemGroup></Project>"""),
        ];
        ProjectRules.ContractsReferenceOnlyAbstractions(planted).Catches("SevenX42.Contracts.A", "SevenX42.Contracts.B");
        ProjectRules.ContractsNeedNoPackages(planted).Catches("SevenX42.Contracts.D");
    }

    [Fact]
    public void Building_blocks_reference_no_module() =>
        ProjectRules.BuildingBlocksReferenceOnlyThemselves(Repository.Projects).Holds(atLeast: 3);

    [Fact]
    public void A_building_block_that_references_contracts_is_caught() => ProjectRules.BuildingBlocksReferenceOnlyThemselves(
    [
        Project("src/BuildingBlocks/SevenX42.BuildingBlocks", "../../Modules/A/SevenX42.Contracts.A/SevenX42.Contracts.A.csproj"),
        Project("src/BuildingBlocks/SevenX42.Abstractions", "../MediatR.Contracts/MediatR.Contracts.csproj"),
    ]).Catches("SevenX42.BuildingBlocks");

    [Fact]
    public void Nothing_but_tests_references_the_host() => ProjectRules.NothingReferencesTheHost(Repository.Projects).Holds(atLeast: 12);

    [Fact]
    public void A_reference_to_the_host_is_caught() => ProjectRules.NothingReferencesTheHost(
    [
        Project("src/BuildingBlocks/SevenX42.BuildingBlocks", "../../Host/SevenX42.Host.csproj"),
        Project("tests/SevenX42.Testing", "../../src/Host/SevenX42.Host.csproj"),
    ]).Catches("SevenX42.BuildingBlocks");

    [Fact]
    public void The_product_references_no_test() => ProjectRules.NothingReferencesTests(Repository.Projects, Tests).Holds(atLeast: 12);

    [Fact]
    public void A_product_that_references_a_test_is_caught() => ProjectRules.NothingReferencesTests(
        [Project("src/Modules/A/SevenX42.Modules.A", "../../../../tests/SevenX42.Testing/SevenX42.Testing.csproj")], Tests)
        .Catches("SevenX42.Modules.A");

    [Fact]
    public void Internals_are_shown_to_tests_only() => ProjectRules.InternalsAreShownToTestsOnly(Repository.Projects, Tests).Holds(atLeast: 5);

    [Fact]
    public void Internals_shown_to_another_module_are_caught() => ProjectRules.InternalsAreShownToTestsOnly(
        [
            new("src/A.csproj", """<Project><ItemGroup><InternalsVisibleTo Include="SevenX42.Modules.B" /></ItemGroup></Project>"""),
            new("src/B.csproj", """<Project><ItemGroup><InternalsVisibleTo Include="SevenX42.ArchitectureTests" /></ItemGroup></Project>"""),
        ],
        Tests).Catches("A");

    [Fact]
    public void A_modules_tests_know_no_other_module() => ProjectRules.TestsReferenceOneModule(Repository.Projects).Holds(atLeast: 4);

    [Fact]
    public void Tests_that_reference_another_module_are_caught() => ProjectRules.TestsReferenceOneModule(
    [
        Project("tests/SevenX42.Modules.A.Tests", "../../src/Modules/B/SevenX42.Modules.B/SevenX42.Modules.B.csproj"),
        Project("tests/SevenX42.Modules.B.Tests", "../../src/Modules/B/SevenX42.Modules.B/SevenX42.Modules.B.csproj"),
    ]).Catches("SevenX42.Modules.A.Tests");

    private static ProjectFile Project(string folder, string reference) => new(
        $"{folder}/{folder.Split('/')[^1]}.csproj",
        $"""<Project><ItemGroup><ProjectReference Include="{reference}" /></ItemGroup></Project>""");
}
