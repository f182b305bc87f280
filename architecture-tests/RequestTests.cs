using Mono.Cecil;
using Mono.Cecil.Cil;
using SevenX42.ArchitectureTests.Subjects;

namespace SevenX42.ArchitectureTests;

/// <summary>Commands and queries, and the pipeline each module runs for its own.</summary>
internal static class RequestRules
{
    private const string Request = "MediatR.IBaseRequest";
    private const string InitOnly = "System.Runtime.CompilerServices.IsExternalInit";

    private static readonly string[] MutableCollections =
        ["System.Collections.Generic.List`1", "System.Collections.Generic.IList`1", "System.Collections.Generic.Dictionary`2", "System.Collections.Generic.HashSet`1"];

    public static Verdict RequestsAreImmutable(IEnumerable<Binary> modules) => Verdict.On(Requests(modules), type =>
    {
        var problems = SettableMembers(type).ToList();
        if (!type.IsRecord() || !type.IsSealed)
            problems.Add("is no sealed record");
        return problems.Select(problem => $"{type.Display()}: {problem}");
    });

    public static Verdict RequestsAreMarked(IEnumerable<Binary> modules) => Verdict.On(
        modules.SelectMany(m => Requests([m]).Select(type => (Marker: $"{m.Name}.I{m.Module}Request", Type: type))),
        request =>
        {
            var problems = new List<string>();
            if (!request.Type.Implements(request.Marker))
                problems.Add($"lacks the module's marker {request.Marker}");
            if (request.Type.Implements("SevenX42.Pipeline.ICommand") == request.Type.Implements("SevenX42.Pipeline.IQuery"))
                problems.Add("is not either command or query");
            return problems.Select(problem => $"{request.Type.Display()}: {problem}");
        });

    public static Verdict RequestsHaveOneHandler(IEnumerable<Binary> modules) => Verdict.On(
        modules.SelectMany(m => Requests([m]).Select(type => (Module: m, Type: type))),
        request =>
        {
            var handlers = request.Module.Types.Where(t => Handled(t).Contains(request.Type.FullName)).ToList();
            return handlers.Count == 1 ? [] : [$"{request.Type.Display()}: has {handlers.Count} handlers"];
        });

    public static Verdict HandlersAreInternalAndServeOneRequest(IEnumerable<Binary> modules) => Verdict.On(
        modules.SelectMany(m => m.Types).Where(t => Handled(t).Any()),
        handler =>
        {
            var handled = Handled(handler).ToList();
            return handled.Count == 1 && !handler.IsVisible() && handler.IsSealed ? [] : [$"{handler.Display()}: is no internal sealed handler of one request"];
        });

    /// <summary>Requests belong to modules: what everybody shares asks nobody.</summary>
    public static Verdict OnlyModulesHaveRequests(IEnumerable<Binary> others) => Verdict.On(others, assembly =>
        Requests([assembly]).Select(request => $"{request.Display()}: is a request outside a module"));

    /// <summary>A throwing notification handler stops the rest, so MediatR's notifications are no bus: events use the outbox.</summary>
    public static Verdict NobodyPublishesNotifications(IEnumerable<Binary> assemblies) => Verdict.On(
        assemblies.SelectMany(a => a.Types),
        type => type.AllInterfaces().Any(i => i.GetElementType().FullName is "MediatR.INotification" or "MediatR.INotificationHandler`1")
            ? [$"{type.Display()}: uses MediatR's notifications"]
            : []);

    /// <summary>An assembly that is registered twice has its handlers doubled.</summary>
    public static Verdict EachModuleIsRegisteredOnce(IEnumerable<Binary> modules) => Verdict.On(modules, module =>
    {
        var registrations = module.Types
            .SelectMany(t => t.AllMethods())
            .SelectMany(m => m.Instructions())
            .Select(i => i.Operand)
            .OfType<MethodReference>()
            .Where(m => m.DeclaringType.FullName == "Microsoft.Extensions.DependencyInjection.MediatRServiceConfiguration"
                && m.Name.StartsWith("RegisterServicesFrom", StringComparison.Ordinal))
            .ToList();
        return registrations is [GenericInstanceMethod { GenericArguments: [var marker] }] && marker.Scope == module.Definition.MainModule
            ? []
            : [$"{module.Name}: registers {registrations.Count} assemblies with MediatR, and has to register itself, once"];
    });

    /// <summary>An open behaviour without the marker would run for the requests of every module.</summary>
    public static Verdict BehavioursAreConstrained(IEnumerable<Binary> modules) => Verdict.On(
        modules.SelectMany(m => m.Types.Select(type => (Module: m, Type: type)))
            .Where(b => !b.Type.IsAbstract && b.Type.HasGenericParameters && b.Type.Implements("MediatR.IPipelineBehavior`2")),
        b => b.Type.GenericParameters[0].Constraints.Any(c => c.ConstraintType.FullName == $"{b.Module.Name}.I{b.Module.Module}Request")
            ? []
            : [$"{b.Type.Display()}: runs for the requests of every module"]);

    /// <summary>What could be changed after construction.</summary>
    public static IEnumerable<string> SettableMembers(TypeDefinition type)
    {
        foreach (var property in type.Properties)
        {
            if (property.SetMethod is { } setter && !(setter.ReturnType is RequiredModifierType { ModifierType.FullName: InitOnly }))
                yield return $"can have its {property.Name} set";
            if (MutableCollections.Contains(property.PropertyType.GetElementType().FullName))
                yield return $"holds a collection, {property.Name}, that can be changed";
        }

        foreach (var field in type.Fields.Where(f => !f.IsStatic && !f.IsInitOnly && !f.IsPrivate))
            yield return $"can have its {field.Name} set";
    }

    private static IEnumerable<TypeDefinition> Requests(IEnumerable<Binary> modules) =>
        modules.SelectMany(m => m.Types).Where(t => t is { IsClass: true, IsAbstract: false } && t.Implements(Request));

    private static IEnumerable<string> Handled(TypeDefinition type) => type.Interfaces
        .Select(i => i.InterfaceType)
        .OfType<GenericInstanceType>()
        .Where(i => i.ElementType.FullName is "MediatR.IRequestHandler`1" or "MediatR.IRequestHandler`2")
        .Select(i => i.GenericArguments[0].FullName);
}

public sealed class RequestTests
{
    private const string Pipeline = """
        using MediatR;
        using Microsoft.Extensions.DependencyInjection;
        using SevenX42;
        using SevenX42.Pipeline;
        namespace SevenX42.Modules.Planted;
        internal interface IPlantedRequest;
        internal interface IPlantedCommand : IRequest<Result>, IPlantedRequest, ICommand;
        internal interface IPlantedQuery<T> : IRequest<Result<T>>, IPlantedRequest, IQuery;

        """;

    [Fact]
    public void Requests_are_sealed_immutable_records() => RequestRules.RequestsAreImmutable(Product.Modules).Holds();

    [Fact]
    public void A_mutable_request_is_caught() => RequestRules.RequestsAreImmutable(
    [
        Offender.Module(Pipeline + """
            internal sealed record Good(int X, IReadOnlyList<string> Names) : IPlantedCommand { public string Y { get; init; } = ""; }
            internal sealed class NoRecord : IPlantedCommand;
            internal record Open(int X) : IPlantedQuery<int>;
            internal sealed record Settable : IPlantedCommand { public int X { get; set; } }
            internal sealed record Field : IPlantedCommand { public int X; }
            internal sealed record Growing(List<string> Names) : IPlantedCommand;
            """),
    ]).Catches(
        "SevenX42.Modules.Planted.NoRecord",
        "SevenX42.Modules.Planted.Open",
        "SevenX42.Modules.Planted.Settable",
        "SevenX42.Modules.Planted.Field",
        "SevenX42.Modules.Planted.Growing");

    [Fact]
    public void Requests_carry_their_modules_marker_and_are_command_or_query() => RequestRules.RequestsAreMarked(Product.Modules).Holds();

    [Fact]
    public void An_unmarked_request_is_caught() => RequestRules.RequestsAreMarked(
    [
        Offender.Module(Pipeline + """
            internal sealed record Good : IPlantedCommand;
            internal sealed record Unmarked : IRequest<Result>, ICommand;
            internal sealed record Neither : IRequest<Result>, IPlantedRequest;
            internal sealed record Both : IPlantedCommand, IQuery;
            """),
    ]).Catches("SevenX42.Modules.Planted.Unmarked", "SevenX42.Modules.Planted.Neither", "SevenX42.Modules.Planted.Both");

    [Fact]
    public void Every_request_has_one_internal_handler()
    {
        RequestRules.RequestsHaveOneHandler(Product.Modules).Holds();
        RequestRules.HandlersAreInternalAndServeOneRequest(Product.Modules).Holds();
    }

    [Fact]
    public void A_request_without_handler_and_a_public_handler_are_caught()
    {
        var planted = Offender.Module(Pipeline + """
            internal sealed record Good : IPlantedCommand;
            internal sealed class GoodHandler : IRequestHandler<Good, Result>
            {
                public Task<Result> Handle(Good request, CancellationToken cancellationToken) => Task.FromResult(Result.Success);
            }
            internal sealed record Orphan : IPlantedCommand;
            public sealed record Loud : IRequest<Result>;
            public sealed class LoudHandler : IRequestHandler<Loud, Result>
            {
                public Task<Result> Handle(Loud request, CancellationToken cancellationToken) => Task.FromResult(Result.Success);
            }
            """);
        RequestRules.RequestsHaveOneHandler([planted]).Catches("SevenX42.Modules.Planted.Orphan");
        RequestRules.HandlersAreInternalAndServeOneRequest([planted]).Catches("SevenX42.Modules.Planted.LoudHandler");
    }

    [Fact]
    public void Only_modules_have_requests() =>
        RequestRules.OnlyModulesHaveRequests([Product.Abstractions, Product.BuildingBlocks, Product.Host, .. Product.Contracts]).Holds(atLeast: 7);

    [Fact]
    public void A_request_in_the_contracts_is_caught() => RequestRules.OnlyModulesHaveRequests(
        [Offender.Contracts("public sealed record Stray : MediatR.IRequest;")]).Catches("Stray");

    [Fact]
    public void Nobody_uses_the_mediators_notifications() => RequestRules.NobodyPublishesNotifications(Product.All).Holds(atLeast: 60);

    [Fact]
    public void A_notification_is_caught() => RequestRules.NobodyPublishesNotifications(
    [
        Offender.Module("""
            internal sealed record Happened : MediatR.INotification;
            internal sealed class Listens : MediatR.INotificationHandler<Happened>
            {
                public Task Handle(Happened notification, CancellationToken cancellationToken) => Task.CompletedTask;
            }
            """),
    ]).Catches("Happened", "Listens");

    [Fact]
    public void Each_module_registers_itself_with_the_mediator_once() => RequestRules.EachModuleIsRegisteredOnce(Product.Modules).Holds(atLeast: 4);

    [Theory]
    [InlineData("m => m.RegisterServicesFromAssemblyContaining<PlantedPipeline>().RegisterServicesFromAssembly(typeof(PlantedPipeline).Assembly)")]
    [InlineData("m => m.RegisterServicesFromAssemblyContaining<SevenX42.Modules.Chat.ChatModule>()")]
    [InlineData("m => { }")]
    public void A_module_registered_twice_or_not_at_all_is_caught(string configure) => RequestRules.EachModuleIsRegisteredOnce(
    [
        Offender.Module(Pipeline + $$"""
            internal sealed class PlantedPipeline { public void Add(IServiceCollection services) => services.AddMediatR({{configure}}); }
            """),
    ]).Catches("SevenX42.Modules.Planted");

    [Fact]
    public void Behaviours_run_for_their_modules_requests_only() => RequestRules.BehavioursAreConstrained(Product.Modules).Holds(atLeast: 12);

    [Fact]
    public void An_unconstrained_behaviour_is_caught() => RequestRules.BehavioursAreConstrained(
    [
        Offender.Module(Pipeline + """
            internal sealed class ForItsOwn<TRequest, TResponse> : IPipelineBehavior<TRequest, TResponse> where TRequest : IPlantedRequest
            {
                public Task<TResponse> Handle(TRequest request, RequestHandlerDelegate<TResponse> next, CancellationToken cancellationToken) => next();
            }
            internal sealed class ForAll<TRequest, TResponse> : IPipelineBehavior<TRequest, TResponse> where TRequest : notnull
            {
                public Task<TResponse> Handle(TRequest request, RequestHandlerDelegate<TResponse> next, CancellationToken cancellationToken) => next();
            }
            """),
    ]).Catches("SevenX42.Modules.Planted.ForAll");
}
