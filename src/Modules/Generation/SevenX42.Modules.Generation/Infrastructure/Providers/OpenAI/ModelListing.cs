using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Generation.Domain;

namespace SevenX42.Modules.Generation.Infrastructure.Providers.OpenAI;

/// <summary>A model as its server lists it.</summary>
/// <param name="ContextTokens">Its context window, where the server says.</param>
/// <param name="Sees">Whether it can be shown pictures, where the server says.</param>
internal readonly record struct ListedModel(string Id, int? ContextTokens, bool? Sees = null);

/// <summary>What a server listed, or why it did not.</summary>
/// <param name="Api">Root of the API that answered.</param>
internal sealed record ModelList(Uri? Api, IReadOnlyList<ListedModel> Models, GenerationFailure? Failure);

/// <summary>Asks servers for their models: bounded in time and size, no redirects.</summary>
internal sealed partial class ModelListing(ProviderConnections connections) : IDisposable
{
    private const int MaxBody = 4 * 1024 * 1024;
    private const int MaxModels = 1000;

    private readonly HttpClient _http = new(connections.Handler, disposeHandler: false) { Timeout = Timeout.InfiniteTimeSpan };

    /// <summary>Where the API may begin, likeliest first: people leave <c>/v1</c> out, and some servers have none.</summary>
    public static IReadOnlyList<Uri> Candidates(string baseUrl)
    {
        var url = baseUrl.TrimEnd('/');
        var path = new Uri(url).AbsolutePath.TrimEnd('/');
        if (path.EndsWith("/v1", StringComparison.Ordinal))
            return [new Uri(url)];
        return path.Length == 0 ? [new Uri($"{url}/v1"), new Uri(url)] : [new Uri(url), new Uri($"{url}/v1")];
    }

    /// <summary>The server's models.</summary>
    public async Task<ModelList> FetchAsync(ProviderOptions options, TimeSpan limit, ProviderErrors errors, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(limit);
        GenerationFailure? failure = null;
        foreach (var api in Candidates(options.BaseUrl))
        {
            try
            {
                var (models, refusal) = await AskAsync(api, options, errors, timeout.Token);
                if (models is not null)
                    return new ModelList(api, models, null);
                failure ??= refusal;

                // Only a route that is not there, or is a page, is looked for elsewhere.
                if (refusal!.Code is not ("provider_not_found" or "provider_html" or "provider_malformed"))
                    break;
            }
            catch (OperationCanceledException) when (timeout.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                return new ModelList(null, [], errors.SilentAbout(limit));
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested
                && e is HttpRequestException or IOException or OperationCanceledException)
            {
                return new ModelList(null, [], errors.Explain(e, ""));
            }
        }

        return new ModelList(null, [], failure);
    }

    /// <summary>Reads a JSON document of the server beside its OpenAI-compatible API; <see langword="null"/> when there is none.</summary>
    /// <param name="address">Where it stands.</param>
    /// <param name="limit">How long it may take.</param>
    /// <param name="cancellationToken">Nobody waits any more.</param>
    /// <param name="question">JSON to be posted there; <see langword="null"/> for nothing.</param>
    public async Task<JsonDocument?> FindAsync(Uri address, TimeSpan limit, CancellationToken cancellationToken, string? question = null)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(limit);
        try
        {
            using var request = new HttpRequestMessage(question is null ? HttpMethod.Get : HttpMethod.Post, address);
            if (question is not null)
                request.Content = new StringContent(question, Encoding.UTF8, "application/json");
            using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, timeout.Token);
            return response.IsSuccessStatusCode && await ReadAsync(response.Content, timeout.Token) is { } body ? TolerantJson.Parse(body) : null;
        }
        catch (Exception e) when (e is HttpRequestException or IOException or JsonException
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return null;
        }
    }

    public void Dispose() => _http.Dispose();

    /// <summary>Whether a listed model is one to chat with, as far as its name tells.</summary>
    public static bool IsForChat(string id) => !NotForChat().IsMatch(id);

    /// <summary>Whether a listed model is one that draws, as far as its name tells.</summary>
    public static bool IsForImages(string id) => ForImages().IsMatch(id);

    private async Task<(List<ListedModel>? Models, GenerationFailure? Failure)> AskAsync(
        Uri api, ProviderOptions options, ProviderErrors errors, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{api.ToString().TrimEnd('/')}/models");
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        if (!string.IsNullOrEmpty(options.ApiKey))
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", options.ApiKey);
        using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        var status = (int)response.StatusCode;
        if (status is >= 300 and < 400)
            return (null, errors.Redirects(response.Headers.Location));
        if (status >= 400)
            return (null, errors.RefusedModels(status));
        if (response.Content.Headers.ContentType?.MediaType is "text/html")
            return (null, errors.Html);
        var body = await ReadAsync(response.Content, cancellationToken);
        return body is not null && Parse(body, options.Name) is { } models ? (models, null) : (null, errors.NoModelList);
    }

    private static async Task<byte[]?> ReadAsync(HttpContent content, CancellationToken cancellationToken)
    {
        if (content.Headers.ContentLength > MaxBody)
            return null;
        using var stream = await content.ReadAsStreamAsync(cancellationToken);
        using var body = new MemoryStream();
        var buffer = new byte[16 * 1024];
        while (await stream.ReadAsync(buffer, cancellationToken) is var read and > 0)
        {
            if (body.Length + read > MaxBody)
                return null;
            body.Write(buffer, 0, read);
        }

        return body.ToArray();
    }

    /// <summary>The list of an OpenAI-compatible server; <see langword="null"/> when this is no such list.</summary>
    internal static List<ListedModel>? Parse(byte[] body, string provider)
    {
        try
        {
            using var document = TolerantJson.Parse(body);
            var root = document.RootElement;
            var data = root.ValueKind == JsonValueKind.Object && root.TryGetProperty("data", out var inner) ? inner : root;
            if (data.ValueKind != JsonValueKind.Array)
                return null;
            var models = new List<ListedModel>();
            foreach (var item in data.EnumerateArray())
            {
                if (item.ValueKind != JsonValueKind.Object || !item.TryGetProperty("id", out var id) || id.ValueKind != JsonValueKind.String)
                    return null;

                // What is no text can't be asked for, and what is too long can't be stored.
                var name = id.GetString()!;
                if (name.Length > 0 && new ModelId(provider, name).ToString().Length <= ModelInfo.LongestId
                    && !name.Any(c => char.IsControl(c) || c == '\uFFFD') && models.Count < MaxModels)
                {
                    models.Add(new ListedModel(name, FindContext(item), FindSight(item) ?? FindSight(root, name)));
                }
            }

            return models;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static int? FindContext(JsonElement model)
    {
        // vLLM, OpenRouter and Together, Groq, LM Studio, llama.cpp.
        foreach (var name in (ReadOnlySpan<string>)["max_model_len", "context_length", "context_window", "loaded_context_length", "max_context_length"])
        {
            if (model.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var tokens) && tokens >= 256)
                return tokens;
        }

        return model.TryGetProperty("meta", out var meta) && meta.ValueKind == JsonValueKind.Object
            && meta.TryGetProperty("n_ctx", out var context) && context.ValueKind == JsonValueKind.Number
            && context.TryGetInt32(out var size) && size >= 256
                ? size
                : null;
    }

    // OpenRouter: https://openrouter.ai/docs/api-reference/list-available-models
    private static bool? FindSight(JsonElement model) =>
        model.TryGetProperty("architecture", out var architecture) ? Says(architecture, "input_modalities", "image") : null;

    // llama.cpp lists what its models are capable of beside the list that OpenAI has.
    private static bool? FindSight(JsonElement root, string name)
    {
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("models", out var models) || models.ValueKind != JsonValueKind.Array)
            return null;
        var model = models.EnumerateArray().FirstOrDefault(m =>
            m.ValueKind == JsonValueKind.Object && m.TryGetProperty("model", out var id) && id.ValueKind == JsonValueKind.String && id.ValueEquals(name));
        return Says(model, "capabilities", "multimodal");
    }

    /// <summary>Whether a list of an object has a word; <see langword="null"/> when there is no such list.</summary>
    internal static bool? Says(JsonElement item, string list, string word) =>
        item.ValueKind == JsonValueKind.Object && item.TryGetProperty(list, out var words) && words.ValueKind == JsonValueKind.Array
            ? words.EnumerateArray().Any(w => w.ValueKind == JsonValueKind.String && w.ValueEquals(word))
            : null;

    [GeneratedRegex(@"embed|whisper|\btts\b|-tts|dall-e|moderation|transcribe|realtime|-audio|gpt-image|rerank|\bsora\b|^(davinci|babbage)-002$", RegexOptions.IgnoreCase)]
    private static partial Regex NotForChat();

    [GeneratedRegex("^(dall-e-[23]$|(chat)?gpt-image)", RegexOptions.IgnoreCase)]
    private static partial Regex ForImages();
}
