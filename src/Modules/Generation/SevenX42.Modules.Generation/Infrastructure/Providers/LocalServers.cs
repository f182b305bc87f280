using System.Collections.Concurrent;
using System.Text.Json;
using SevenX42.Modules.Generation.Infrastructure.Providers.OpenAI;

namespace SevenX42.Modules.Generation.Infrastructure.Providers;

/// <summary>The model servers that are looked for on this machine, and what only they can say about a model.</summary>
internal sealed class LocalServers(ModelListing listing, TimeProvider time)
{
    /// <summary>A local server without an answer in that time is not there.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromMilliseconds(500);

    /// <summary>Ollama cuts a longer prompt at its beginning and says nothing.</summary>
    private const int OllamaContext = 4096;

    private static readonly (string Name, string Url)[] Usual =
    [
        ("ollama", "http://127.0.0.1:11434"),
        ("lmstudio", "http://127.0.0.1:1234"),
        ("llamacpp", "http://127.0.0.1:8080"),
        ("vllm", "http://127.0.0.1:8000"),
        ("webui", "http://127.0.0.1:7860"),
        ("comfyui", "http://127.0.0.1:8188"),
    ];

    /// <summary>How long what Ollama said of a model holds: a model may be pulled anew under its name.</summary>
    private static readonly TimeSpan SightLasts = TimeSpan.FromMinutes(5);

    /// <summary>Which models of Ollama see, by address and model, and when it was asked.</summary>
    private readonly ConcurrentDictionary<(Uri Address, string Model), (bool Sees, long Asked)> _sight = new();

    /// <summary>What was said until then is asked again.</summary>
    private long _anew = long.MinValue;

    /// <summary>Those to look for, without those that are configured.</summary>
    public static List<ProviderOptions> Targets(GenerationOptions options)
    {
        var targets = options.DiscoveryTargets.Count == 0
            ? Usual
            : [.. options.DiscoveryTargets.Select(t => t.Split('=', 2)).Where(t => t.Length == 2).Select(t => (t[0], t[1]))];
        var taken = options.Providers.Select(p => p.Name).ToHashSet(StringComparer.OrdinalIgnoreCase);
        var known = options.Providers.Select(p => Place(p.BaseUrl)).ToHashSet();
        return [.. targets.Where(t => !known.Contains(Place(t.Url)) && taken.Add(t.Name)).Select(t => new ProviderOptions
        {
            Name = t.Name,
            BaseUrl = t.Url,
            Kind = t.Name switch
            {
                "webui" => ProviderKind.WebUI,
                "comfyui" => ProviderKind.ComfyUI,
                _ => ProviderKind.OpenAI,
            },

            // One machine: more at once only makes each slower, and a model that is not loaded takes its time.
            MaxConcurrent = t.Name is "webui" or "comfyui" ? null : 4,
            FirstTokenTimeout = TimeSpan.FromMinutes(3),
            ContextTokens = t.Name == "ollama" ? OllamaContext : null,
        })];

        static string Place(string url)
        {
            var uri = new Uri(url);
            return $"{(uri.IsLoopback ? "loopback" : uri.Host)}:{uri.Port}";
        }
    }

    /// <summary>Asks anew the next time, instead of remembering.</summary>
    public void AskAnew() => Volatile.Write(ref _anew, time.GetTimestamp());

    /// <summary>
    /// The listed models with what only a server of their kind says: the context window that it really runs a model with, and whether the
    /// model can be shown pictures.
    /// </summary>
    public async Task<IReadOnlyList<ListedModel>> DescribeAsync(
        ProviderOptions options, IReadOnlyList<ListedModel> listed, CancellationToken cancellationToken)
    {
        var (contexts, sight) = await AskAsync(options, cancellationToken);
        if (options.Name == "ollama")
            await AskOllamaAsync(new Uri(new Uri(options.BaseUrl), "/api/show"), listed, sight, cancellationToken);
        return [.. listed.Select(m => m with
        {
            ContextTokens = contexts.TryGetValue(m.Id, out var own) || contexts.TryGetValue("*", out own) ? own : m.ContextTokens,
            Sees = sight.TryGetValue(m.Id, out var sees) ? sees : m.Sees,
        })];
    }

    // https://docs.ollama.com/api/show
    private async Task AskOllamaAsync(Uri address, IReadOnlyList<ListedModel> listed, Dictionary<string, bool> sight, CancellationToken cancellationToken)
    {
        var ids = listed.Select(m => m.Id).ToHashSet(StringComparer.Ordinal);
        foreach (var gone in _sight.Keys.Where(k => k.Address == address && !ids.Contains(k.Model)))
            _sight.TryRemove(gone, out _);
        var answers = true;
        foreach (var id in ids)
        {
            var isKnown = _sight.TryGetValue((address, id), out var known);
            if (answers && (!isKnown || IsOld(known.Asked)))
            {
                var asked = time.GetTimestamp();
                using var document = await listing.FindAsync(address, Limit, cancellationToken, JsonSerializer.Serialize(new { model = id }));
                answers = document is not null;
                if (document is not null && ModelListing.Says(document.RootElement, "capabilities", "vision") is { } said)
                {
                    _sight[(address, id)] = known = (said, asked);
                    isKnown = true;
                }
            }

            // What it said before is likelier than nothing, when it does not answer now.
            if (isKnown)
                sight[id] = known.Sees;
        }
    }

    private bool IsOld(long asked) => asked <= Volatile.Read(ref _anew) || time.GetElapsedTime(asked) >= SightLasts;

    private async Task<(Dictionary<string, int> Contexts, Dictionary<string, bool> Sight)> AskAsync(
        ProviderOptions options, CancellationToken cancellationToken)
    {
        var contexts = new Dictionary<string, int>(StringComparer.Ordinal);
        var sight = new Dictionary<string, bool>(StringComparer.Ordinal);
        var (path, read) = options.Name switch
        {
            "ollama" => ("/api/ps", (Action<JsonElement>)ReadOllama),
            "lmstudio" => ("/api/v0/models", ReadLmStudio),
            "llamacpp" => ("/props", ReadLlamaCpp),
            _ => ("", _ => { }),
        };
        if (path.Length == 0)
            return (contexts, sight);
        using var document = await listing.FindAsync(new Uri(new Uri(options.BaseUrl), path), Limit, cancellationToken);
        if (document?.RootElement is { ValueKind: JsonValueKind.Object } root)
            read(root);
        return (contexts, sight);

        void ReadOllama(JsonElement root)
        {
            foreach (var model in Items(root, "models"))
                Note(model, "model", "context_length");
        }

        // https://lmstudio.ai/docs/developer/rest/endpoints
        void ReadLmStudio(JsonElement root)
        {
            foreach (var model in Items(root, "data"))
            {
                if (TextOf(model, "id") is { } id && TextOf(model, "type") is { } type)
                    sight[id] = type == "vlm";
                if (!Note(model, "id", "loaded_context_length"))
                    Note(model, "id", "max_context_length");
            }
        }

        // One model at a time: its window is everybody's.
        void ReadLlamaCpp(JsonElement root)
        {
            if (root.TryGetProperty("default_generation_settings", out var settings) && settings.ValueKind == JsonValueKind.Object
                && settings.TryGetProperty("n_ctx", out var context) && context.ValueKind == JsonValueKind.Number
                && context.TryGetInt32(out var tokens) && tokens >= 256)
            {
                contexts["*"] = tokens;
            }
        }

        bool Note(JsonElement model, string name, string field)
        {
            if (model.ValueKind != JsonValueKind.Object || !model.TryGetProperty(name, out var id) || id.ValueKind != JsonValueKind.String
                || !model.TryGetProperty(field, out var context) || context.ValueKind != JsonValueKind.Number
                || !context.TryGetInt32(out var tokens) || tokens < 256)
            {
                return false;
            }

            contexts[id.GetString()!] = tokens;
            return true;
        }
    }

    private static string? TextOf(JsonElement item, string name) =>
        item.ValueKind == JsonValueKind.Object && item.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String
            ? text.GetString()
            : null;

    private static JsonElement.ArrayEnumerator Items(JsonElement root, string name) =>
        root.TryGetProperty(name, out var items) && items.ValueKind == JsonValueKind.Array ? items.EnumerateArray() : default;
}
