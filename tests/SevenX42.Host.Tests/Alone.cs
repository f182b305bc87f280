namespace SevenX42.Host.Tests;

/// <summary>For tests that measure the whole process, or need all of it: they run one after the other, when no other test does.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
