using System.Net;
using System.Net.Sockets;

namespace SevenX42.Modules.Generation.Infrastructure.Providers.Images;

/// <summary>
/// Connections to addresses that nobody configured: a URL in a provider's answer. Checked when connecting, after the name is resolved, so
/// that no name and no spelling of an address leads into this network. No proxy, no redirects, no decompression.
/// </summary>
internal sealed class GuardedConnections : IDisposable
{
    public SocketsHttpHandler Handler { get; } = new()
    {
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        UseCookies = false,
        UseProxy = false,
        ConnectTimeout = TimeSpan.FromSeconds(5),
        PooledConnectionLifetime = TimeSpan.FromMinutes(1),
        MaxResponseHeadersLength = 32,
        MaxResponseDrainSize = 0,
        ResponseDrainTimeout = TimeSpan.Zero,
        ConnectCallback = ConnectAsync,
    };

    public void Dispose() => Handler.Dispose();

    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var addresses = await Dns.GetHostAddressesAsync(context.DnsEndPoint.Host, cancellationToken);
        var allowed = addresses.Where(PublicAddress.Is).ToArray();
        if (allowed.Length == 0)
            throw new ForbiddenAddressException();
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, context.DnsEndPoint.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

/// <summary>The address is not on the public internet.</summary>
internal sealed class ForbiddenAddressException() : IOException("This address is not on the public internet.");
