using Mono.Cecil;
using Mono.Cecil.Cil;
using SevenX42.ArchitectureTests.Subjects;

namespace SevenX42.ArchitectureTests;

/// <summary>
/// Endpoints are methods of an endpoint class, static ones in modules, and never lambdas: a stack trace, a test and NetArchTest,
/// which does not see into async lambdas, can all find them. The Host's socket and poll hold state and are instances.
/// </summary>
internal static class EndpointRules
{
    private static readonly string[] Delegates = ["System.Delegate", "Microsoft.AspNetCore.Http.RequestDelegate"];

    public static Verdict EndpointsAreMethodGroups(IEnumerable<Binary> assemblies) => Verdict.On(
        assemblies.SelectMany(a => a.Types).SelectMany(t => t.AllMethods()).SelectMany(Mapped),
        mapped => mapped.Target switch
        {
            null => [$"{mapped.Where}: maps a delegate whose method can't be told"],
            { Name: var name } when name.Contains('<', StringComparison.Ordinal) => [$"{mapped.Where}: maps a lambda or a local function"],
            { HasThis: true } target when mapped.InModule => [$"{mapped.Where}: maps {target.Name}, which is no static method"],
            { DeclaringType: var type } when !type.Name.EndsWith("Endpoint", StringComparison.Ordinal) =>
                [$"{mapped.Where}: maps {type.Name}.{mapped.Target.Name}, and {type.Name} is not called an endpoint"],
            _ => [],
        });

    // The delegate is the last argument of every Map method, so the last method whose address was taken before the call
    // is the endpoint's; the compiler caches delegates in static fields, but always with that code beside.
    private static IEnumerable<(string Where, MethodReference? Target, bool InModule)> Mapped(MethodDefinition method)
    {
        MethodReference? last = null;
        foreach (var instruction in method.Instructions())
        {
            if (instruction.OpCode == OpCodes.Ldftn)
            {
                last = (MethodReference)instruction.Operand;
            }
            else if (instruction.Operand is MethodReference { Parameters: [.., var handler] } call
                && call.Name.StartsWith("Map", StringComparison.Ordinal)
                && call.DeclaringType.FullName.StartsWith("Microsoft.AspNetCore.Builder.", StringComparison.Ordinal)
                && Delegates.Contains(handler.ParameterType.FullName))
            {
                var inModule = method.Module.Assembly.Name.Name.StartsWith("SevenX42.Modules.", StringComparison.Ordinal);
                yield return ($"{method.DeclaringType.Display()}.{method.Name}", last, inModule);
                last = null;
            }
        }
    }
}

public sealed class EndpointTests
{
    [Fact]
    public void Endpoints_are_methods_of_endpoint_classes() =>
        EndpointRules.EndpointsAreMethodGroups([.. Product.Modules, Product.Host, Product.BuildingBlocks]).Holds(atLeast: 4);

    [Fact]
    public void Endpoints_that_are_lambdas_are_caught() => EndpointRules.EndpointsAreMethodGroups(
    [
        Offender.Module("""
            using Microsoft.AspNetCore.Builder;
            using Microsoft.AspNetCore.Http;
            using Microsoft.AspNetCore.Routing;
            static class ReadEndpoint
            {
                public static IResult Get(int id) => Results.Ok(id);
                public static Task Plain(HttpContext context) => Task.CompletedTask;
            }
            class InstanceEndpoint { public IResult Get() => Results.Ok(); }
            static class Elsewhere { public static IResult Get() => Results.Ok(); }
            static class Routes
            {
                public static void Good(IEndpointRouteBuilder routes)
                {
                    var group = routes.MapGroup("/a").RequireAuthorization();
                    group.MapGet("/b", ReadEndpoint.Get).WithName("b");
                    group.MapMethods("/c", ["PATCH", "POST"], ReadEndpoint.Get);
                    group.Map("/d", ReadEndpoint.Plain);
                    group.MapGet("/e", ReadEndpoint.Get).AddEndpointFilter(async (context, next) => await next(context));
                }
                public static void PipelineOfLambda(IEndpointRouteBuilder routes)
                {
                    var pipeline = routes.CreateApplicationBuilder();
                    pipeline.Run(context => Task.CompletedTask);
                    routes.Map("/a", pipeline.Build());
                }
                public static void Lambda(IEndpointRouteBuilder routes) => routes.MapGet("/a", (int id) => Results.Ok(id));
                public static void AsyncLambda(IEndpointRouteBuilder routes) => routes.MapPost("/a", async (int id) => { await Task.Yield(); return id; });
                public static void Capturing(IEndpointRouteBuilder routes, int x) => routes.MapGet("/a", () => Results.Ok(x));
                public static void RawLambda(IEndpointRouteBuilder routes) => routes.MapGet("/a", (HttpContext context) => Task.CompletedTask);
                public static void Local(IEndpointRouteBuilder routes)
                {
                    routes.MapGet("/a", Answer);
                    static IResult Answer() => Results.Ok();
                }
                public static void Passed(IEndpointRouteBuilder routes, Delegate handler) => routes.MapFallback(handler);
                public static void OfAnInstance(IEndpointRouteBuilder routes) => routes.MapDelete("/a", new InstanceEndpoint().Get);
                public static void Misnamed(IEndpointRouteBuilder routes) => routes.MapGet("/a", Elsewhere.Get);
            }
            """),
    ]).Catches(
        "Routes.PipelineOfLambda", "Routes.Lambda", "Routes.AsyncLambda", "Routes.Capturing", "Routes.RawLambda", "Routes.Local", "Routes.Passed", "Routes.OfAnInstance", "Routes.Misnamed");

    [Fact]
    public void Endpoints_of_the_host_may_hold_state_but_are_no_lambdas_either() => EndpointRules.EndpointsAreMethodGroups(
    [
        Offender.Compile("SevenX42.Host", """
            using Microsoft.AspNetCore.Builder;
            using Microsoft.AspNetCore.Http;
            using Microsoft.AspNetCore.Routing;
            class SocketEndpoint { public Task Handle(HttpContext context) => Task.CompletedTask; }
            static class Routes
            {
                public static void Instance(IEndpointRouteBuilder routes, SocketEndpoint socket) => routes.MapGet("/a", socket.Handle);
                public static void Pipeline(IEndpointRouteBuilder routes, SocketEndpoint socket)
                {
                    var pipeline = routes.CreateApplicationBuilder();
                    pipeline.Run(socket.Handle);
                    routes.Map("/a", pipeline.Build());
                }
                public static void Lambda(IEndpointRouteBuilder routes, SocketEndpoint socket) => routes.MapGet("/a", context => socket.Handle(context));
            }
            """),
    ]).Catches("Routes.Lambda");
}
