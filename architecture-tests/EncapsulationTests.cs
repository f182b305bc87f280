using Mono.Cecil;
using SevenX42.ArchitectureTests.Subjects;

namespace SevenX42.ArchitectureTests;

/// <summary>Internal and sealed unless somebody outside needs it.</summary>
internal static class EncapsulationRules
{
    private const string Module = "SevenX42.IModule";
    private const string Component = "Microsoft.AspNetCore.Components.IComponent";
    private const string Migration = "Microsoft.EntityFrameworkCore.Migrations.Migration";
    private const string Snapshot = "Microsoft.EntityFrameworkCore.Infrastructure.ModelSnapshot";

    /// <summary>
    /// A module shows its installer, Razor components (which are always public), the view models these take, and the
    /// migrations, which a tool writes. NetArchTest takes a public type inside an internal one for public; we don't.
    /// </summary>
    public static Verdict ModulesShowLittle(IEnumerable<Binary> modules) => Verdict.On(
        modules.SelectMany(m => m.Types).Where(t => t.IsVisible()),
        type => IsInstaller(type) || IsComponent(type) || type.DerivesFrom(Migration) || IsViewModel(type)
            ? []
            : [$"{type.Display()}: is public, and neither installer, component, view model nor migration"]);

    public static Verdict ModulesHaveOneInstaller(IEnumerable<Binary> modules) => Verdict.On(modules, module =>
    {
        var installers = module.Types.Where(t => t.Implements(Module)).ToList();
        return installers is [var only] && only.FullName == $"{module.Name}.{module.Module}Module" && only.IsVisible()
            ? []
            : [$"{module.Name}: has to have one IModule, {module.Module}Module, and has {string.Join(", ", installers.Select(i => i.Name))}"];
    });

    /// <summary>View models go into views and nowhere else: what they say is fixed when they are made.</summary>
    public static Verdict ViewModelsAreRecords(IEnumerable<Binary> modules) => Verdict.On(
        modules.SelectMany(m => m.Types).Where(t => t.Name.EndsWith("Vm", StringComparison.Ordinal) && t.IsClass && !t.IsEnum),
        type => type.IsRecord() && type.IsSealed && !RequestRules.SettableMembers(type).Any() ? [] : [$"{type.Display()}: is no sealed immutable record"]);

    public static Verdict ClassesAreSealed(IEnumerable<Binary> assemblies)
    {
        var all = assemblies.ToList();
        // A class that another one of ours derives from is designed as a base.
        var bases = all.SelectMany(a => a.Types).Select(t => t.BaseType?.GetElementType().FullName).OfType<string>().ToHashSet(StringComparer.Ordinal);
        var verdicts = all.Select(assembly =>
        {
            var inspection = new Inspection(t => t.IsSealed || t.IsAbstract ? [] : ["is neither sealed nor anybody's base"]);
            assembly.NetArchTypes.That().AreClasses()
                .And().MeetCustomRule(new Selection(t =>
                    !t.IsGenerated() && !t.IsValueType && !IsComponent(t) && !t.DerivesFrom(Migration) && !t.DerivesFrom(Snapshot)
                    && !bases.Contains(t.FullName) && !t.Methods.Any(m => m.Name == "<Main>$")))
                .Should().MeetCustomRule(inspection).GetResult();
            return inspection.Verdict;
        }).ToList();
        return new Verdict(verdicts.Sum(v => v.Selected), [.. verdicts.SelectMany(v => v.Violations)]);
    }

    // The compiler turns _Imports.razor into a class of its own that is no component.
    private static bool IsComponent(TypeDefinition type) => type.Implements(Component) || type.Name == "_Imports";

    private static bool IsInstaller(TypeDefinition type) =>
        type.Implements(Module)
        || (type.IsStatic() && type.Methods.Where(m => m.IsPublic).All(m => m.HasAttribute("System.Runtime.CompilerServices.ExtensionAttribute")
            && m.Parameters[0].ParameterType.Name is "IServiceCollection" or "IEndpointRouteBuilder" or "IHostApplicationBuilder"));

    // A view model's enums and parts stand with it under its name, or are the type of one of its properties.
    private static bool IsViewModel(TypeDefinition type) =>
        type.Name.EndsWith("Vm", StringComparison.Ordinal)
        || (type.DeclaringType is { } outer && IsViewModel(outer))
        || (type.IsEnum && type.Module.GetTypes()
            .Where(t => t.Name.EndsWith("Vm", StringComparison.Ordinal) || IsComponent(t))
            .SelectMany(t => t.Properties)
            .Any(p => p.PropertyType.FullName.Contains(type.FullName, StringComparison.Ordinal)));
}

public sealed class EncapsulationTests
{
    [Fact]
    public void A_module_shows_its_installer_and_its_views() => EncapsulationRules.ModulesShowLittle(Product.Modules).Holds(atLeast: 4);

    [Fact]
    public void A_public_class_in_a_module_is_caught() => EncapsulationRules.ModulesShowLittle(
    [
        Offender.Module("""
            using Microsoft.AspNetCore.Components;
            using Microsoft.Extensions.DependencyInjection;
            namespace SevenX42.Modules.Planted;
            public sealed class PlantedModule : SevenX42.IModule
            {
                public string Name => "planted";
                public void Add(IServiceCollection services, Microsoft.Extensions.Configuration.IConfiguration configuration) { }
                public void Map(Microsoft.AspNetCore.Routing.IEndpointRouteBuilder routes) { }
            }
            public class AssetView : ComponentBase { [Parameter] public AssetVm? Asset { get; set; } }
            public enum AssetState { Ready }
            public sealed record AssetVm(AssetState State);
            public static class Installer { public static IServiceCollection AddPlanted(this IServiceCollection services) => services; }
            internal sealed class Hidden { public sealed class InsideHidden; }
            public sealed class Shown;
            public enum ShownState { Ready }
            public static class ShownFunctions { public static int Add(int a, int b) => a + b; }
            """),
    ]).Catches("SevenX42.Modules.Planted.Shown", "SevenX42.Modules.Planted.ShownState", "SevenX42.Modules.Planted.ShownFunctions");

    [Fact]
    public void A_module_has_one_installer_named_after_it() => EncapsulationRules.ModulesHaveOneInstaller(Product.Modules).Holds(atLeast: 4);

    [Fact]
    public void A_module_without_installer_is_caught() =>
        EncapsulationRules.ModulesHaveOneInstaller([Offender.Module("internal sealed class Nothing;")]).Catches("SevenX42.Modules.Planted");

    [Fact]
    public void Classes_are_sealed_unless_they_are_bases() => EncapsulationRules.ClassesAreSealed(Product.All).Holds(atLeast: 60);

    [Fact]
    public void A_class_left_open_is_caught() => EncapsulationRules.ClassesAreSealed(
    [
        Offender.Module("""
            internal class Open { public sealed class Nested; public class OpenNested; }
            internal record OpenRecord(int X);
            internal class Base;
            internal sealed class Derived : Base;
            internal abstract class Abstract;
            internal static class Static;
            internal sealed record Sealed(int X);
            internal interface IInterface;
            internal struct Value;
            """),
    ]).Catches("Open", "Open.OpenNested", "OpenRecord");

    [Fact]
    public void View_models_are_sealed_immutable_records() => EncapsulationRules.ViewModelsAreRecords(Product.Modules).Holds();

    [Fact]
    public void A_mutable_view_model_is_caught() => EncapsulationRules.ViewModelsAreRecords(
    [
        Offender.Module("""
            public sealed record GoodVm(int X);
            public sealed class ClassVm;
            public record OpenVm(int X);
            public sealed record SettableVm { public int X { get; set; } }
            """),
    ]).Catches("ClassVm", "OpenVm", "SettableVm");
}
