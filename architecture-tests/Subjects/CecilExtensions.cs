using Mono.Cecil;
using Mono.Cecil.Cil;
using NetArchTest.Rules;

namespace SevenX42.ArchitectureTests.Subjects;

/// <summary>Questions to compiled code that neither NetArchTest nor Mono.Cecil answer by themselves.</summary>
internal static class CecilExtensions
{
    /// <summary>Made by the compiler or a source generator, or inside something that was.</summary>
    public static bool IsGenerated(this TypeDefinition type) =>
        type.Name.Contains('<', StringComparison.Ordinal)
        || type.HasAttribute("System.Runtime.CompilerServices.CompilerGeneratedAttribute")
        || type.HasAttribute("System.CodeDom.Compiler.GeneratedCodeAttribute")
        || (type.DeclaringType?.IsGenerated() ?? false);

    public static bool HasAttribute(this ICustomAttributeProvider provider, string attribute) =>
        provider.HasCustomAttributes && provider.CustomAttributes.Any(a => a.AttributeType.FullName == attribute);

    /// <summary>The namespace, also of a nested type.</summary>
    public static string NamespaceOf(this TypeReference type)
    {
        while (type.DeclaringType is { } outer)
            type = outer;
        return type.Namespace;
    }

    /// <summary>Full name without generic arity and with dots, as it is written in code.</summary>
    public static string Display(this TypeReference type) => type.FullName.Replace('/', '.').Split('`')[0];

    /// <summary>Whether others see it: NetArchTest counts a public type inside an internal one as public.</summary>
    public static bool IsVisible(this TypeDefinition type) =>
        type.IsPublic || (type.IsNestedPublic && type.DeclaringType.IsVisible());

    public static bool IsStatic(this TypeDefinition type) => type.IsAbstract && type.IsSealed;

    public static bool IsRecord(this TypeDefinition type) => type.Methods.Any(m => m.Name == "<Clone>$");

    /// <summary>Base classes, nearest first.</summary>
    public static IEnumerable<TypeReference> Bases(this TypeDefinition type)
    {
        for (var parent = type.BaseType; parent is not null; parent = parent.Resolve()?.BaseType)
            yield return parent;
    }

    public static bool DerivesFrom(this TypeDefinition type, string fullName) =>
        type.Bases().Any(b => b.GetElementType().FullName == fullName);

    /// <summary>All interfaces, inherited ones and interfaces of interfaces included; generic arguments as declared.</summary>
    public static IEnumerable<TypeReference> AllInterfaces(this TypeDefinition type)
    {
        foreach (var own in type.Interfaces)
        {
            yield return own.InterfaceType;
            foreach (var inherited in own.InterfaceType.Resolve()?.AllInterfaces() ?? [])
                yield return inherited;
        }

        foreach (var inherited in type.BaseType?.Resolve()?.AllInterfaces() ?? [])
            yield return inherited;
    }

    public static bool Implements(this TypeDefinition type, string fullName) =>
        type.AllInterfaces().Any(i => i.GetElementType().FullName == fullName);

    /// <summary>The type's methods and those that the compiler made of its lambdas, iterators and async methods.</summary>
    public static IEnumerable<MethodDefinition> AllMethods(this TypeDefinition type) =>
        type.Methods.Concat(type.NestedTypes.Where(n => n.IsGenerated()).SelectMany(n => n.AllMethods()));

    public static IEnumerable<Instruction> Instructions(this MethodDefinition method) => method.HasBody ? method.Body.Instructions : [];

    /// <summary>Methods called (or taken as delegates) by the type, compiler-made code included.</summary>
    public static IEnumerable<MethodReference> Calls(this TypeDefinition type) => type.AllMethods()
        .SelectMany(m => m.Instructions())
        .Select(i => i.Operand)
        .OfType<MethodReference>();

    /// <summary>
    /// Namespaces of all types the type names in any way. Unlike NetArchTest's search it also looks into async lambdas,
    /// and a caller that compares whole name parts does not mistake <c>A.ChatX</c> for <c>A.Chat</c>.
    /// </summary>
    public static IReadOnlySet<string> Dependencies(this TypeDefinition type)
    {
        var found = new HashSet<string>(StringComparer.Ordinal);
        Collect(type, found);
        return found;
    }

    /// <summary>Whether a namespace is this one or inside it.</summary>
    public static bool IsWithin(this string name, string ns) =>
        name == ns || (name.StartsWith(ns, StringComparison.Ordinal) && name[ns.Length] == '.');

    private static void Collect(TypeDefinition type, HashSet<string> found)
    {
        Add(type.BaseType);
        Attributes(type);
        Generics(type);
        foreach (var i in type.Interfaces)
            Add(i.InterfaceType);
        foreach (var field in type.Fields)
        {
            Add(field.FieldType);
            Attributes(field);
        }

        foreach (var property in type.Properties)
            Attributes(property);
        foreach (var method in type.Methods)
        {
            Add(method.ReturnType);
            Attributes(method);
            Generics(method);
            foreach (var parameter in method.Parameters)
            {
                Add(parameter.ParameterType);
                Attributes(parameter);
            }

            if (!method.HasBody)
                continue;
            foreach (var local in method.Body.Variables)
                Add(local.VariableType);
            foreach (var handler in method.Body.ExceptionHandlers)
                Add(handler.CatchType);
            foreach (var instruction in method.Body.Instructions)
                Operand(instruction.Operand);
        }

        foreach (var nested in type.NestedTypes.Where(n => n.IsGenerated()))
            Collect(nested, found);

        void Add(TypeReference? reference)
        {
            switch (reference)
            {
                case null or GenericParameter:
                    break;
                case GenericInstanceType generic:
                    Add(generic.ElementType);
                    foreach (var argument in generic.GenericArguments)
                        Add(argument);
                    break;
                case TypeSpecification specification:
                    Add(specification.ElementType);
                    break;
                default:
                    found.Add(reference.NamespaceOf());
                    break;
            }
        }

        void Operand(object? operand)
        {
            switch (operand)
            {
                case TypeReference t:
                    Add(t);
                    break;
                case FieldReference f:
                    Add(f.DeclaringType);
                    Add(f.FieldType);
                    break;
                case MethodReference m:
                    Add(m.DeclaringType);
                    Add(m.ReturnType);
                    foreach (var argument in (m as GenericInstanceMethod)?.GenericArguments ?? [])
                        Add(argument);
                    break;
                default:
                    break;
            }
        }

        void Attributes(ICustomAttributeProvider provider)
        {
            foreach (var attribute in provider.CustomAttributes)
            {
                Add(attribute.AttributeType);
                foreach (var argument in attribute.ConstructorArguments.Concat(attribute.Properties.Select(p => p.Argument)))
                    Add(argument.Value as TypeReference);
            }
        }

        void Generics(IGenericParameterProvider provider)
        {
            foreach (var constraint in provider.GenericParameters.SelectMany(p => p.Constraints))
                Add(constraint.ConstraintType);
        }
    }
}

/// <summary>
/// A NetArchTest rule of our own that keeps count: NetArchTest passes a rule that selected nothing.
/// </summary>
/// <param name="inspect">What is wrong with a type; nothing when it is as it should be.</param>
internal sealed class Inspection(Func<TypeDefinition, IEnumerable<string>> inspect) : ICustomRule
{
    private readonly List<string> _violations = [];
    private int _selected;

    public Verdict Verdict => new(_selected, _violations);

    public bool MeetsRule(TypeDefinition type)
    {
        _selected++;
        var before = _violations.Count;
        _violations.AddRange(inspect(type).Select(what => $"{type.Display()}: {what}"));
        return _violations.Count == before;
    }
}

/// <summary>A NetArchTest predicate of our own.</summary>
internal sealed class Selection(Func<TypeDefinition, bool> select) : ICustomRule
{
    public bool MeetsRule(TypeDefinition type) => select(type);
}
