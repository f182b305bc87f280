using System.Diagnostics;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace SevenX42.Testing;

/// <summary>A request that a <see cref="ScriptedProvider"/> was sent.</summary>
public sealed class RecordedRequest
{
    private readonly TaskCompletionSource<long> _hungUp = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private RecordedRequest(string method, string path, IReadOnlyDictionary<string, string> headers, string body)
    {
        (Method, Path, Headers, Body) = (method, path, headers, body);
        Json = body.Length > 0 ? JsonDocument.Parse(body).RootElement : default;
    }

    /// <summary>The method.</summary>
    public string Method { get; }

    /// <summary>The path.</summary>
    public string Path { get; }

    /// <summary>The headers.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; }

    /// <summary>The body.</summary>
    public string Body { get; }

    /// <summary>The body as JSON.</summary>
    public JsonElement Json { get; }

    /// <summary>The model that was asked; empty when none was.</summary>
    public string Model => Json.ValueKind == JsonValueKind.Object && Json.TryGetProperty("model", out var model) ? model.GetString() ?? "" : "";

    /// <summary>Role and content of each message.</summary>
    public IReadOnlyList<(string Role, string Content)> Messages =>
        [.. Json.GetProperty("messages").EnumerateArray().Select(m => (m.GetProperty("role").GetString() ?? "", TextOf(m.GetProperty("content"))))];

    /// <summary>The <c>data:</c> URLs of the pictures that each message shows.</summary>
    public IReadOnlyList<IReadOnlyList<string>> Pictures => [.. Json.GetProperty("messages").EnumerateArray().Select(m => PicturesOf(m.GetProperty("content")))];

    /// <summary>Completes with the <see cref="Stopwatch"/> timestamp of the moment when the client hung up before the end.</summary>
    public Task<long> ClientHungUp => _hungUp.Task;

    /// <summary>Completes when nothing more is sent.</summary>
    public Task Completion => _over.Task;

    internal static async Task<RecordedRequest> ReadAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        return new RecordedRequest(
            context.Request.Method,
            context.Request.Path,
            context.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase),
            await reader.ReadToEndAsync(context.RequestAborted));
    }

    internal void HungUp() => _hungUp.TrySetResult(Stopwatch.GetTimestamp());

    internal void Over() => _over.TrySetResult();

    private static List<string> PicturesOf(JsonElement content) => content.ValueKind != JsonValueKind.Array ? [] :
    [
        .. content.EnumerateArray()
            .Where(p => p.GetProperty("type").GetString() == "image_url")
            .Select(p => p.GetProperty("image_url").GetProperty("url").GetString() ?? ""),
    ];

    private static string TextOf(JsonElement content) => content.ValueKind switch
    {
        JsonValueKind.String => content.GetString() ?? "",
        JsonValueKind.Array => string.Concat(content.EnumerateArray().Select(p => p.TryGetProperty("text", out var text) ? text.GetString() : "")),
        _ => "",
    };
}
