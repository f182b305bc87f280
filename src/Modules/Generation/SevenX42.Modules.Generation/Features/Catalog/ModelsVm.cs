using SevenX42.Contracts.Generation;

namespace SevenX42.Modules.Generation.Features.Catalog;

/// <summary>Models and the servers they come from.</summary>
/// <param name="Models">The models that write and can be chosen, the demo model last.</param>
/// <param name="ImageModels">The models that draw, the demo last.</param>
/// <param name="Providers">The servers.</param>
public sealed record ModelsVm(IReadOnlyList<ModelVm> Models, IReadOnlyList<ImageModelInfo> ImageModels, IReadOnlyList<ProviderVm> Providers);

/// <summary>A model that can be chosen.</summary>
/// <param name="Id">As it is asked for.</param>
/// <param name="Name">As people know it.</param>
/// <param name="Provider">Name of its server.</param>
/// <param name="ContextTokens">Its window.</param>
/// <param name="IsDemo">Whether it is no language model.</param>
/// <param name="Sees">Whether it can be shown pictures; <see langword="null"/> where nobody says.</param>
public sealed record ModelVm(string Id, string Name, string Provider, int ContextTokens, bool IsDemo, bool? Sees);

/// <summary>A server that models come from.</summary>
/// <param name="Name">Its name.</param>
/// <param name="State">A state of <see cref="ProviderInfo"/>.</param>
/// <param name="Message">What is wrong and what to do about it; empty when nothing is.</param>
/// <param name="ModelCount">How many models it offers.</param>
/// <param name="Settings">What the names of its environment variables begin with; empty when it was found on this machine.</param>
public sealed record ProviderVm(string Name, string State, string Message, int ModelCount, string Settings);
