using System.Text.RegularExpressions;
using Mono.Cecil;
using SevenX42.ArchitectureTests.Subjects;

namespace SevenX42.ArchitectureTests;

/// <summary>
/// Integration events are what a module promises to the others: stable names, primitives only, past tense, so that a
/// module that becomes a service of its own can go on sending and reading them.
/// </summary>
internal static partial class EventRules
{
    private const string Event = "SevenX42.IIntegrationEvent";
    private const string EventName = "SevenX42.EventNameAttribute";

    private static readonly HashSet<string> Primitives = new(StringComparer.Ordinal)
    {
        "System.Guid", "System.String", "System.Boolean", "System.Byte", "System.Int16", "System.Int32", "System.Int64",
        "System.Double", "System.Single", "System.Decimal", "System.DateTimeOffset", "System.DateOnly",
    };

    private static readonly HashSet<string> Wrappers = new(StringComparer.Ordinal)
    {
        "System.Nullable`1", "System.Collections.Generic.IReadOnlyList`1", "System.Collections.Generic.IReadOnlyCollection`1",
    };

    private static readonly HashSet<string> IrregularPasts = new(StringComparer.Ordinal)
        { "Sent", "Begun", "Lost", "Found", "Made", "Done", "Paid", "Read", "Written", "Left", "Shown", "Taken", "Given", "Grown", "Kept", "Put", "Set", "Sold" };

    public static Verdict EventsAreSealedRecordsOfPrimitives(IEnumerable<Binary> assemblies) => Verdict.On(Events(assemblies), type =>
    {
        var problems = type.Properties.Where(p => p.Name != "EqualityContract" && !IsPrimitive(p.PropertyType))
            .Select(p => $"carries {p.Name}, which is no primitive")
            .Concat(RequestRules.SettableMembers(type)).ToList();
        if (!type.IsRecord() || !type.IsSealed || !type.IsVisible())
            problems.Add("is no public sealed record");
        return problems.Select(problem => $"{type.Display()}: {problem}");
    });

    public static Verdict EventsAreInThePastTense(IEnumerable<Binary> assemblies) => Verdict.On(Events(assemblies), type =>
    {
        var last = LastWord().Match(type.Name).Value;
        return last.EndsWith("ed", StringComparison.Ordinal) || IrregularPasts.Contains(last) ? [] : [$"{type.Display()}: does not say what happened"];
    });

    public static Verdict EventNamesAreStableAndUnique(IEnumerable<Binary> assemblies)
    {
        var names = Events(assemblies).Select(type => (
            Type: type,
            Name: (string?)type.CustomAttributes.FirstOrDefault(a => a.AttributeType.FullName == EventName)?.ConstructorArguments[0].Value)).ToList();
        return Verdict.On(names, e =>
        {
            var module = e.Type.Module.Assembly.Name.Name.Split('.')[^1];
            if (e.Name is null)
                return [$"{e.Type.Display()}: has no stable name"];
            if (NameAndVersion().Match(e.Name) is not { Success: true } match || !string.Equals(match.Groups[1].Value, module, StringComparison.OrdinalIgnoreCase))
                return [$"{e.Type.Display()}: is called {e.Name}, not {module.ToUpperInvariant()}.what-happened.vN in lower case"];
            return names.Count(other => other.Name == e.Name) == 1 ? [] : [$"{e.Type.Display()}: shares the name {e.Name}"];
        });
    }

    /// <summary>An event that is not in the contracts is nobody else's to handle.</summary>
    public static Verdict EventsStandInContracts(IEnumerable<Binary> others) => Verdict.On(others, assembly =>
        Events([assembly]).Select(type => $"{type.Display()}: is an integration event outside the contracts"));

    private static IEnumerable<TypeDefinition> Events(IEnumerable<Binary> assemblies) =>
        assemblies.SelectMany(a => a.Types).Where(t => t is { IsInterface: false, IsAbstract: false } && t.Implements(Event));

    private static bool IsPrimitive(TypeReference type) => type switch
    {
        ArrayType array => IsPrimitive(array.ElementType),
        GenericInstanceType generic => Wrappers.Contains(generic.ElementType.FullName) && IsPrimitive(generic.GenericArguments[0]),
        _ => Primitives.Contains(type.FullName),
    };

    [GeneratedRegex("[A-Z][a-z0-9]*$")]
    private static partial Regex LastWord();

    [GeneratedRegex(@"^([a-z]+)\.[a-z]+(?:-[a-z]+)*\.v[1-9][0-9]*$")]
    private static partial Regex NameAndVersion();
}

public sealed class EventTests
{
    private const string Usings = "using SevenX42;\n";

    [Fact]
    public void Events_are_sealed_records_of_primitives() => EventRules.EventsAreSealedRecordsOfPrimitives(Product.Contracts).Holds(atLeast: 4);

    [Fact]
    public void An_event_that_carries_more_than_primitives_is_caught() => EventRules.EventsAreSealedRecordsOfPrimitives(
    [
        Offender.Contracts(Usings + """
            public sealed record GoodHappened(Guid EventId, string[] Names, IReadOnlyList<Guid> Ids, int? Count, DateTimeOffset At) : IIntegrationEvent;
            public sealed record Part(int X);
            public sealed record NestedHappened(Guid EventId, Part Part) : IIntegrationEvent;
            public sealed record ListHappened(Guid EventId, List<int> Numbers) : IIntegrationEvent;
            public sealed record PartsHappened(Guid EventId, IReadOnlyList<Part> Parts) : IIntegrationEvent;
            public sealed record EnumHappened(Guid EventId, DayOfWeek Day) : IIntegrationEvent;
            public record OpenHappened(Guid EventId) : IIntegrationEvent;
            public sealed class ClassHappened : IIntegrationEvent { public Guid EventId { get; } }
            public sealed record SettableHappened(Guid EventId) : IIntegrationEvent { public int X { get; set; } }
            internal sealed record HiddenHappened(Guid EventId) : IIntegrationEvent;
            """),
    ]).Catches(
        "NestedHappened", "ListHappened", "PartsHappened", "EnumHappened", "OpenHappened", "ClassHappened", "SettableHappened", "HiddenHappened");

    [Fact]
    public void Events_say_what_happened() => EventRules.EventsAreInThePastTense(Product.Contracts).Holds(atLeast: 4);

    [Fact]
    public void An_event_that_orders_something_is_caught() => EventRules.EventsAreInThePastTense(
    [
        Offender.Contracts(Usings + """
            public sealed record MessagePosted(Guid EventId) : IIntegrationEvent;
            public sealed record InvitationSent(Guid EventId) : IIntegrationEvent;
            public sealed record PostMessage(Guid EventId) : IIntegrationEvent;
            public sealed record MessagePostedEvent(Guid EventId) : IIntegrationEvent;
            """),
    ]).Catches("PostMessage", "MessagePostedEvent");

    [Fact]
    public void Event_names_are_unique_and_versioned() => EventRules.EventNamesAreStableAndUnique(Product.Contracts).Holds(atLeast: 4);

    [Fact]
    public void An_event_without_a_name_of_its_own_is_caught() => EventRules.EventNamesAreStableAndUnique(
    [
        Offender.Contracts(Usings + """
            [EventName("planted.message-posted.v2")] public sealed record Posted(Guid EventId) : IIntegrationEvent;
            public sealed record Nameless(Guid EventId) : IIntegrationEvent;
            [EventName("planted.message-posted")] public sealed record Versionless(Guid EventId) : IIntegrationEvent;
            [EventName("chat.message-posted.v1")] public sealed record OfAnother(Guid EventId) : IIntegrationEvent;
            [EventName("planted.twice.v1")] public sealed record First(Guid EventId) : IIntegrationEvent;
            [EventName("planted.twice.v1")] public sealed record Second(Guid EventId) : IIntegrationEvent;
            """),
    ]).Catches("Nameless", "Versionless", "OfAnother", "First", "Second");

    [Fact]
    public void Events_stand_in_contracts() =>
        EventRules.EventsStandInContracts([Product.Abstractions, Product.BuildingBlocks, Product.Host, .. Product.Modules]).Holds(atLeast: 7);

    [Fact]
    public void An_event_inside_a_module_is_caught() => EventRules.EventsStandInContracts(
        [Offender.Module(Usings + "internal sealed record Happened(Guid EventId) : IIntegrationEvent;")]).Catches("Happened");
}
