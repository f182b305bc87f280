using System.Net;
using System.Net.Sockets;

namespace SevenX42.Modules.Generation.Infrastructure.Providers.Images;

/// <summary>
/// Tells addresses of the public internet from those that reach into this network: private, loopback, link-local (where clouds keep
/// their metadata), shared, multicast and reserved ones, and IPv6 that stands for such an IPv4.
/// (https://www.iana.org/assignments/iana-ipv4-special-registry and …ipv6-special-registry)
/// </summary>
internal static class PublicAddress
{
    private static readonly IPNetwork[] Special =
    [
        .. "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 "
            .Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(IPNetwork.Parse),
        .. "198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4".Split(' ').Select(IPNetwork.Parse),
    ];

    private static readonly IPNetwork GlobalUnicast = IPNetwork.Parse("2000::/3");

    private static readonly IPNetwork[] SpecialUnicast =
        [.. "2001::/23 2001:db8::/32 2002::/16 3fff::/20".Split(' ').Select(IPNetwork.Parse)];

    private static readonly IPNetwork Translated = IPNetwork.Parse("64:ff9b::/96");

    /// <summary>Whether a request to this address leaves for the public internet.</summary>
    public static bool Is(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        if (address.AddressFamily == AddressFamily.InterNetwork)
            return !Special.Any(n => n.Contains(address));
        if (Translated.Contains(address))
            return Is(new IPAddress(address.GetAddressBytes()[12..]));
        return GlobalUnicast.Contains(address) && !SpecialUnicast.Any(n => n.Contains(address));
    }
}
