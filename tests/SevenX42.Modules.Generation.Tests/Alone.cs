namespace SevenX42.Modules.Generation.Tests;

/// <summary>Tests beside which no other runs, because they measure time.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
