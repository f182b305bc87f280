using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace SevenX42.ArchitectureTests.Subjects;

/// <summary>Compiles planted offenders, against everything the product itself is compiled against.</summary>
internal static class Offender
{
    private const string Usings = """
        global using System;
        global using System.Collections.Generic;
        global using System.Linq;
        global using System.Threading;
        global using System.Threading.Tasks;
        """;

    private static readonly Lazy<IReadOnlyList<MetadataReference>> References = new(() =>
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Select(path => MetadataReference.CreateFromFile(path)),
    ]);

    private static readonly string Directory = System.IO.Directory.CreateTempSubdirectory("7x42-offenders-").FullName;

    static Offender() => AppDomain.CurrentDomain.ProcessExit += (_, _) => System.IO.Directory.Delete(Directory, recursive: true);

    /// <summary>A module of the name Planted: assembly <c>SevenX42.Modules.Planted</c>.</summary>
    public static Binary Module(string code) => Compile("SevenX42.Modules.Planted", code);

    /// <summary>A contracts assembly: <c>SevenX42.Contracts.Planted</c>.</summary>
    public static Binary Contracts(string code) => Compile("SevenX42.Contracts.Planted", code);

    public static Binary Compile(string assembly, string code)
    {
        var options = new CSharpParseOptions(LanguageVersion.Preview);
        var compilation = CSharpCompilation.Create(
            assembly,
            [CSharpSyntaxTree.ParseText(Usings, options), CSharpSyntaxTree.ParseText(code, options)],
            References.Value,
            new CSharpCompilationOptions(
                OutputKind.DynamicallyLinkedLibrary, optimizationLevel: OptimizationLevel.Release, nullableContextOptions: NullableContextOptions.Enable));
        var folder = System.IO.Directory.CreateDirectory(Path.Combine(Directory, Path.GetRandomFileName()));
        var path = Path.Combine(folder.FullName, assembly + ".dll");
        var result = compilation.Emit(path);
        Assert.True(result.Success, string.Join(Environment.NewLine, result.Diagnostics.Where(d => d.Severity == DiagnosticSeverity.Error)));
        return new Binary(path);
    }
}
