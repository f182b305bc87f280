using System.Net;
using Microsoft.AspNetCore.Http;
using SevenX42.Modules.Identity.Domain;

namespace SevenX42.Modules.Identity.Infrastructure.Sessions;

internal static class RequestDevice
{
    public static Device Device(this HttpContext http) => new(http.Request.Headers.UserAgent.ToString(), http.ClientAddress());

    /// <summary>Where a request came from; behind trusted proxies the Host has resolved that.</summary>
    public static IPAddress? ClientAddress(this HttpContext http) =>
        http.Connection.RemoteIpAddress is { IsIPv4MappedToIPv6: true } mapped ? mapped.MapToIPv4() : http.Connection.RemoteIpAddress;
}
