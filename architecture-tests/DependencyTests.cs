using Mono.Cecil;
using NetArchTest.Rules;
using SevenX42.ArchitectureTests.Subjects;

namespace SevenX42.ArchitectureTests;

/// <summary>Who may know what, inside a module and between assemblies, read from compiled code.</summary>
internal static class DependencyRules
{
    /// <summary>What the domain is kept free of: everything that does I/O, and everything that calls it.</summary>
    private static readonly string[] BesideTheDomain =
    [
        "Microsoft.EntityFrameworkCore", "Npgsql", "StackExchange.Redis", "Microsoft.AspNetCore", "MediatR", "FluentValidation",
        "Microsoft.Extensions.AI", "OpenAI", "System.ClientModel", "System.Net.Http",
        "SevenX42.Http", "SevenX42.Messaging", "SevenX42.Persistence", "SevenX42.Pipeline",
    ];

    private static readonly string[] Providers =
        ["OpenAI", "System.ClientModel", "Azure", "OllamaSharp", "Anthropic", "Mistral", "Google.Cloud", "Amazon", "StackExchange.Redis"];

    public static Verdict DomainIsPure(IEnumerable<Binary> modules) => InPart(modules, "Domain", (module, type) =>
        type.Dependencies()
            .Where(used => BesideTheDomain.Any(used.IsWithin)
                || new[] { "Features", "Integration", "Infrastructure" }.Any(outer => used.IsWithin($"{module.Name}.{outer}")))
            .Select(used => $"depends on {used}"));

    public static Verdict FeaturesKnowNoProvider(IEnumerable<Binary> modules) => InPart(modules, "Features", (_, type) =>
        type.Dependencies().Where(used => Providers.Any(used.IsWithin)).Select(used => $"depends on {used}"));

    /// <summary>The second look, after the project files: what the compiled assembly refers to.</summary>
    public static Verdict ModulesKnowNoOtherModule(IEnumerable<Binary> modules) => Verdict.On(modules, module =>
        References(module)
            .Where(r => r == "SevenX42.Host" || (r.StartsWith("SevenX42.Modules.", StringComparison.Ordinal) && r != module.Name))
            .Select(r => $"{module.Name}: refers to {r}"));

    /// <summary>Contracts are what a caller in another process would be given: no framework, no database, no mediator.</summary>
    public static Verdict ContractsAreBare(IEnumerable<Binary> contracts) => Verdict.On(contracts, assembly =>
        References(assembly).Where(r => r != "SevenX42.Abstractions" && !IsRuntime(r)).Select(r => $"{assembly.Name}: refers to {r}"));

    /// <summary>Abstractions need no package but MediatR's contracts; ASP.NET Core's shared framework is no package.</summary>
    public static Verdict AbstractionsAreBare(Binary abstractions) => Verdict.On([abstractions], assembly =>
        References(assembly)
            .Where(r => r != "MediatR.Contracts" && !IsRuntime(r) && !r.StartsWith("Microsoft.AspNetCore.", StringComparison.Ordinal)
                && !r.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal))
            .Select(r => $"{assembly.Name}: refers to {r}"));

    public static Verdict OnlyBuildingBlocksKnowRedis(IEnumerable<Binary> assemblies) => Verdict.On(assemblies, assembly =>
        References(assembly).Where(r => r == "StackExchange.Redis").Select(r => $"{assembly.Name}: refers to {r}"));

    private static bool IsRuntime(string assembly) =>
        assembly is "netstandard" or "mscorlib" || assembly.StartsWith("System.", StringComparison.Ordinal);

    private static IEnumerable<string> References(Binary assembly) => assembly.Definition.MainModule.AssemblyReferences.Select(r => r.Name);

    // NetArchTest's own dependency search does not see into async lambdas, and its namespace predicate is a prefix of
    // characters, not of name parts: hence the pattern and the inspection of our own.
    private static Verdict InPart(IEnumerable<Binary> modules, string part, Func<Binary, TypeDefinition, IEnumerable<string>> inspect)
    {
        var verdicts = modules.Select(module =>
        {
            var inspection = new Inspection(type => inspect(module, type));
            module.NetArchTypes.That()
                .ResideInNamespaceMatching($"^{module.Name.Replace(".", "\\.", StringComparison.Ordinal)}\\.{part}(\\.|$)")
                .And().MeetCustomRule(new Selection(type => !type.IsGenerated()))
                .Should().MeetCustomRule(inspection).GetResult();
            return inspection.Verdict;
        }).ToList();
        return new Verdict(verdicts.Sum(v => v.Selected), [.. verdicts.SelectMany(v => v.Violations)]);
    }
}

public sealed class DependencyTests
{
    [Fact]
    public void The_domain_is_free_of_frameworks_and_of_the_layers_around_it() => DependencyRules.DomainIsPure(Product.Modules).Holds();

    [Fact]
    public void A_domain_that_knows_a_framework_is_caught() => DependencyRules.DomainIsPure(
    [
        Offender.Module("""
            namespace SevenX42.Modules.Planted.Domain
            {
                internal sealed class Pure { public string Name { get; init; } = ""; }
                internal sealed class KnowsEf { public Microsoft.EntityFrameworkCore.DbContext? Context { get; set; } }
                internal sealed class KnowsHttp { public object New() => new Microsoft.AspNetCore.Http.DefaultHttpContext(); }
                internal sealed class KnowsMediator : MediatR.INotification;
                internal sealed class KnowsRedis { public object? Find(object o) => o as StackExchange.Redis.IDatabase; }
                internal sealed class KnowsAi { public List<Microsoft.Extensions.AI.ChatMessage> Messages { get; } = []; }
                internal sealed class KnowsInfrastructure { public SevenX42.Modules.Planted.Infrastructure.Store? Store; }
                internal sealed class HidesItInAnAsyncLambda
                {
                    public Func<Task<object>> Hide() => async () => { await Task.Yield(); return new Npgsql.NpgsqlConnection(); };
                }
            }
            namespace SevenX42.Modules.Planted.DomainX { internal sealed class NotTheDomain { public Npgsql.NpgsqlConnection? Connection; } }
            namespace SevenX42.Modules.Planted.Infrastructure { internal sealed class Store { public Npgsql.NpgsqlConnection? Connection; } }
            """),
    ]).Catches(
        "SevenX42.Modules.Planted.Domain.KnowsEf",
        "SevenX42.Modules.Planted.Domain.KnowsHttp",
        "SevenX42.Modules.Planted.Domain.KnowsMediator",
        "SevenX42.Modules.Planted.Domain.KnowsRedis",
        "SevenX42.Modules.Planted.Domain.KnowsAi",
        "SevenX42.Modules.Planted.Domain.KnowsInfrastructure",
        "SevenX42.Modules.Planted.Domain.HidesItInAnAsyncLambda");

    [Fact]
    public void Features_know_no_providers_sdk() => DependencyRules.FeaturesKnowNoProvider(Product.Modules).Holds();

    [Fact]
    public void A_feature_that_knows_a_providers_sdk_is_caught() => DependencyRules.FeaturesKnowNoProvider(
    [
        Offender.Module("""
            namespace SevenX42.Modules.Planted.Features.Answers;
            internal sealed class ThroughThePort(Microsoft.Extensions.AI.IChatClient client) { public object Client => client; }
            internal sealed class ThroughTheSdk { public object Make() => new OpenAI.OpenAIClient("key"); }
            internal sealed class ThroughTheSdkLater
            {
                public Func<Task<object>> Make() => async () => { await Task.Yield(); return new OpenAI.OpenAIClient("key"); };
            }
            """),
    ]).Catches("SevenX42.Modules.Planted.Features.Answers.ThroughTheSdk", "SevenX42.Modules.Planted.Features.Answers.ThroughTheSdkLater");

    [Fact]
    public void No_module_refers_to_another_or_to_the_host() => DependencyRules.ModulesKnowNoOtherModule(Product.Modules).Holds(atLeast: 4);

    [Fact]
    public void A_module_that_refers_to_another_is_caught() => DependencyRules.ModulesKnowNoOtherModule(
        [Offender.Module("public class Peeks { public object Make() => new SevenX42.Modules.Chat.ChatModule(); }")]).Catches("SevenX42.Modules.Planted");

    [Fact]
    public void Contracts_refer_to_the_abstractions_and_the_runtime_only() => DependencyRules.ContractsAreBare(Product.Contracts).Holds(atLeast: 4);

    [Fact]
    public void Contracts_that_refer_to_more_are_caught() => DependencyRules.ContractsAreBare(
    [
        Offender.Contracts("public interface IBare { System.Text.Json.JsonElement Read(); }"),
        Offender.Compile("SevenX42.Contracts.Laden", "public interface ILaden { Microsoft.EntityFrameworkCore.DbContext Context { get; } }"),
    ]).Catches("SevenX42.Contracts.Laden");

    [Fact]
    public void Abstractions_need_no_package_but_the_mediators_contracts() => DependencyRules.AbstractionsAreBare(Product.Abstractions).Holds();

    [Fact]
    public void Abstractions_that_need_more_are_caught() => DependencyRules.AbstractionsAreBare(
        Offender.Compile("SevenX42.Abstractions", "public interface ILaden { Npgsql.NpgsqlConnection Connection { get; } }")).Catches("SevenX42.Abstractions");

    [Fact]
    public void Modules_know_no_redis_client() =>
        DependencyRules.OnlyBuildingBlocksKnowRedis([.. Product.Modules, .. Product.Contracts]).Holds(atLeast: 8);

    [Fact]
    public void A_module_that_knows_a_redis_client_is_caught() => DependencyRules.OnlyBuildingBlocksKnowRedis(
        [Offender.Module("public class Peeks { public StackExchange.Redis.IDatabase? Database; }")]).Catches("SevenX42.Modules.Planted");
}
