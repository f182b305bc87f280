using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Infrastructure.Providers.OpenAI;

namespace SevenX42.Modules.Generation.Infrastructure.Providers.Images;

/// <summary>Asks one configured server: no redirects, bounded answers, no web pages, refusals in its own words.</summary>
/// <param name="address">Root of its API.</param>
/// <param name="key">What it wants to be shown.</param>
/// <param name="http">The connections to configured servers.</param>
/// <param name="errors">Its failures in words.</param>
/// <param name="readError">Its own words and its code in an error's body.</param>
internal sealed class ImageServer(
    Uri address,
    AuthenticationHeaderValue? key,
    HttpMessageHandler http,
    ProviderErrors errors,
    Func<JsonElement, (string Message, string Code)> readError)
{
    /// <summary>Four pictures of 2,048 pixels each way that don't compress, in base64, find room.</summary>
    public const int MaxPictures = 96 * 1024 * 1024;

    private const int MaxError = 64 * 1024;

    /// <summary>Sends a request and reads the JSON that answers it.</summary>
    /// <param name="method">The method.</param>
    /// <param name="path">Below the root, without a slash before it.</param>
    /// <param name="body">What to send, if anything.</param>
    /// <param name="model">The model it is about, for words.</param>
    /// <param name="cancellationToken">Closes the connection.</param>
    /// <exception cref="ProviderFault">The answer is a refusal, a page, too long or no JSON.</exception>
    public async Task<JsonDocument> AskAsync(HttpMethod method, string path, JsonNode? body, string model, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(method, path, body, "application/json", model, cancellationToken);
        return await ReadJsonAsync(response, cancellationToken);
    }

    /// <summary>Sends a request; the answer is not read yet, and is none that refuses.</summary>
    /// <exception cref="ProviderFault">The answer is a refusal or a page.</exception>
    public async Task<HttpResponseMessage> SendAsync(
        HttpMethod method, string path, JsonNode? body, string accept, string model, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, $"{address.ToString().TrimEnd('/')}/{path}");
        request.Headers.Accept.ParseAdd(accept);
        request.Headers.Authorization = key;
        if (body is not null)
            request.Content = JsonContent.Create(body);
        using var invoker = new HttpMessageInvoker(http, disposeHandler: false);
        var response = await invoker.SendAsync(request, cancellationToken);
        try
        {
            var status = (int)response.StatusCode;
            if (status is >= 300 and < 400)
                throw new ProviderFault(errors.Redirects(response.Headers.Location));
            if (response.Content.Headers.ContentType?.MediaType is "text/html" or "application/xhtml+xml")
                throw new ProviderFault(errors.Html);
            if (status >= 400)
            {
                var (message, code) = await ReadErrorAsync(response, cancellationToken);
                throw new ProviderFault(errors.RefusedImage(status, message, code, model));
            }

            return response;
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    /// <summary>The JSON of an answer.</summary>
    /// <exception cref="ProviderFault">It is too long or no JSON.</exception>
    public async Task<JsonDocument> ReadJsonAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var body = await ReadAsync(response, MaxPictures, cancellationToken) ?? throw new ProviderFault(errors.TooLong);
        try
        {
            return TolerantJson.Parse(body.Span);
        }
        catch (JsonException e)
        {
            throw new ProviderFault(errors.Malformed, e);
        }
    }

    /// <summary>The bytes of an answer; <see langword="null"/> when it has more than <paramref name="max"/>.</summary>
    public static async Task<ReadOnlyMemory<byte>?> ReadAsync(HttpResponseMessage response, int max, CancellationToken cancellationToken)
    {
        if (response.Content.Headers.ContentLength > max)
            return null;
        using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        using var body = new MemoryStream();
        var buffer = new byte[64 * 1024];
        while (await stream.ReadAsync(buffer, cancellationToken) is var read and > 0)
        {
            if (body.Length + read > max)
                return null;
            body.Write(buffer, 0, read);
        }

        return body.GetBuffer().AsMemory(0, (int)body.Length);
    }

    /// <summary>The bytes that base64 stands for, whether or not a <c>data:</c> URL surrounds it.</summary>
    /// <exception cref="FormatException">This is no base64.</exception>
    public static byte[] FromBase64(string text) => Convert.FromBase64String(
        text.StartsWith("data:", StringComparison.Ordinal) ? text[(text.IndexOf(',', StringComparison.Ordinal) + 1)..] : text);

    private async Task<(string Message, string Code)> ReadErrorAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        try
        {
            if (await ReadAsync(response, MaxError, cancellationToken) is not { } body)
                return ("", "");
            using var document = TolerantJson.Parse(body.Span);
            return readError(document.RootElement);
        }
        catch (JsonException)
        {
            return ("", "");
        }
    }
}
