using System.Reflection;
using System.Runtime.Loader;
using Mono.Cecil;
using NetArchTest.Rules;

namespace SevenX42.ArchitectureTests.Subjects;

/// <summary>A compiled assembly, as Mono.Cecil and NetArchTest read it: the file on disk.</summary>
internal sealed class Binary(string path)
{
    private readonly Lazy<AssemblyDefinition> _definition = new(() => AssemblyDefinition.ReadAssembly(path));

    public string Name => Path.GetFileNameWithoutExtension(path);

    /// <summary>The module's name, or null for an assembly that is no module's.</summary>
    public string? Module => Name.StartsWith("SevenX42.Modules.", StringComparison.Ordinal) ? Name["SevenX42.Modules.".Length..] : null;

    public bool IsContracts => Name.StartsWith("SevenX42.Contracts.", StringComparison.Ordinal);

    public AssemblyDefinition Definition => _definition.Value;

    /// <summary>Every type a person wrote, nested ones included; what the compiler made belongs to the type it was made for.</summary>
    public IEnumerable<TypeDefinition> Types => Definition.MainModule.GetTypes().Where(t => !t.IsGenerated());

    public Types NetArchTypes => NetArchTest.Rules.Types.FromFile(path);

    /// <summary>Loads the product's assemblies as the product does, and each planted one by itself: they share their name.</summary>
    public Assembly Load() => path.StartsWith(AppContext.BaseDirectory, StringComparison.Ordinal)
        ? Assembly.Load(Name)
        : new AssemblyLoadContext(path).LoadFromAssemblyPath(path);

    public override string ToString() => Name;
}

/// <summary>The product's own assemblies.</summary>
internal static class Product
{
    public static IReadOnlyList<Binary> Modules { get; } = [.. Repository.Modules.Select(m => Find($"SevenX42.Modules.{m}"))];

    public static IReadOnlyList<Binary> Contracts { get; } = [.. Repository.Modules.Select(m => Find($"SevenX42.Contracts.{m}"))];

    public static Binary Abstractions { get; } = Find("SevenX42.Abstractions");

    public static Binary BuildingBlocks { get; } = Find("SevenX42.BuildingBlocks");

    public static Binary Host { get; } = Find("SevenX42.Host");

    public static IReadOnlyList<Binary> All { get; } = [Abstractions, BuildingBlocks, .. Contracts, .. Modules, Host];

    private static Binary Find(string assembly)
    {
        var path = Path.Combine(AppContext.BaseDirectory, assembly + ".dll");
        return File.Exists(path) ? new Binary(path) : throw new FileNotFoundException($"{assembly} is not referenced by the Host.", path);
    }
}
