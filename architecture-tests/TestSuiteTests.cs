using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using SevenX42.ArchitectureTests.Subjects;

namespace SevenX42.ArchitectureTests;

/// <summary>Tests tell behaviour, and all of them run.</summary>
internal static partial class TestSuiteRules
{
    public static Verdict TestsAreNamedAsSentences(IEnumerable<SourceFile> sources) => Verdict.On(
        Tests(sources), test => Sentence().IsMatch(test.Name) ? [] : [$"{test.Name}: does not tell a behaviour ({test.Path})"]);

    public static Verdict NoTestIsSkipped(IEnumerable<SourceFile> sources) => Verdict.On(
        Tests(sources), test => test.Attribute.Contains("Skip", StringComparison.Ordinal) ? [$"{test.Name}: is skipped ({test.Path})"] : []);

    private static IEnumerable<(string Path, string Name, string Attribute)> Tests(IEnumerable<SourceFile> sources) => sources.SelectMany(file =>
        CSharpSyntaxTree.ParseText(file.Text).GetCompilationUnitRoot().DescendantNodes().OfType<MethodDeclarationSyntax>()
            .SelectMany(m => m.AttributeLists.SelectMany(l => l.Attributes)
                .Where(a => a.Name.ToString() is "Fact" or "Theory")
                .Select(a => (file.Path, m.Identifier.ValueText, a.ToString()))));

    [GeneratedRegex("^[A-Z][A-Za-z0-9]*(_[A-Za-z0-9]+)+$")]
    private static partial Regex Sentence();
}

public sealed class TestSuiteTests
{
    private static readonly SourceFile[] All = [.. Repository.Sources("tests/"), .. Repository.Sources("architecture-tests/")];

    private static readonly SourceFile Planted = new("A.cs", """
        class A
        {
            [Fact] public void Editing_a_message_keeps_the_old_branch() { }
            [Fact] public void TestEdit() { }
            [Theory(Skip = "later")] public void Deleting_a_message_works() { }
            public void NoTest() { }
        }
        """);

    [Fact]
    public void Tests_are_named_as_sentences() => TestSuiteRules.TestsAreNamedAsSentences(All).Holds(atLeast: 90);

    [Fact]
    public void A_test_that_tells_no_behaviour_is_caught() => TestSuiteRules.TestsAreNamedAsSentences([Planted]).Catches("TestEdit");

    [Fact]
    public void No_test_is_skipped() => TestSuiteRules.NoTestIsSkipped(All).Holds(atLeast: 90);

    [Fact]
    public void A_skipped_test_is_caught() => TestSuiteRules.NoTestIsSkipped([Planted]).Catches("Deleting_a_message_works");
}
