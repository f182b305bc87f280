namespace SevenX42.Modules.Generation.Features.Catalog;

/// <summary>Models and the servers they come from.</summary>
public sealed record ModelsVm(IReadOnlyList<ModelVm> Models, IReadOnlyList<ProviderVm> Providers);

/// <summary>A model that can be chosen.</summary>
public sealed record ModelVm(string Id, string Name, string Provider, int ContextTokens, bool IsDemo);

/// <summary>A server that models come from.</summary>
public sealed record ProviderVm(string Name, bool IsReady, string Message, int ModelCount, bool IsDiscovered);
