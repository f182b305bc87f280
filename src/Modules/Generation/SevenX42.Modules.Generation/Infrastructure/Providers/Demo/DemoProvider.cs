using Microsoft.Extensions.AI;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Generation.Domain;

namespace SevenX42.Modules.Generation.Infrastructure.Providers.Demo;

/// <summary>The built-in demo model: no language model, always there, and it says so.</summary>
internal sealed class DemoProvider(double tokensPerSecond, TimeProvider time) : IModelProvider
{
    public const string ProviderName = "demo";

    public static ModelInfo Model { get; } = new("demo/demo", "Demo (not a language model)", ProviderName, 8192, IsDemo: true, Sees: false);

    public string Name => ProviderName;

    public bool ContinuesAssistantMessage => true;

    public ProviderLimits Limits { get; } = new(
        MaxConcurrent: 10_000,
        FirstToken: TimeSpan.FromSeconds(30),
        Idle: TimeSpan.FromSeconds(30),
        Total: TimeSpan.FromMinutes(10),
        MaxOutputCharacters: 400_000,
        Retry: new RetryPolicy(1, TimeSpan.Zero, TimeSpan.Zero));

    public IChatClient CreateClient(string model) => new DemoChatClient(tokensPerSecond, time);

    public GenerationFailure Explain(Exception exception, string model) => Failures.Unexpected;
}
