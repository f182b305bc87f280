namespace SevenX42.Host.Observability;

/// <summary>
/// The second address, for health and metrics, which is never exposed to users (key <c>Management:Url</c>; empty: none).
/// </summary>
internal sealed class ManagementPort(string? url)
{
    public const string DefaultUrl = "http://127.0.0.1:5043";

    /// <summary>The address to listen on; <see langword="null"/> for none.</summary>
    public string? Url { get; } = string.IsNullOrWhiteSpace(url) ? null : url;

    private readonly Uri? _url = string.IsNullOrWhiteSpace(url)
        ? null
        : new Uri(url.Replace("://+", "://0.0.0.0", StringComparison.Ordinal).Replace("://*", "://0.0.0.0", StringComparison.Ordinal));

    /// <summary>Whether a request came in on it: by the socket's port, since a Host header can be made up.</summary>
    public bool Is(HttpContext context) => _url is not null && context.Connection.LocalPort == _url.Port;

    /// <summary>Whether a listening address is it.</summary>
    public bool Is(string address) => _url is not null && Uri.TryCreate(
        address.Replace("://[::]", "://localhost", StringComparison.Ordinal), UriKind.Absolute, out var uri) && uri.Port == _url.Port;
}
