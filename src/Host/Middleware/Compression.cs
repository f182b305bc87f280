using Microsoft.AspNetCore.ResponseCompression;

namespace SevenX42.Host.Middleware;

/// <summary>
/// Compresses pages and fragments. Scripts and styles are compressed when they are built; frames, polls and files are not.
/// </summary>
/// <remarks>
/// Lengths of compressed secrets can be measured when the attacker also chooses a part of the response (BREACH,
/// https://breachattack.com). Here the antiforgery token is new in every response, cookies are <c>SameSite=Lax</c>, so that
/// no other site can make repeated requests in a person's name, and what answers with the asked-for text beside a person's
/// own (the search) opts out.
/// </remarks>
internal static class Compression
{
    public static IServiceCollection AddPageCompression(this IServiceCollection services) => services.AddResponseCompression(options =>
    {
        options.EnableForHttps = true;
        options.MimeTypes = ["text/html"];
    });
}
