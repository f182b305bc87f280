using Mono.Cecil;
using SevenX42.ArchitectureTests.Subjects;

namespace SevenX42.ArchitectureTests;

/// <summary>What is written has to be registered: explicitly, once, and checked when the process starts.</summary>
internal static class WiringRules
{
    private const string Handler = "SevenX42.IIntegrationEventHandler`1";

    public static Verdict EventHandlersStandInIntegration(IEnumerable<Binary> modules) => Verdict.On(
        modules.SelectMany(m => EventHandlers(m).Select(type => (Module: m, Type: type))),
        handler => handler.Type.NamespaceOf().IsWithin($"{handler.Module.Name}.Integration")
            ? []
            : [$"{handler.Type.Display()}: handles an event outside Integration"]);

    /// <summary>Nothing is found by scanning, so a handler that nobody registers would silently handle nothing.</summary>
    public static Verdict EventHandlersAreRegisteredOnce(IEnumerable<Binary> modules) => Verdict.On(
        modules.SelectMany(m => EventHandlers(m).Select(type => (Module: m, Type: type))),
        handler =>
        {
            var times = GenericCalls(handler.Module, "AddIntegrationEventHandler").Count(c => c.GenericArguments[1].FullName == handler.Type.FullName);
            return times == 1 ? [] : [$"{handler.Type.Display()}: is registered {times} times"];
        });

    /// <summary>A wrong setting stops the process when it starts, and not the first person who needs it.</summary>
    public static Verdict SettingsAreValidatedAtStart(IEnumerable<Binary> assemblies) => Verdict.On(
        assemblies.SelectMany(a => GenericCalls(a, "AddOptions").Concat(GenericCalls(a, "Configure"))
            .Where(c => c.DeclaringType.Namespace == "Microsoft.Extensions.DependencyInjection")
            .Select(c => c.GenericArguments[0])
            .Where(t => t.NamespaceOf().StartsWith("SevenX42", StringComparison.Ordinal) || t.Scope == a.Definition.MainModule)
            .Select(t => t.FullName).Distinct()
            .Select(settings => (Assembly: a, Settings: settings))),
        x => GenericCalls(x.Assembly, "ValidateOnStart").Any(c => c.GenericArguments[0].FullName == x.Settings)
            ? []
            : [$"{x.Settings}: is not validated at start"]);

    private static IEnumerable<TypeDefinition> EventHandlers(Binary module) =>
        module.Types.Where(t => t is { IsClass: true, IsAbstract: false } && t.Implements(Handler));

    private static IEnumerable<GenericInstanceMethod> GenericCalls(Binary assembly, string name) =>
        assembly.Types.SelectMany(t => t.Calls()).OfType<GenericInstanceMethod>().Where(c => c.Name == name);
}

public sealed class WiringTests
{
    private static readonly Lazy<Binary> Planted = new(() => Offender.Module("""
        using Microsoft.Extensions.DependencyInjection;
        using SevenX42;
        using SevenX42.Messaging;
        namespace SevenX42.Modules.Planted
        {
            sealed record Happened(Guid EventId) : IIntegrationEvent;
            sealed class GoodOptions;
            sealed class BadOptions;
            sealed class WorseOptions;
            static class Module
            {
                static void Add(IServiceCollection services)
                {
                    services.AddIntegrationEventHandler<Happened, Integration.Registered>();
                    services.AddIntegrationEventHandler<Happened, Integration.Twice>();
                    services.AddIntegrationEventHandler<Happened, Integration.Twice>();
                    services.AddIntegrationEventHandler<Happened, Features.Astray>();
                    services.AddOptions<GoodOptions>().BindConfiguration("Good").ValidateOnStart();
                    services.AddOptions<BadOptions>().BindConfiguration("Bad");
                    services.Configure<WorseOptions>(_ => { });
                    services.Configure<Microsoft.AspNetCore.Routing.RouteOptions>(_ => { });
                }
            }
        }
        namespace SevenX42.Modules.Planted.Integration
        {
            abstract class Base : IIntegrationEventHandler<Happened>
            {
                public Task HandleAsync(Happened integrationEvent, CancellationToken cancellationToken) => Task.CompletedTask;
            }
            sealed class Registered : Base;
            sealed class Twice : Base;
            sealed class Forgotten : Base;
        }
        namespace SevenX42.Modules.Planted.Features { sealed class Astray : Integration.Base; }
        """));

    [Fact]
    public void Handlers_of_events_stand_in_integration() => WiringRules.EventHandlersStandInIntegration(Product.Modules).Holds();

    [Fact]
    public void A_handler_elsewhere_is_caught() =>
        WiringRules.EventHandlersStandInIntegration([Planted.Value]).Catches("SevenX42.Modules.Planted.Features.Astray");

    [Fact]
    public void Handlers_of_events_are_registered_once() => WiringRules.EventHandlersAreRegisteredOnce(Product.Modules).Holds();

    [Fact]
    public void A_handler_forgotten_or_registered_twice_is_caught() => WiringRules.EventHandlersAreRegisteredOnce([Planted.Value])
        .Catches("SevenX42.Modules.Planted.Integration.Forgotten", "SevenX42.Modules.Planted.Integration.Twice");

    [Fact]
    public void Settings_are_validated_at_start() => WiringRules.SettingsAreValidatedAtStart(Product.All).Holds(atLeast: 5);

    [Fact]
    public void Settings_that_nobody_validates_are_caught() => WiringRules.SettingsAreValidatedAtStart([Planted.Value])
        .Catches("SevenX42.Modules.Planted.BadOptions", "SevenX42.Modules.Planted.WorseOptions");
}
