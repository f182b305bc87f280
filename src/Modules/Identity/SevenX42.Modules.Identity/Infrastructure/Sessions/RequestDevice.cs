using Microsoft.AspNetCore.Http;
using SevenX42.Http;
using SevenX42.Modules.Identity.Domain;

namespace SevenX42.Modules.Identity.Infrastructure.Sessions;

internal static class RequestDevice
{
    public static Device Device(this HttpContext http) => new(http.Request.Headers.UserAgent.ToString(), ClientAddress.Of(http));
}
