using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using SevenX42.ArchitectureTests.Subjects;

namespace SevenX42.ArchitectureTests;

/// <summary>
/// A slice is one file: request, validator, handler and endpoint of one use case, in that order, under its name.
/// Compiled code no longer knows files, so this reads the source.
/// </summary>
internal static partial class SliceRules
{
    private enum Part
    {
        Request,
        Validator,
        Handler,
        Endpoint,
    }

    /// <summary>Requests, validators, handlers and endpoints stand in a file that is named as their use case.</summary>
    public static Verdict PartsStandInTheirUseCasesFile(IEnumerable<SourceFile> sources) => Verdict.On(
        sources.SelectMany(file => Parts(file).Select(part => (File: file, Part: part))),
        found => found.Part.UseCase == found.File.Name ? [] : [$"{found.File.Path}: {found.Part.Name} belongs into {found.Part.UseCase}.cs"]);

    public static Verdict SlicesReadFromTopToBottom(IEnumerable<SourceFile> sources) => Verdict.On(
        sources.Select(file => (File: file, Parts: Parts(file).ToList())).Where(slice => slice.Parts.Count > 0),
        slice =>
        {
            var order = slice.Parts.Select(p => p.Part).ToList();
            var problems = new List<string>();
            if (!order.SequenceEqual(order.Order()))
                problems.Add($"{slice.File.Path}: has to read request, validator, handler, endpoint");
            if (order.Distinct().Count() != order.Count)
                problems.Add($"{slice.File.Path}: holds more than one request, validator, handler or endpoint");
            if (order.Contains(Part.Request) != order.Contains(Part.Handler))
                problems.Add($"{slice.File.Path}: holds a request or its handler, and not both");
            return problems;
        });

    public static Verdict SlicesStandInFeatures(IEnumerable<SourceFile> sources) => Verdict.On(
        sources.Where(file => Parts(file).Any()),
        file => Feature().IsMatch(file.Path) ? [] : [$"{file.Path}: is a use case outside Features/<Area>"]);

    /// <summary>A folder per kind of class would spread one use case over all of them.</summary>
    public static Verdict NoFolderIsNamedAfterAKindOfClass(IEnumerable<string> files) => Verdict.On(
        files.Where(f => f.StartsWith("src/", StringComparison.Ordinal)),
        file => file.Split('/')[..^1].Where(Kinds.Contains).Select(folder => $"{file}: stands in the folder {folder}"));

    private static readonly HashSet<string> Kinds = new(StringComparer.OrdinalIgnoreCase)
    {
        "Commands", "Queries", "Requests", "Handlers", "Validators", "Endpoints", "Controllers", "Services", "Repositories", "Interfaces",
        "Models", "Dtos", "Mappers", "Helpers", "Utils", "Common", "Shared", "Managers", "Extensions",
    };

    private static IEnumerable<(Part Part, string Name, string UseCase)> Parts(SourceFile file)
    {
        var types = CSharpSyntaxTree.ParseText(file.Text).GetCompilationUnitRoot().DescendantNodes().OfType<TypeDeclarationSyntax>();
        foreach (var type in types.Where(t => t is ClassDeclarationSyntax or RecordDeclarationSyntax))
        {
            var name = type.Identifier.ValueText;
            foreach (var parent in (type.BaseList?.Types ?? []).Select(t => t.Type))
            {
                if (Marker().IsMatch(parent.ToString()))
                    yield return (Part.Request, name, name);
                if (parent is GenericNameSyntax { Identifier.ValueText: "AbstractValidator" } validator && type.Parent is not TypeDeclarationSyntax)
                    yield return (Part.Validator, name, Argument(validator));
                if (parent is GenericNameSyntax { Identifier.ValueText: "IRequestHandler" } handler)
                    yield return (Part.Handler, name, Argument(handler));
            }

            if (name.EndsWith("Endpoint", StringComparison.Ordinal) && type is ClassDeclarationSyntax)
                yield return (Part.Endpoint, name, name[..^"Endpoint".Length]);
        }
    }

    private static string Argument(GenericNameSyntax generic) => generic.TypeArgumentList.Arguments[0].ToString().Split('.')[^1];

    [GeneratedRegex(@"^I[A-Z]\w*(Command|Query)(<.+>)?$|^(MediatR\.)?IRequest(<.+>)?$")]
    private static partial Regex Marker();

    [GeneratedRegex(@"^src/Modules/\w+/SevenX42\.Modules\.\w+/Features/\w+/\w+\.cs$")]
    private static partial Regex Feature();
}

public sealed class SliceTests
{
    private const string Send = "src/Modules/A/SevenX42.Modules.A/Features/Messages/Send.cs";

    private const string Slice = """
        internal sealed record Send(string Text) : IACommand<Guid>;
        internal sealed class SendValidator : AbstractValidator<Send>;
        internal sealed class SendHandler : IRequestHandler<Send, Result<Guid>>;
        internal static class SendEndpoint;
        """;

    private static readonly SourceFile[] Modules = [.. Repository.Sources("src/Modules/")];

    [Fact]
    public void Request_validator_handler_and_endpoint_stand_in_one_file_named_as_the_use_case() =>
        SliceRules.PartsStandInTheirUseCasesFile(Modules).Holds(atLeast: 3);

    [Fact]
    public void A_part_in_another_file_is_caught() => SliceRules.PartsStandInTheirUseCasesFile(
    [
        new(Send, Slice),
        new("Features/Messages/SendHandler.cs", "internal sealed class SendHandler : IRequestHandler<Send, Result>;"),
        new("Features/Messages/Validation.cs", "internal sealed class SendValidator : AbstractValidator<Send>;"),
        new("Features/Messages/Requests.cs", "internal sealed record Edit(string Text) : IACommand;"),
        new("Features/Messages/Routes.cs", "internal static class SendEndpoint;"),
    ]).Catches("Features/Messages/SendHandler.cs", "Features/Messages/Validation.cs", "Features/Messages/Requests.cs", "Features/Messages/Routes.cs");

    [Fact]
    public void A_slice_reads_request_validator_handler_endpoint() => SliceRules.SlicesReadFromTopToBottom(Modules).Holds();

    [Fact]
    public void A_slice_out_of_order_doubled_or_incomplete_is_caught() => SliceRules.SlicesReadFromTopToBottom(
    [
        new(Send, Slice),
        new("Upside.cs", string.Join('\n', Slice.Split('\n').Reverse())),
        new("Twice.cs", "internal sealed record A : IACommand; internal sealed record B : IACommand; sealed class H : IRequestHandler<A, Result>;"),
        new("Half.cs", "internal sealed record A : IACommand;"),
        new("NoSlice.cs", "internal sealed class Conversation;"),
    ]).Catches("Upside.cs", "Twice.cs", "Half.cs");

    [Fact]
    public void Use_cases_stand_in_features() => SliceRules.SlicesStandInFeatures(Modules).Holds();

    [Fact]
    public void A_use_case_outside_features_is_caught() => SliceRules.SlicesStandInFeatures(
        [new(Send, Slice), new("src/Modules/A/SevenX42.Modules.A/Infrastructure/Send.cs", Slice)])
        .Catches("src/Modules/A/SevenX42.Modules.A/Infrastructure/Send.cs");

    [Fact]
    public void No_folder_is_named_after_a_kind_of_class() => SliceRules.NoFolderIsNamedAfterAKindOfClass(Repository.Files).Holds(atLeast: 60);

    [Fact]
    public void A_folder_of_handlers_is_caught() => SliceRules.NoFolderIsNamedAfterAKindOfClass(
        ["src/Modules/A/Handlers/Send.cs", "src/Modules/A/Features/Send.cs"]).Catches("src/Modules/A/Handlers/Send.cs");
}
