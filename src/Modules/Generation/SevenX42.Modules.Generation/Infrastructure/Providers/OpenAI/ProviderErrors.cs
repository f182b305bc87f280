using System.ClientModel;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using SevenX42.Modules.Generation.Domain;

namespace SevenX42.Modules.Generation.Infrastructure.Providers.OpenAI;

/// <summary>
/// Says in one sentence what a server's failure means. The server's own words are shown where they help, cut short and
/// without anything that looks like a key; its body never is.
/// </summary>
internal sealed partial class ProviderErrors(string provider, string? apiKey, TimeProvider time)
{
    private const int MaxQuoted = 300;

    public GenerationFailure Unreachable { get; } = new(
        "provider_unreachable", $"{provider} can't be reached. Check that the server runs and that its address is right.", Retry: true);

    public GenerationFailure NoTls { get; } = new(
        "provider_tls", $"No secure connection to {provider} is possible: its certificate is not valid here.");

    public GenerationFailure Html { get; } = new(
        "provider_html",
        $"{provider} answered with a web page instead of what it was asked for. Its address may be wrong, or a sign-in page stands before it.");

    public GenerationFailure NotAStream { get; } = new(
        "provider_malformed", $"{provider} answered with something that is not a model's answer. Check that its address is an OpenAI-compatible API.");

    public GenerationFailure Malformed { get; } = new(
        "provider_malformed", $"{provider} sent something unreadable in the middle of its answer.");

    public GenerationFailure TooLong { get; } = new(
        "provider_too_much", $"{provider} sent more in one piece than an answer can be.");

    public GenerationFailure NoModelList { get; } = new(
        "provider_malformed", $"{provider} does not list its models at this address. If the address is right, name them in its Models.");

    /// <summary>Asking threw what no answer can cause.</summary>
    public GenerationFailure NotAsked { get; } = new(
        "unexpected", $"{provider} can't be asked for its models because of a fault on our side; the server's log has it.");

    public GenerationFailure SilentAbout(TimeSpan limit) => new(
        "provider_timeout", $"{provider} did not list its models within {Failures.Say(limit)}.", Retry: true);

    public GenerationFailure RefusedModels(int status) => status switch
    {
        401 => Unauthorized,
        403 => new("provider_forbidden", $"{provider} does not list its models to the configured key."),
        404 or 405 => new("provider_not_found", $"{provider} has no list of models at its address. Check its BaseUrl, or name them in its Models."),
        429 => new("rate_limited", $"{provider} is asked too often at the moment.", Retry: true),
        _ => Unavailable(""),
    };

    private GenerationFailure Unauthorized { get; } = new(
        "provider_unauthorized", $"{provider} does not accept the configured key. Check its ApiKey.");

    public GenerationFailure Redirects(Uri? target) => new(
        "provider_redirects",
        $"{provider} redirects to {(target is { IsAbsoluteUri: true } ? target.Host : "another address")}, and redirects are not followed. Configure the final address.");

    /// <summary>What an exception of the client means.</summary>
    public GenerationFailure Explain(Exception exception, string model) => exception switch
    {
        ProviderFault fault => fault.Failure,
        AggregateException { InnerException: { } inner } => Explain(inner, model),
        ClientResultException { Status: > 0 } refused => Refused(refused, model),
        ClientResultException { InnerException: { } inner } => Explain(inner, model),
        HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } => NoTls,
        HttpRequestException { InnerException: ProviderFault fault } => fault.Failure,
        HttpRequestException
        {
            HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.ProxyTunnelError
        } => Unreachable,
        // Whoever stops a request knows why; what else gives up is a connection that does not come about.
        OperationCanceledException or TimeoutException => Unreachable,
        HttpRequestException or IOException => Failures.StreamBroken(provider),
        JsonException or FormatException or ArgumentException or KeyNotFoundException or InvalidOperationException or DecoderFallbackException =>
            Malformed,
        _ => Failures.Unexpected,
    };

    /// <summary>What an error inside a stream that began well means.</summary>
    public GenerationFailure ExplainInStream(JsonElement root, string model)
    {
        var error = root.GetProperty("error");
        var status = error.ValueKind == JsonValueKind.Object && error.TryGetProperty("code", out var code) && code.TryGetInt32OrText(out var number)
            ? number
            : 0;
        var (message, name) = Read(root);
        return ByMeaning(message, name, model) ?? status switch
        {
            429 => new GenerationFailure("rate_limited", $"{provider} is asked too often at the moment.", Retry: true),
            >= 500 => Unavailable(message),
            _ => new GenerationFailure("provider_error", Quote($"{provider} reported an error", message), Retry: status == 0),
        };
    }

    private GenerationFailure Refused(ClientResultException refused, string model)
    {
        var response = refused.GetRawResponse();
        var (message, code) = Read(response?.Content);
        if (ByMeaning(message, code, model) is { } meaning)
            return meaning;
        var isJson = message.Length > 0 || code.Length > 0;
        return refused.Status switch
        {
            401 => Unauthorized,
            402 => Quota,
            403 => new GenerationFailure("provider_forbidden", Quote($"{provider} does not allow this with the configured key", message)),
            404 when isJson => Failures.UnknownAt(provider, model),
            404 or 405 => new GenerationFailure(
                "provider_not_found", $"{provider} has no chat API at its address. Check its BaseUrl."),
            408 or 409 or 425 => Unavailable(message),
            413 => ContextTooLong(model),
            429 => new GenerationFailure(
                "rate_limited", RateLimited(RetryAfter(response)), Retry: true, RetryAfter(response)),
            >= 500 => Unavailable(message) with { RetryAfter = RetryAfter(response) },
            _ => new GenerationFailure("provider_rejected", Quote($"{provider} rejected the request", message)),
        };
    }

    /// <summary>What a refusal of a server of pictures means. Its reason is shown, for it is often about the prompt.</summary>
    /// <param name="status">Status of its response.</param>
    /// <param name="message">Its own words.</param>
    /// <param name="code">Its own code, where it has codes.</param>
    /// <param name="model">The model that was asked for.</param>
    public GenerationFailure RefusedImage(int status, string message, string code, string model)
    {
        message = Clean(message);
        if (code is "content_filter" or "content_policy_violation" or "moderation_blocked")
            return Domain.Images.ImageFailures.Refused(provider, message);
        if (ByMeaning(message, code, model) is { } meaning)
            return meaning;
        return status switch
        {
            401 => Unauthorized,
            402 => Quota,
            403 => new GenerationFailure("provider_forbidden", Quote($"{provider} does not allow this with the configured key", message)),
            404 or 405 => new GenerationFailure("provider_not_found", Quote($"{provider} has no image API at its address, or not this model", message)),
            408 or 409 or 425 => Unavailable(message),
            429 => new GenerationFailure("rate_limited", RateLimited(null), Retry: true),
            >= 500 => Unavailable(message),
            _ => new GenerationFailure("provider_rejected", Quote($"{provider} rejected the request", message)),
        };
    }

    private GenerationFailure? ByMeaning(string message, string code, string model)
    {
        if (code is "context_length_exceeded" or "exceed_context_size_error" || ContextLength().IsMatch(message))
            return ContextTooLong(model);
        if (code is "insufficient_quota" or "billing_hard_limit_reached")
            return Quota;
        if (code is "content_filter" or "content_policy_violation")
            return Failures.ContentFilter(provider);
        return code is "model_not_found" ? Failures.UnknownAt(provider, model) : null;
    }

    private GenerationFailure Quota => new("provider_quota", $"The account at {provider} has no credit left.");

    private GenerationFailure Unavailable(string message) => new(
        "provider_unavailable", Quote($"{provider} has a problem at the moment", message), Retry: true);

    private static GenerationFailure ContextTooLong(string model) => new(
        "context_too_long", $"The conversation is longer than {model} can read. Begin a new one, or choose a model that can read more.");

    private string RateLimited(TimeSpan? wait) => wait is { } span && span > TimeSpan.Zero
        ? $"{provider} is asked too often and wants a pause of {Failures.Say(span)}."
        : $"{provider} is asked too often at the moment.";

    private TimeSpan? RetryAfter(System.ClientModel.Primitives.PipelineResponse? response)
    {
        if (response is null)
            return null;
        if (response.Headers.TryGetValue("retry-after-ms", out var milliseconds)
            && double.TryParse(milliseconds, NumberStyles.Float, CultureInfo.InvariantCulture, out var ms) && ms is >= 0 and < 1e9)
        {
            return TimeSpan.FromMilliseconds(ms);
        }

        if (!response.Headers.TryGetValue("retry-after", out var text) || text is null)
            return null;
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds))
            return seconds is >= 0 and < 1e6 ? TimeSpan.FromSeconds(seconds) : null;
        if (!DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at))
            return null;

        // By the server's own clock where it tells it, for ours may differ.
        var now = response.Headers.TryGetValue("date", out var date)
            && DateTimeOffset.TryParse(date, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var theirs)
                ? theirs
                : time.GetUtcNow();
        return at > now ? at - now : TimeSpan.Zero;
    }

    private (string Message, string Code) Read(BinaryData? body)
    {
        if (body is null)
            return ("", "");
        try
        {
            using var document = TolerantJson.Parse(body);
            return Read(document.RootElement);
        }
        catch (JsonException)
        {
            return ("", "");
        }
    }

    /// <summary>Servers word errors in at least five ways.</summary>
    public (string Message, string Code) Read(JsonElement root)
    {
        if (root.ValueKind == JsonValueKind.Array && root.GetArrayLength() > 0)
            root = root[0];
        if (root.ValueKind != JsonValueKind.Object)
            return ("", "");
        if (!root.TryGetProperty("error", out var error))
            error = root;
        if (error.ValueKind == JsonValueKind.String)
            return (Clean(error.GetString()!), Text(root, "code"));
        if (error.ValueKind != JsonValueKind.Object)
            return ("", "");
        var code = Text(error, "code");
        return (Clean(Text(error, "message") is { Length: > 0 } message ? message : Text(error, "detail")), code.Length > 0 ? code : Text(error, "type"));

        static string Text(JsonElement element, string name) =>
            element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
    }

    private static string Quote(string sentence, string message) =>
        message.Length == 0 ? sentence + "." : $"{sentence}: {message.TrimEnd('.')}.";

    private string Clean(string text)
    {
        if (text.Length > MaxQuoted * 4)
            text = text[..(MaxQuoted * 4)];
        if (!string.IsNullOrEmpty(apiKey))
            text = text.Replace(apiKey, "…", StringComparison.Ordinal);
        text = Blank().Replace(KeyLike().Replace(StreamedText.Clean(text), "…"), " ").Trim();
        return text.Length <= MaxQuoted ? text : StreamedText.Clean(text[..MaxQuoted]) + "…";
    }

    [GeneratedRegex(@"context.?(length|window|size)|maximum context|too many tokens|prompt is too long|input is too long|exceeds? the (model|available)", RegexOptions.IgnoreCase)]
    private static partial Regex ContextLength();

    [GeneratedRegex(@"\b(sk|pk|rk|gsk|xai|key|token|bearer)[-_ ][A-Za-z0-9_\-\.\*]{6,}|[A-Za-z0-9_\-]{40,}", RegexOptions.IgnoreCase)]
    private static partial Regex KeyLike();

    [GeneratedRegex(@"[\s\p{C}]+")]
    private static partial Regex Blank();
}

internal static class JsonNumbers
{
    /// <summary>A status as a number, or as text that is one.</summary>
    public static bool TryGetInt32OrText(this JsonElement element, out int number)
    {
        number = 0;
        return element.ValueKind switch
        {
            JsonValueKind.Number => element.TryGetInt32(out number),
            JsonValueKind.String => int.TryParse(element.GetString(), NumberStyles.None, CultureInfo.InvariantCulture, out number),
            _ => false,
        };
    }
}
