using Mono.Cecil;
using Mono.Cecil.Cil;
using SevenX42.ArchitectureTests.Subjects;

namespace SevenX42.ArchitectureTests;

/// <summary>The Host composes: it reads as a table of contents and finds nothing by scanning.</summary>
internal static class HostRules
{
    private const int TableOfContents = 80;

    public static Verdict TheProgramIsShort(SourceFile program) => Verdict.On(
        [program], p => p.Text.Split('\n').Length <= TableOfContents ? [] : [$"{p.Path}: has more than {TableOfContents} lines"]);

    public static Verdict EveryModuleIsListedOnce(Binary host, IEnumerable<string> modules)
    {
        var made = host.Types.SelectMany(t => t.AllMethods()).SelectMany(m => m.Instructions())
            .Where(i => i.OpCode == OpCodes.Newobj)
            .Select(i => ((MethodReference)i.Operand).DeclaringType.FullName)
            .ToList();
        return Verdict.On(
            modules.Select(m => $"SevenX42.Modules.{m}.{m}Module"),
            module => made.Count(m => m == module) == 1 ? [] : [$"{module}: is listed {made.Count(m => m == module)} times"]);
    }

    /// <summary>Registration by reflection is registration that no reader can follow.</summary>
    public static Verdict NobodyScansAssemblies(IEnumerable<Binary> assemblies)
    {
        string[] scans =
        [
            "System.AppDomain::GetAssemblies", "System.Reflection.Assembly::GetTypes", "System.Reflection.Assembly::GetExportedTypes",
            "System.Reflection.Assembly::get_DefinedTypes", "System.Reflection.Assembly::LoadFrom", "System.Reflection.Assembly::LoadFile",
        ];
        return Verdict.On(assemblies.SelectMany(a => a.Types), type => type.Calls()
            .Select(call => $"{call.DeclaringType.FullName}::{call.Name}")
            .Where(scans.Contains)
            .Select(call => $"{type.Display()}: calls {call}"));
    }
}

public sealed class HostTests
{
    [Fact]
    public void The_program_reads_as_a_table_of_contents() => HostRules.TheProgramIsShort(Repository.Read("src/Host/Program.cs")).Holds();

    [Fact]
    public void A_long_program_is_caught() => HostRules.TheProgramIsShort(new("Program.cs", new string('\n', 80))).Catches("Program.cs");

    [Fact]
    public void The_host_lists_every_module_once() => HostRules.EveryModuleIsListedOnce(Product.Host, Repository.Modules).Holds(atLeast: 4);

    [Fact]
    public void A_module_that_is_missing_or_listed_twice_is_caught() => HostRules.EveryModuleIsListedOnce(
        Offender.Compile("SevenX42.Host", """
            using SevenX42.Modules.Chat;
            using SevenX42.Modules.Media;
            static class List { static readonly SevenX42.IModule[] Modules = [new ChatModule(), new MediaModule(), new ChatModule()]; }
            """),
        ["Chat", "Media", "Identity"]).Catches("SevenX42.Modules.Chat.ChatModule", "SevenX42.Modules.Identity.IdentityModule");

    [Fact]
    public void Nobody_scans_assemblies() => HostRules.NobodyScansAssemblies(Product.All).Holds(atLeast: 60);

    [Fact]
    public void A_scan_is_caught() => HostRules.NobodyScansAssemblies(
        [Offender.Module("class Scans { public object All => AppDomain.CurrentDomain.GetAssemblies().SelectMany(a => a.GetTypes()); } class Plain;")]).Catches("Scans");
}
