using Mono.Cecil;
using Mono.Cecil.Cil;
using SevenX42.ArchitectureTests.Subjects;

namespace SevenX42.ArchitectureTests;

/// <summary>
/// Endpoints are static methods of an endpoint class, not lambdas: a stack trace, a test and NetArchTest, which does not see into
/// async lambdas, can all find them.
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
            { HasThis: true } target => [$"{mapped.Where}: maps {target.Name}, which is no static method"],
            { DeclaringType: var type } when !type.Name.EndsWith("Endpoint", StringComparison.Ordinal) =>
                [$"{mapped.Where}: maps {type.Name}.{mapped.Target.Name}, and {type.Name} is not called an endpoint"],
            _ => [],
        });

    // The delegate is the last argument of every Map method, so the last method whose address was taken before the call
    // is the endpoint's; the compiler caches delegates in static fields, but always with that code beside.
    private static IEnumerable<(string Where, MethodReference? Target)> Mapped(MethodDefinition method)
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
                yield return ($"{method.DeclaringType.Display()}.{method.Name}", last);
                last = null;
            }
        }
    }
}

public sealed class EndpointTests
{
    [Fact]
    public void Endpoints_are_static_methods_of_endpoint_classes() =>
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
            class Instance { public IResult Get() => Results.Ok(); }
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
                public static void OfAnInstance(IEndpointRouteBuilder routes) => routes.MapDelete("/a", new Instance().Get);
                public static void Misnamed(IEndpointRouteBuilder routes) => routes.MapGet("/a", Elsewhere.Get);
            }
            """),
    ]).Catches(
        "Routes.Lambda", "Routes.AsyncLambda", "Routes.Capturing", "Routes.RawLambda", "Routes.Local", "Routes.Passed", "Routes.OfAnInstance", "Routes.Misnamed");
}
