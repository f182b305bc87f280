using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Threading.Channels;

namespace SevenX42.Faults.Tests;

/// <summary>What a client must expect of a network and of servers that fail, and gets over by trying again.</summary>
internal static class Patience
{
    /// <summary>How long a request may take before it counts as lost.</summary>
    public static readonly TimeSpan OfRequests = TimeSpan.FromSeconds(10);

    /// <summary>How long a socket may be silent: three beats.</summary>
    public static readonly TimeSpan OfSockets = TimeSpan.FromSeconds(6);

    /// <summary>Whether a fault is one to get over.</summary>
    public static bool Covers(Exception fault) => fault switch
    {
        HttpRequestException { StatusCode: { } status } => Covers(status),
        HttpRequestException or WebSocketException or SocketException or IOException or TimeoutException => true,
        ChannelClosedException or OperationCanceledException => true,
        _ => false,
    };

    /// <summary>Whether a refusal says that it may be tried again. A plain error (500) does not.</summary>
    public static bool Covers(HttpStatusCode status) =>
        status is HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests
            or HttpStatusCode.BadGateway or HttpStatusCode.GatewayTimeout;
}
