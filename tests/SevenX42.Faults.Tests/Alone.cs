namespace SevenX42.Faults.Tests;

/// <summary>For tests that take the whole machine: they run one after the other.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
