using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;

namespace SevenX42.Http;

/// <summary>Where requests come from.</summary>
public static class ClientAddress
{
    /// <summary>Where a request came from, IPv4 as such; behind trusted proxies the Host has resolved that.</summary>
    public static IPAddress? Of(HttpContext http)
    {
        ArgumentNullException.ThrowIfNull(http);
        return http.Connection.RemoteIpAddress is { IsIPv4MappedToIPv6: true } mapped ? mapped.MapToIPv4() : http.Connection.RemoteIpAddress;
    }

    /// <summary>Who an address stands for where requests are counted: one IPv6 customer has a whole /64.</summary>
    public static string CustomerAt(IPAddress? address)
    {
        if (address is not { AddressFamily: AddressFamily.InterNetworkV6 })
            return address?.ToString() ?? "";
        var bytes = address.GetAddressBytes();
        bytes.AsSpan(8).Clear();
        return new IPAddress(bytes).ToString();
    }
}
