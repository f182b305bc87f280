using System.Net.Http.Headers;
using System.Net.WebSockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Domain.Images;
using SevenX42.Modules.Generation.Infrastructure.Providers.OpenAI;

namespace SevenX42.Modules.Generation.Infrastructure.Providers.Images;

/// <summary>
/// A ComfyUI server. Each picture is a prompt of its own, a graph of nodes, so that each has a seed that makes it again; its WebSocket tells
/// of steps and previews, <c>/history</c> of the result. Routes and fields: https://github.com/comfyanonymous/ComfyUI, server.py,
/// execution.py, script_examples/websockets_api_example.py.
/// </summary>
/// <param name="options">Its configuration.</param>
/// <param name="http">The connections to configured servers.</param>
/// <param name="time">The clock.</param>
internal sealed class ComfyUIProvider(ProviderOptions options, HttpMessageHandler http, TimeProvider time) : IImageProvider
{
    private const int MaxMessage = 32 * 1024 * 1024;

    /// <summary>Id of the node that draws.</summary>
    private const string Sampler = "3";

    /// <summary>How long stopping may take before the server is left to itself.</summary>
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(2);

    private readonly ProviderErrors _errors = new(options.Name, options.ApiKey, time);
    private readonly ImageServer _server = new(
        new Uri(options.BaseUrl), Key(options.ApiKey), http, new ProviderErrors(options.Name, options.ApiKey, time), ReadError);

    /// <summary>What all its checkpoints can be told.</summary>
    public static ImageCapabilities Capabilities { get; } = WebUIProvider.Capabilities with
    {
        // Its own are larger; these survive every reader of JSON.
        MaxSeed = (1L << 53) - 1 - ImageCapabilities.MostImages,
    };

    public string Name => options.Name;

    public ProviderLimits Limits { get; } = ProviderLimits.OfImages(options);

    public GenerationFailure Explain(Exception exception, string model) => exception switch
    {
        WebSocketException { InnerException: { } inner } => _errors.Explain(inner, model),
        WebSocketException { WebSocketErrorCode: WebSocketError.NotAWebSocket } => _errors.RefusedImage(404, "", "", model),
        WebSocketException => Failures.StreamBroken(options.Name),
        _ => _errors.Explain(exception, model),
    };

    /// <summary>Its checkpoints, by the names that the loader takes.</summary>
    public async Task<IReadOnlyList<ImageModel>> ListModelsAsync(CancellationToken cancellationToken)
    {
        using var document = await _server.AskAsync(HttpMethod.Get, "models/checkpoints", null, "", cancellationToken);
        if (document.RootElement.ValueKind != JsonValueKind.Array)
            throw new ProviderFault(_errors.Malformed);
        return [.. document.RootElement.EnumerateArray().Where(m => m.ValueKind == JsonValueKind.String).Select(m => m.GetString()!)
            .Select(m => new ImageModel(m, Path.GetFileNameWithoutExtension(m.Replace('\\', '/')), Capabilities))];
    }

    public async IAsyncEnumerable<ImageUpdate> GenerateAsync(
        ImageRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var client = Guid.CreateVersion7(time.GetUtcNow()).ToString("n");
        using var socket = await ConnectAsync(client, cancellationToken);
        for (var i = 0; i < request.Count; i++)
        {
            await foreach (var update in DrawAsync(socket, client, request, i, cancellationToken))
                yield return update;
        }
    }

    private async IAsyncEnumerable<ImageUpdate> DrawAsync(
        ClientWebSocket socket, string client, ImageRequest request, int index, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var seed = (request.Seed ?? 0) + index;

        // A server that does not take the id that it is given answers with its own.
        var prompt = Guid.CreateVersion7(time.GetUtcNow()).ToString();
        var isOver = false;
        try
        {
            var body = new JsonObject { ["prompt"] = Graph(request, seed), ["client_id"] = client, ["prompt_id"] = prompt };
            using (var queued = await _server.AskAsync(HttpMethod.Post, "prompt", body, request.Model, cancellationToken))
                prompt = Text(queued.RootElement, "prompt_id") is { Length: > 0 } given ? given : throw new ProviderFault(_errors.Malformed);
            var (started, position) = (false, -1);
            while (!isOver)
            {
                var message = await ReceiveAsync(socket, prompt, cancellationToken);
                switch (message.Kind)
                {
                    case ComfyMessageKind.Status when !started:
                        if (await FindAsync(prompt, cancellationToken) is { } place && place > 0 && place != position)
                            yield return new ImageQueued(position = place);
                        break;
                    case ComfyMessageKind.Started:
                        started = true;
                        break;
                    case ComfyMessageKind.Progress when message.Max > 0:
                        started = true;
                        yield return new ImageStep((message.Max * index) + message.Value, message.Max * request.Count);
                        break;
                    case ComfyMessageKind.Preview:
                        yield return new ImagePreview(index, message.Preview, "");
                        break;
                    case ComfyMessageKind.Done:
                        isOver = true;
                        break;
                    case ComfyMessageKind.Failed:
                        isOver = true;
                        throw new ProviderFault(_errors.RefusedImage(500, message.Error, "", request.Model));
                    case ComfyMessageKind.Interrupted:
                        isOver = true;
                        throw new ProviderFault(ImageFailures.Stopped(options.Name));
                }
            }

            yield return new ImageResult(index, await FetchAsync(prompt, request.Model, cancellationToken), "", seed);
        }
        finally
        {
            if (!isOver)
                await StopAsync(prompt);
        }
    }

    private async Task<ClientWebSocket> ConnectAsync(string client, CancellationToken cancellationToken)
    {
        var address = new UriBuilder($"{options.BaseUrl.TrimEnd('/')}/ws?clientId={client}");
        address.Scheme = address.Scheme == Uri.UriSchemeHttps ? Uri.UriSchemeWss : Uri.UriSchemeWs;
        var socket = new ClientWebSocket();
        try
        {
            if (Key(options.ApiKey) is { } key)
                socket.Options.SetRequestHeader("Authorization", key.ToString());
            using var invoker = new HttpMessageInvoker(http, disposeHandler: false);
            await socket.ConnectAsync(address.Uri, invoker, cancellationToken);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task<ComfyMessage> ReceiveAsync(ClientWebSocket socket, string prompt, CancellationToken cancellationToken)
    {
        using var message = new MemoryStream();
        var buffer = new byte[16 * 1024];
        while (true)
        {
            var part = await socket.ReceiveAsync(buffer.AsMemory(), cancellationToken);
            if (part.MessageType == WebSocketMessageType.Close)
                throw new ProviderFault(Failures.StreamBroken(options.Name));
            if (message.Length + part.Count > MaxMessage)
                throw new ProviderFault(_errors.TooLong);
            message.Write(buffer, 0, part.Count);
            if (!part.EndOfMessage)
                continue;
            var bytes = message.GetBuffer().AsMemory(0, (int)message.Length);
            return part.MessageType == WebSocketMessageType.Binary ? ComfyMessage.Read(bytes) : ComfyMessage.Read(bytes.Span, prompt, Sampler);
        }
    }

    /// <summary>
    /// <c>/queue</c>: <c>queue_running</c> and <c>queue_pending</c> are lists of <c>[number, prompt_id, …]</c>; the least number is next.
    /// </summary>
    /// <returns>How many are before the prompt: 0 when it is being worked on; <see langword="null"/> when it is not there.</returns>
    private async Task<int?> FindAsync(string prompt, CancellationToken cancellationToken)
    {
        using var document = await _server.AskAsync(HttpMethod.Get, "queue", null, "", cancellationToken);
        var (running, pending) = (Items("queue_running"), Items("queue_pending"));
        if (running.Exists(r => r.Id == prompt))
            return 0;
        var at = pending.OrderBy(p => p.Number).ToList().FindIndex(p => p.Id == prompt);
        return at < 0 ? null : running.Count + at;

        List<(double Number, string Id)> Items(string name) =>
            document.RootElement.TryGetProperty(name, out var list) && list.ValueKind == JsonValueKind.Array
                ? [.. list.EnumerateArray().Where(IsEntry).Select(i => (i[0].GetDouble(), i[1].GetString()!))]
                : [];

        static bool IsEntry(JsonElement item) => item.ValueKind == JsonValueKind.Array && item.GetArrayLength() > 1
            && item[0].ValueKind == JsonValueKind.Number && item[1].ValueKind == JsonValueKind.String;
    }

    /// <summary><c>/history/{id}</c> names the files of each node's <c>images</c>, <c>/view</c> has them.</summary>
    private async Task<ReadOnlyMemory<byte>> FetchAsync(string prompt, string model, CancellationToken cancellationToken)
    {
        using var document = await _server.AskAsync(HttpMethod.Get, $"history/{Uri.EscapeDataString(prompt)}", null, model, cancellationToken);
        if (!document.RootElement.TryGetProperty(prompt, out var entry) || entry.ValueKind != JsonValueKind.Object
            || !entry.TryGetProperty("outputs", out var outputs) || outputs.ValueKind != JsonValueKind.Object)
        {
            throw new ProviderFault(ImageFailures.Missing(options.Name));
        }

        foreach (var node in outputs.EnumerateObject())
        {
            if (node.Value.ValueKind != JsonValueKind.Object || !node.Value.TryGetProperty("images", out var images)
                || images.ValueKind != JsonValueKind.Array || images.GetArrayLength() == 0)
            {
                continue;
            }

            var (file, folder, type) = (Text(images[0], "filename"), Text(images[0], "subfolder"), Text(images[0], "type"));
            var query = $"view?filename={Uri.EscapeDataString(file)}&subfolder={Uri.EscapeDataString(folder)}&type={Uri.EscapeDataString(type)}";
            using var response = await _server.SendAsync(HttpMethod.Get, query, null, "image/*", model, cancellationToken);
            return await ImageServer.ReadAsync(response, MaxMessage, cancellationToken) ?? throw new ProviderFault(_errors.TooLong);
        }

        throw new ProviderFault(ImageFailures.Missing(options.Name));
    }

    /// <summary>
    /// Takes the prompt out of the queue, or interrupts it. A server that does not look at the id interrupts whatever runs, so it is asked
    /// first.
    /// </summary>
    private async Task StopAsync(string prompt)
    {
        using var limit = new CancellationTokenSource(StopLimit, time);
        try
        {
            (await _server.SendAsync(
                HttpMethod.Post, "queue", new JsonObject { ["delete"] = new JsonArray(prompt) }, "application/json", "", limit.Token)).Dispose();
            if (await FindAsync(prompt, limit.Token) == 0)
            {
                (await _server.SendAsync(
                    HttpMethod.Post, "interrupt", new JsonObject { ["prompt_id"] = prompt }, "application/json", "", limit.Token)).Dispose();
            }
        }
        catch (Exception e) when (e is ProviderFault or HttpRequestException or IOException or OperationCanceledException or InvalidOperationException)
        {
            // It does not listen. There is nothing else to be done.
        }
    }

    /// <summary>The graph that its own example draws with, ending in a node that keeps nothing for ever.</summary>
    private static JsonObject Graph(ImageRequest request, long seed) => new()
    {
        [Sampler] = Node("KSampler", new JsonObject
        {
            ["seed"] = seed,
            ["steps"] = request.Steps ?? Capabilities.Steps!.Value.Usual,
            ["cfg"] = 7,
            ["sampler_name"] = "euler",
            ["scheduler"] = "normal",
            ["denoise"] = 1,
            ["model"] = new JsonArray("4", 0),
            ["positive"] = new JsonArray("6", 0),
            ["negative"] = new JsonArray("7", 0),
            ["latent_image"] = new JsonArray("5", 0),
        }),
        ["4"] = Node("CheckpointLoaderSimple", new JsonObject { ["ckpt_name"] = request.Model }),
        ["5"] = Node("EmptyLatentImage", new JsonObject { ["width"] = request.Size.Width, ["height"] = request.Size.Height, ["batch_size"] = 1 }),
        ["6"] = Node("CLIPTextEncode", new JsonObject { ["text"] = request.Prompt, ["clip"] = new JsonArray("4", 1) }),
        ["7"] = Node("CLIPTextEncode", new JsonObject { ["text"] = request.NegativePrompt, ["clip"] = new JsonArray("4", 1) }),
        ["8"] = Node("VAEDecode", new JsonObject { ["samples"] = new JsonArray(Sampler, 0), ["vae"] = new JsonArray("4", 2) }),
        ["9"] = Node("PreviewImage", new JsonObject { ["images"] = new JsonArray("8", 0) }),
    };

    private static JsonObject Node(string type, JsonObject inputs) => new() { ["class_type"] = type, ["inputs"] = inputs };

    /// <summary>
    /// <c>error</c> has a <c>message</c> that says that something is wrong; what it is, is in the <c>errors</c> of <c>node_errors</c>.
    /// </summary>
    private static (string Message, string Code) ReadError(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
            return ("", "");
        if (root.TryGetProperty("node_errors", out var nodes) && nodes.ValueKind == JsonValueKind.Object)
        {
            foreach (var node in nodes.EnumerateObject())
            {
                if (node.Value.ValueKind == JsonValueKind.Object && node.Value.TryGetProperty("errors", out var errors)
                    && errors.ValueKind == JsonValueKind.Array && errors.GetArrayLength() > 0)
                {
                    var (message, details) = (Text(errors[0], "message"), Text(errors[0], "details"));
                    return (details.Length > 0 ? $"{message}: {details}" : message, "");
                }
            }
        }

        return root.TryGetProperty("error", out var error) && error.ValueKind == JsonValueKind.Object
            ? (Text(error, "message"), "")
            : (Text(root, "error"), "");
    }

    private static string Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()!
            : "";

    private static AuthenticationHeaderValue? Key(string? key) => string.IsNullOrEmpty(key) ? null : new("Bearer", key);
}
