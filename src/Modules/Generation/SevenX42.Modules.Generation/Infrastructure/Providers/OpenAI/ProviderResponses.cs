using System.Net.Http.Headers;
using System.Text.Json;

namespace SevenX42.Modules.Generation.Infrastructure.Providers.OpenAI;

/// <summary>
/// Stands between the client and the wire for one generation: refuses redirects and web pages, caps what an error may
/// hold, and puts the guard before an event stream.
/// </summary>
internal sealed class ProviderResponses(
    HttpMessageHandler inner, bool hasKey, StreamMonitor monitor, EventStreamLimits limits, ProviderErrors errors, string model)
    : DelegatingHandler(inner)
{
    private const int MaxErrorBody = 64 * 1024;

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        // The client insists on a key; a server without one must not get an invented one.
        if (!hasKey)
            request.Headers.Authorization = null;
        monitor.IsDone = false;
        var response = await base.SendAsync(request, cancellationToken);
        try
        {
            await CheckAsync(response, cancellationToken);
            return response;
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    private async Task CheckAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var status = (int)response.StatusCode;
        if (status is >= 300 and < 400)
            throw new ProviderFault(errors.Redirects(response.Headers.Location));
        var type = response.Content.Headers.ContentType?.MediaType;
        if (status >= 400)
        {
            response.Content = await CapAsync(response.Content, cancellationToken);
            return;
        }

        if (type is "text/html" or "application/xhtml+xml")
            throw new ProviderFault(errors.Html);
        if (type is "application/json" or "application/problem+json")
            throw await ExplainJsonAsync(response.Content, cancellationToken);
        var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        var guarded = new StreamContent(new EventStreamGuard(
            stream, monitor, limits, root => new ProviderFault(errors.ExplainInStream(root, model))));
        foreach (var (name, values) in response.Content.Headers)
            guarded.Headers.TryAddWithoutValidation(name, values);
        response.Content = guarded;
    }

    /// <summary>A stream was asked for. JSON is an error in disguise, or a server that can't stream.</summary>
    private async Task<ProviderFault> ExplainJsonAsync(HttpContent content, CancellationToken cancellationToken)
    {
        var body = await (await CapAsync(content, cancellationToken)).ReadAsByteArrayAsync(cancellationToken);
        try
        {
            using var document = TolerantJson.Parse(body);
            if (document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("error", out _))
                return new ProviderFault(errors.ExplainInStream(document.RootElement, model));
        }
        catch (JsonException)
        {
            // Not even JSON.
        }

        return new ProviderFault(errors.NotAStream);
    }

    private static async Task<HttpContent> CapAsync(HttpContent content, CancellationToken cancellationToken)
    {
        using var stream = await content.ReadAsStreamAsync(cancellationToken);
        var body = new byte[MaxErrorBody];
        var length = await stream.ReadAtLeastAsync(body, body.Length, throwOnEndOfStream: false, cancellationToken);
        var capped = new ByteArrayContent(body, 0, length);
        if (content.Headers.ContentType is { } type)
            capped.Headers.ContentType = new MediaTypeHeaderValue(type.MediaType ?? "text/plain");
        return capped;
    }
}
