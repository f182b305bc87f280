using System.Net.Http.Headers;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using SevenX42.Contracts.Media;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Domain.Images;
using SevenX42.Modules.Generation.Infrastructure.Providers.OpenAI;

namespace SevenX42.Modules.Generation.Infrastructure.Providers.Images;

/// <summary>
/// A server with OpenAI's image API, <c>POST images/generations</c>. No steps: it reports none. The models of the family
/// <c>gpt-image</c> stream up to three partial pictures; others answer once, with base64 or with a URL. Closing the request is how it is
/// cancelled. Fields: https://github.com/openai/openai-python, src/openai/types/image_generate_params.py, image_gen_stream_event.py,
/// images_response.py, image.py.
/// </summary>
/// <param name="options">Its configuration.</param>
/// <param name="api">Root of its API, as found out: with <c>/v1</c> or without.</param>
/// <param name="http">The connections to configured servers.</param>
/// <param name="elsewhere">Connections for a URL that leads to another server.</param>
/// <param name="time">The clock.</param>
internal sealed class OpenAIImageProvider(ProviderOptions options, Uri api, HttpMessageHandler http, HttpMessageHandler elsewhere, TimeProvider time)
    : IImageProvider
{
    private const int MaxPicture = 32 * 1024 * 1024;

    /// <summary>The most that can be asked for.</summary>
    private const int PartialImages = 3;

    private readonly ProviderErrors _errors = new(options.Name, options.ApiKey, time);
    private readonly ImageServer _server = new(
        api,
        Key(options.ApiKey),
        http,
        new ProviderErrors(options.Name, options.ApiKey, time),
        new ProviderErrors(options.Name, options.ApiKey, time).Read);

    public string Name => options.Name;

    public ProviderLimits Limits { get; } = ProviderLimits.OfImages(options);

    public GenerationFailure Explain(Exception exception, string model) => exception is ForbiddenAddressException
        or HttpRequestException { InnerException: ForbiddenAddressException }
        ? ImageFailures.Forbidden(options.Name)
        : _errors.Explain(exception, model);

    /// <summary>What a model can be told, by its name: the API has no way to ask.</summary>
    public static ImageCapabilities For(string model)
    {
        var (sizes, prompt) = model switch
        {
            _ when Streams(model) => (new ImageSize[] { new(1024, 1024), new(1536, 1024), new(1024, 1536) }, ImageProvenance.LongestPrompt),
            "dall-e-3" => ([new(1024, 1024), new(1792, 1024), new(1024, 1792)], 4_000),
            "dall-e-2" => ([new(1024, 1024), new(512, 512), new(256, 256)], 1_000),
            _ => ([new(1024, 1024), new(512, 512)], 4_000),
        };
        return new ImageCapabilities(
            sizes, ImageCapabilities.MostImages, prompt, MaxSeed: null, HasNegativePrompt: false, Steps: null, ReportsSteps: false, Streams(model));
    }

    public async IAsyncEnumerable<ImageUpdate> GenerateAsync(
        ImageRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // Events don't say which of several pictures they are about, and dall-e-3 makes one at a time.
        var oneByOne = Streams(request.Model) || request.Model == "dall-e-3";
        for (var i = 0; i < request.Count; i += oneByOne ? 1 : request.Count)
        {
            using var response = await _server.SendAsync(
                HttpMethod.Post,
                "images/generations",
                Body(request, oneByOne ? 1 : request.Count),
                Streams(request.Model) ? "text/event-stream" : "application/json",
                request.Model,
                cancellationToken);
            var updates = response.Content.Headers.ContentType?.MediaType == "text/event-stream"
                ? ReadEventsAsync(response, i, request, cancellationToken)
                : ReadAnswerAsync(response, i, cancellationToken);
            await foreach (var update in updates)
                yield return update;
        }
    }

    private static JsonObject Body(ImageRequest request, int count)
    {
        var body = new JsonObject
        {
            ["model"] = request.Model,
            ["prompt"] = request.Prompt,
            ["n"] = count,
            ["size"] = FormattableString.Invariant($"{request.Size.Width}x{request.Size.Height}"),
        };
        if (Streams(request.Model))
        {
            body["stream"] = true;
            body["partial_images"] = PartialImages;
        }
        else
        {
            body["response_format"] = "b64_json";
        }

        return body;
    }

    /// <summary>
    /// <c>image_generation.partial_image</c> and <c>image_generation.completed</c>, both with <c>b64_json</c>; the type is in the data, too.
    /// </summary>
    private async IAsyncEnumerable<ImageUpdate> ReadEventsAsync(
        HttpResponseMessage response, int index, ImageRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // The guard throws what an error in the stream means, and ends one that is too long.
        await using var stream = new EventStreamGuard(
            await response.Content.ReadAsStreamAsync(cancellationToken),
            new StreamMonitor(),
            new EventStreamLimits(MaxPicture * 2, ImageServer.MaxPictures * 2L, _errors.TooLong),
            root => new ProviderFault(ExplainError(root, request.Model)));
        var done = false;
        await foreach (var item in SseParser.Create(stream).EnumerateAsync(cancellationToken))
        {
            if (item.Data is "" or "[DONE]")
                continue;
            using var document = Parse(item.Data);
            switch (Text(document.RootElement, "type") is { Length: > 0 } type ? type : item.EventType)
            {
                case "image_generation.partial_image" when Decode(document.RootElement) is { } preview:
                    yield return new ImagePreview(index, preview, "");
                    break;
                case "image_generation.completed":
                    done = true;
                    yield return new ImageResult(index, Decode(document.RootElement) ?? [], "", null);
                    break;
            }
        }

        if (!done)
            throw new ProviderFault(Failures.StreamBroken(options.Name));
    }

    /// <summary><c>data</c>: a list of pictures, each <c>b64_json</c> or <c>url</c>.</summary>
    private async IAsyncEnumerable<ImageUpdate> ReadAnswerAsync(
        HttpResponseMessage response, int index, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var document = await _server.ReadJsonAsync(response, cancellationToken);
        if (document.RootElement.ValueKind != JsonValueKind.Object
            || !document.RootElement.TryGetProperty("data", out var data) || data.ValueKind != JsonValueKind.Array)
        {
            throw new ProviderFault(_errors.Malformed);
        }

        foreach (var image in data.EnumerateArray())
        {
            var bytes = Decode(image);
            var fetched = bytes is null && Text(image, "url") is { Length: > 0 } url ? await FetchAsync(url, cancellationToken) : bytes;
            yield return new ImageResult(index++, fetched, "", null);
        }
    }

    /// <summary>A picture at a URL: from the server itself as anything of it, from elsewhere only if that is on the public internet.</summary>
    private async Task<ReadOnlyMemory<byte>> FetchAsync(string url, CancellationToken cancellationToken)
    {
        if (url.StartsWith("data:", StringComparison.Ordinal))
            return ImageServer.FromBase64(url);
        if (!Uri.TryCreate(api, url, out var address) || address.Scheme is not ("http" or "https") || address.UserInfo.Length > 0)
            throw new ProviderFault(ImageFailures.NotAnImage(options.Name));
        var isItself = address.Scheme == api.Scheme && address.Authority == api.Authority;
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        if (isItself)
            request.Headers.Authorization = Key(options.ApiKey);
        using var invoker = new HttpMessageInvoker(isItself ? http : elsewhere, disposeHandler: false);
        using var response = await invoker.SendAsync(request, cancellationToken);
        return response.IsSuccessStatusCode && await ImageServer.ReadAsync(response, MaxPicture, cancellationToken) is { } bytes
            ? bytes
            : throw new ProviderFault(ImageFailures.NotAnImage(options.Name));
    }

    private GenerationFailure ExplainError(JsonElement root, string model)
    {
        var (message, code) = _errors.Read(root);
        return code is "content_policy_violation" or "moderation_blocked"
            ? ImageFailures.Refused(options.Name, message)
            : _errors.ExplainInStream(root, model);
    }

    private JsonDocument Parse(string data)
    {
        try
        {
            return JsonDocument.Parse(data);
        }
        catch (JsonException e)
        {
            throw new ProviderFault(_errors.Malformed, e);
        }
    }

    private static byte[]? Decode(JsonElement image)
    {
        // Without the text in between, which would be three times as large.
        if (image.ValueKind == JsonValueKind.Object && image.TryGetProperty("b64_json", out var encoded)
            && encoded.ValueKind == JsonValueKind.String && encoded.TryGetBytesFromBase64(out var bytes))
            return bytes.Length > 0 ? bytes : null;
        try
        {
            return Text(image, "b64_json") is { Length: > 0 } text ? ImageServer.FromBase64(text) : null;
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private static string Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()!
            : "";

    private static bool Streams(string model) => model.Contains("gpt-image", StringComparison.Ordinal);

    private static AuthenticationHeaderValue? Key(string? key) => string.IsNullOrEmpty(key) ? null : new("Bearer", key);
}
