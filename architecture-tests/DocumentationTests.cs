using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using SevenX42.ArchitectureTests.Subjects;

namespace SevenX42.ArchitectureTests;

/// <summary>What others build on is documented: contracts, abstractions and building blocks.</summary>
internal static class DocumentationRules
{
    /// <summary>With this the compiler refuses a public member without a comment.</summary>
    public static Verdict SharedProjectsAreDocumented(IEnumerable<ProjectFile> projects) => Verdict.On(
        projects.Where(p => p.IsContracts || (p.IsBuildingBlock && p.Name.StartsWith("SevenX42.", StringComparison.Ordinal))),
        p => p.Property("GenerateDocumentationFile") == "true" ? [] : [$"{p.Name}: does not ask the compiler for documentation"]);

    /// <summary>What the compiler does not ask for: every parameter of a record is a member that somebody reads.</summary>
    public static Verdict RecordsParametersAreDocumented(IEnumerable<SourceFile> sources) => Verdict.On(
        sources.SelectMany(file => CSharpSyntaxTree.ParseText(file.Text, new CSharpParseOptions(documentationMode: DocumentationMode.Parse))
            .GetCompilationUnitRoot().DescendantNodes().OfType<RecordDeclarationSyntax>()
            .Where(r => r.Modifiers.Any(SyntaxKind.PublicKeyword) && r.ParameterList is not null)),
        record =>
        {
            var documented = record.GetLeadingTrivia().Select(t => t.GetStructure()).OfType<DocumentationCommentTriviaSyntax>()
                .SelectMany(d => d.DescendantNodes().OfType<XmlNameAttributeSyntax>())
                .Select(a => a.Identifier.Identifier.ValueText).ToHashSet(StringComparer.Ordinal);
            return record.ParameterList!.Parameters.Select(p => p.Identifier.ValueText)
                .Where(name => !documented.Contains(name))
                .Select(name => $"{record.Identifier.ValueText}: does not say what {name} is");
        });
}

public sealed class DocumentationTests
{
    [Fact]
    public void What_modules_share_is_documented()
    {
        DocumentationRules.SharedProjectsAreDocumented(Repository.Projects).Holds(atLeast: 6);
        DocumentationRules.RecordsParametersAreDocumented(
            [.. Repository.Sources("src/BuildingBlocks/SevenX42."), .. Repository.Sources("src/Modules/").Where(f => f.Path.Contains("SevenX42.Contracts.", StringComparison.Ordinal))])
            .Holds(atLeast: 15);
    }

    [Fact]
    public void Undocumented_contracts_are_caught()
    {
        DocumentationRules.SharedProjectsAreDocumented(
        [
            new("src/Modules/A/SevenX42.Contracts.A/SevenX42.Contracts.A.csproj", "<Project />"),
            new("src/Modules/B/SevenX42.Contracts.B/SevenX42.Contracts.B.csproj", "<Project><PropertyGroup><GenerateDocumentationFile>true</GenerateDocumentationFile></PropertyGroup></Project>"),
        ]).Catches("SevenX42.Contracts.A");
        DocumentationRules.RecordsParametersAreDocumented(
        [
            new("A.cs", """
                /// <summary>Something.</summary>
                /// <param name="Id">Its id.</param>
                public sealed record Half(Guid Id, string Name);
                /// <summary>Something.</summary>
                /// <param name="Id">Its id.</param>
                public sealed record Whole(Guid Id);
                internal sealed record Own(Guid Id);
                """),
        ]).Catches("Half");
    }
}
