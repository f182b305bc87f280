namespace SevenX42.Modules.Generation.Infrastructure.Providers.OpenAI;

/// <summary>The connections to all providers: one pool, kept for the life of the process.</summary>
internal sealed class ProviderConnections : IDisposable
{
    public SocketsHttpHandler Handler { get; } = new()
    {
        // A redirect could lead a request, and the key in it, anywhere.
        AllowAutoRedirect = false,
        UseCookies = false,

        // Less than a list of models may take: that a server is not there is said, and not that it takes its time.
        ConnectTimeout = TimeSpan.FromSeconds(4),
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        MaxResponseHeadersLength = 32,

        // A stream that is given up is closed at once; reading it to its end to save the connection would keep a model busy.
        MaxResponseDrainSize = 0,
        ResponseDrainTimeout = TimeSpan.Zero,
    };

    public void Dispose() => Handler.Dispose();
}
