using System.Buffers.Binary;
using System.Text.Json;
using SevenX42.Modules.Generation.Infrastructure.Providers.OpenAI;

namespace SevenX42.Modules.Generation.Infrastructure.Providers.Images;

/// <summary>What a message of ComfyUI's WebSocket says.</summary>
internal enum ComfyMessageKind
{
    /// <summary>Nothing of interest, or of somebody else's prompt.</summary>
    Other,

    /// <summary>The queue has changed.</summary>
    Status,

    /// <summary>The prompt is worked on.</summary>
    Started,

    /// <summary>The sampler has made <see cref="ComfyMessage.Value"/> of <see cref="ComfyMessage.Max"/> steps.</summary>
    Progress,

    /// <summary><see cref="ComfyMessage.Preview"/> is how the picture looks so far.</summary>
    Preview,

    /// <summary>The prompt is done.</summary>
    Done,

    /// <summary>It failed; <see cref="ComfyMessage.Error"/> is why.</summary>
    Failed,

    /// <summary>Somebody stopped it.</summary>
    Interrupted,
}

/// <summary>A message, read. Pure.</summary>
internal readonly record struct ComfyMessage(
    ComfyMessageKind Kind, int Value = 0, int Max = 0, ReadOnlyMemory<byte> Preview = default, string Error = "")
{
    /// <summary><c>BinaryEventTypes.PREVIEW_IMAGE</c>: a number for the format, then the picture.</summary>
    private const uint PreviewImage = 1;

    /// <summary><c>BinaryEventTypes.PREVIEW_IMAGE_WITH_METADATA</c>: the length of JSON, the JSON, then the picture.</summary>
    private const uint PreviewImageWithMetadata = 4;

    /// <summary>
    /// Reads a binary message: numbers are 32 bits, big-endian; the first is the kind of event
    /// (https://github.com/comfyanonymous/ComfyUI, server.py, <c>encode_bytes</c> and <c>send_image</c>; protocol.py).
    /// </summary>
    public static ComfyMessage Read(ReadOnlyMemory<byte> message)
    {
        if (message.Length < 8)
            return default;
        var second = BinaryPrimitives.ReadUInt32BigEndian(message.Span[4..]);
        return BinaryPrimitives.ReadUInt32BigEndian(message.Span) switch
        {
            PreviewImage => new ComfyMessage(ComfyMessageKind.Preview, Preview: message[8..]),
            PreviewImageWithMetadata when second <= message.Length - 8 => new ComfyMessage(ComfyMessageKind.Preview, Preview: message[(8 + (int)second)..]),
            _ => default,
        };
    }

    /// <summary>
    /// Reads a text message, <c>{"type":…,"data":{…}}</c> (https://docs.comfy.org/development/comfyui-server/comms_messages; execution.py and
    /// main.py, <c>hijack_progress</c>).
    /// </summary>
    /// <param name="json">The message.</param>
    /// <param name="prompt">Id of the prompt that is ours; a message without an id is of the prompt that this client has running.</param>
    /// <param name="sampler">Id of the node whose steps are the picture's; other nodes report progress, too.</param>
    public static ComfyMessage Read(ReadOnlySpan<byte> json, string prompt, string sampler)
    {
        using var document = TryParse(json);
        if (document is null || document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("data", out var data)
            || data.ValueKind != JsonValueKind.Object)
        {
            return default;
        }

        var type = Text(document.RootElement, "type");
        if (type == "status")
            return new ComfyMessage(ComfyMessageKind.Status);
        if (Text(data, "prompt_id") is { Length: > 0 } other && other != prompt)
            return default;
        return type switch
        {
            "execution_start" => new ComfyMessage(ComfyMessageKind.Started),
            "progress" when Text(data, "node") is var node && (node.Length == 0 || node == sampler) =>
                new ComfyMessage(ComfyMessageKind.Progress, Number(data, "value"), Number(data, "max")),

            // No node any more. Said without a prompt's id, it may be about the one before.
            "executing" when data.TryGetProperty("node", out var now) && now.ValueKind == JsonValueKind.Null && Text(data, "prompt_id") == prompt =>
                new ComfyMessage(ComfyMessageKind.Done),
            "execution_success" => new ComfyMessage(ComfyMessageKind.Done),
            "execution_error" => new ComfyMessage(ComfyMessageKind.Failed, Error: Text(data, "exception_message")),
            "execution_interrupted" => new ComfyMessage(ComfyMessageKind.Interrupted),
            _ => default,
        };
    }

    private static JsonDocument? TryParse(ReadOnlySpan<byte> json)
    {
        try
        {
            return TolerantJson.Parse(json);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    private static int Number(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) ? number : 0;
}
