using Microsoft.Extensions.AI;
using SevenX42.Modules.Generation.Domain;

namespace SevenX42.Modules.Generation.Infrastructure.Providers;

/// <summary>A source of models: a configured or discovered server, or the demo model.</summary>
internal interface IModelProvider
{
    /// <summary>First part of its models' ids.</summary>
    string Name { get; }

    /// <summary>What it is given, and for how long.</summary>
    ProviderLimits Limits { get; }

    /// <summary>Whether it continues a last message of the role assistant, instead of answering it.</summary>
    bool ContinuesAssistantMessage { get; }

    /// <summary>
    /// A client for one of its models. Its stream ends with a finish reason or throws: a stream that just stops is a fault.
    /// </summary>
    IChatClient CreateClient(string model);

    /// <summary>What an exception of the client means, in the reader's words.</summary>
    GenerationFailure Explain(Exception exception, string model);
}

/// <summary>Limits of a provider.</summary>
/// <param name="MaxConcurrent">Running generations, over all workers.</param>
/// <param name="FirstToken">How long the first token may take.</param>
/// <param name="Idle">How long the stream may be silent between tokens.</param>
/// <param name="Total">How long an answer may take in all.</param>
/// <param name="MaxOutputCharacters">How long an answer may be, reasoning included.</param>
/// <param name="Retry">Tries before the first token.</param>
internal sealed record ProviderLimits(
    int MaxConcurrent, TimeSpan FirstToken, TimeSpan Idle, TimeSpan Total, int MaxOutputCharacters, RetryPolicy Retry)
{
    // A service for many. What draws is one machine as a rule, on which more at once only makes each slower.
    private const int MostAtOnce = 64;

    public static ProviderLimits From(ProviderOptions options) => new(
        options.MaxConcurrent ?? (options.Kind == ProviderKind.OpenAI ? MostAtOnce : 1),
        options.FirstTokenTimeout,
        options.IdleTimeout,
        options.TotalTimeout,
        options.MaxOutputCharacters,
        new RetryPolicy(options.MaxTries, options.RetryDelay, options.MaxRetryAfter));

    /// <summary>
    /// Of who draws. Steps are far apart, and some servers have none: between two of them it may be silent as long as before the first.
    /// </summary>
    public static ProviderLimits OfImages(ProviderOptions options) => From(options) with { Idle = options.FirstTokenTimeout };
}
