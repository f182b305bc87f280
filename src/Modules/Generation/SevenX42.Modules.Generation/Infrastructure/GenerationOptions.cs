using System.ComponentModel.DataAnnotations;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Infrastructure.Providers;

namespace SevenX42.Modules.Generation.Infrastructure;

/// <summary>Configuration section <c>Generation</c>.</summary>
internal sealed class GenerationOptions : IValidatableObject
{
    public const string Section = "Generation";

    /// <summary>The configured servers.</summary>
    public List<ProviderOptions> Providers { get; } = [];

    /// <summary>Whether to look for model servers on this machine's usual ports. Default: only with the embedded database.</summary>
    public bool? Discovery { get; set; }

    /// <summary>Addresses that discovery asks, as <c>name=url</c>; empty for the usual ports of the usual servers.</summary>
    public List<string> DiscoveryTargets { get; } = [];

    /// <summary>Whether the built-in demo models are offered.</summary>
    public bool Demo { get; set; } = true;

    /// <summary>Tokens a second that the demo model streams.</summary>
    [Range(1, 100_000)]
    public double DemoTokensPerSecond { get; set; } = 50;

    /// <summary>Steps a second that the demo draws.</summary>
    [Range(0.1, 1_000)]
    public double DemoStepsPerSecond { get; set; } = 4;

    /// <summary>
    /// A name that only one live process has, the same after its restart: it then frees at once what its last life left. A second
    /// one is refused.
    /// Default: <c>embedded</c> with the embedded database, random otherwise.
    /// </summary>
    [StringLength(128)]
    public string? WorkerId { get; set; }

    /// <summary>Generations that run at once in one process.</summary>
    [Range(1, 100_000)]
    public int MaxConcurrent { get; set; } = 256;

    /// <summary>How long a worker may be silent before its work is given to another.</summary>
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How often a worker says that it lives.</summary>
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How often new text is stored.</summary>
    public TimeSpan CheckpointInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Text is stored earlier when this many characters are new.</summary>
    [Range(16, 1_000_000)]
    public int CheckpointCharacters { get; set; } = 4096;

    /// <summary>How often queued work is looked for when no signal comes.</summary>
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>Attempts that may die before a generation is given up.</summary>
    [Range(1, 100)]
    public int MaxAttempts { get; set; } = 3;

    /// <summary>
    /// How long running generations may go on when the process is told to stop; then they are handed over. The process ends within
    /// 20 seconds more.
    /// </summary>
    public TimeSpan DrainTime { get; set; } = TimeSpan.Zero;

    /// <summary>How long the text of a finished generation is kept here (the conversation keeps its own).</summary>
    public TimeSpan TextRetention { get; set; } = TimeSpan.FromHours(1);

    /// <summary>
    /// How long it is remembered at all: whose turn it was, how it ended, and that it is not to be made again. Longer than an
    /// undelivered request may wait for its last delivery.
    /// </summary>
    public TimeSpan JobRetention { get; set; } = TimeSpan.FromDays(30);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Heartbeat <= TimeSpan.Zero || Lease < Heartbeat * 2)
            yield return new ValidationResult("Generation:Lease must be at least twice Generation:Heartbeat, which must be positive.");
        if (CheckpointInterval <= TimeSpan.Zero || PollInterval <= TimeSpan.Zero)
            yield return new ValidationResult("Generation:CheckpointInterval and Generation:PollInterval must be positive.");
        if (DrainTime < TimeSpan.Zero || DrainTime > TimeSpan.FromHours(1))
            yield return new ValidationResult("Generation:DrainTime must be between nothing and an hour.");
        if (TextRetention < TimeSpan.Zero || JobRetention < TextRetention || JobRetention < TimeSpan.FromDays(1))
            yield return new ValidationResult("Generation:JobRetention must be at least a day and Generation:TextRetention, which must not be negative.");
        for (var i = 0; i < DiscoveryTargets.Count; i++)
        {
            foreach (var problem in FindProblems(DiscoveryTargets[i]))
                yield return new ValidationResult($"Generation:DiscoveryTargets:{i}: {problem}");
        }

        var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        for (var i = 0; i < Providers.Count; i++)
        {
            foreach (var problem in Providers[i].FindProblems())
                yield return new ValidationResult($"Generation:Providers:{i}:{problem}");
            if (!names.Add(Providers[i].Name))
                yield return new ValidationResult($"Generation:Providers:{i}:Name: two providers have this name.");
        }
    }

    private static IEnumerable<string> FindProblems(string target) => target.Split('=', 2) is [var name, var url]
        ? new ProviderOptions { Name = name, BaseUrl = url }.FindProblems()
        : ["Write it as name=url."];
}

/// <summary>One server: <c>Generation:Providers:n</c>.</summary>
internal sealed class ProviderOptions
{
    /// <summary>Which API it speaks.</summary>
    public ProviderKind Kind { get; set; }

    /// <summary>Short name, shown to people and part of the model ids: letters, digits, <c>.</c>, <c>_</c> and <c>-</c>.</summary>
    public string Name { get; set; } = "";

    /// <summary>Address, with or without <c>/v1</c>.</summary>
    public string BaseUrl { get; set; } = "";

    /// <summary>The key, if the server wants one.</summary>
    public string? ApiKey { get; set; }

    /// <summary>The models to offer; empty for all that the server lists. Of a server of pictures those that draw.</summary>
    public List<string> Models { get; } = [];

    /// <summary>Models of an OpenAI-compatible server that draw; empty for those of OpenAI that it lists.</summary>
    public List<string> ImageModels { get; } = [];

    /// <summary>Generations that run at once at this provider, over all workers. Default: 64, of a server that only draws 1.</summary>
    public int? MaxConcurrent { get; set; }

    /// <summary>Context window in tokens, where the server does not say.</summary>
    public int? ContextTokens { get; set; }

    /// <summary>Whether its models can be shown pictures; by default what it says of each itself.</summary>
    public bool? Vision { get; set; }

    /// <summary>Whether the server continues a last message of the role assistant, instead of answering it.</summary>
    public bool ContinuesAssistantMessage { get; set; }

    /// <summary>How long the first token may take, and each step of a picture. Local servers load the model first.</summary>
    public TimeSpan FirstTokenTimeout { get; set; } = TimeSpan.FromSeconds(120);

    /// <summary>How long the stream may be silent between tokens.</summary>
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long an answer may take in all.</summary>
    public TimeSpan TotalTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How long an answer may be, reasoning included.</summary>
    public int MaxOutputCharacters { get; set; } = 400_000;

    /// <summary>Requests before a busy or broken server is given up.</summary>
    public int MaxTries { get; set; } = 3;

    /// <summary>Wait before the second request, unless the server says when.</summary>
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest wait that a server may ask for; a longer one is an error.</summary>
    public TimeSpan MaxRetryAfter { get; set; } = TimeSpan.FromSeconds(60);

    public IEnumerable<string> FindProblems()
    {
        if (Name.Length is 0 or > 64 || !Name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'))
            yield return "Name must be 1 to 64 letters, digits, dots, dashes or underscores.";
        if (Name.ToUpperInvariant() is "DEMO" or "DEMO-IMAGES")
            yield return $"Name: \"{Name}\" is a built-in model's.";
        if (!Uri.TryCreate(BaseUrl, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https") || url.UserInfo.Length > 0)
            yield return "BaseUrl must be an http or https address without a user name, such as https://api.openai.com/v1.";
        if (ApiKey is { } key && key.Any(c => c is < ' ' or > '~'))
            yield return "ApiKey holds characters that no key has.";
        if (Kind != ProviderKind.OpenAI && ImageModels.Count > 0)
            yield return "ImageModels: all models of this kind of server draw; name them in Models.";
        foreach (var problem in FindProblems(Models, nameof(Models)).Concat(FindProblems(ImageModels, nameof(ImageModels))))
            yield return problem;
        if (MaxConcurrent < 1 || MaxTries < 1 || MaxOutputCharacters < 1 || ContextTokens < 256)
            yield return "MaxConcurrent, MaxTries and MaxOutputCharacters must be at least 1, ContextTokens at least 256.";
        if (FirstTokenTimeout <= TimeSpan.Zero || IdleTimeout <= TimeSpan.Zero || TotalTimeout <= TimeSpan.Zero
            || RetryDelay < TimeSpan.Zero || MaxRetryAfter < TimeSpan.Zero)
        {
            yield return "Timeouts must be positive.";
        }
    }

    private IEnumerable<string> FindProblems(List<string> models, string name)
    {
        for (var i = 0; i < models.Count; i++)
        {
            if (models.IndexOf(models[i]) < i)
                yield return $"{name}:{i}: two models have this id.";
            if (new ModelId(Name, models[i]).ToString().Length > ModelInfo.LongestId)
                yield return $"{name}:{i}: with the name of the provider before it, an id has at most {ModelInfo.LongestId} characters.";
        }
    }
}
