using Microsoft.AspNetCore.Http.Features;
using SevenX42.Http;

namespace SevenX42.Host.Middleware;

/// <summary>
/// Takes in only a few forms with files at once: each lies in the folder for temporary files until it is read, also that of somebody who is
/// refused then. Stands before whatever reads forms.
/// </summary>
internal sealed class LargeForms(RequestDelegate next)
{
    private const int MostAtOnce = 4;

    /// <summary>Words alone are no larger, in bytes.</summary>
    private const long Small = 1024 * 1024;

    /// <summary>What brings no files may be as large as with any other endpoint, in bytes.</summary>
    private const long WithoutFiles = 30_000_000;

    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(3);

    private static readonly Error Busy = Error.Unavailable(
        "busy", "The server is taking in other people's pictures. Yours are still here; send them again in a moment.", TimeSpan.FromSeconds(5));

    // The process's, as its disk is.
    private static readonly SemaphoreSlim Places = new(MostAtOnce);

    public async Task InvokeAsync(HttpContext context)
    {
        if (context.Request.ContentLength is <= Small || context.GetEndpoint()?.Metadata.GetMetadata<LargeForm>() is null)
        {
            await next(context);
            return;
        }

        if (context.Request.ContentType?.StartsWith("multipart/", StringComparison.OrdinalIgnoreCase) is not true
            && context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = WithoutFiles;

        if (!await Places.WaitAsync(LongestWait, context.RequestAborted))
        {
            await Busy.ToResult().ExecuteAsync(context);
            return;
        }

        try
        {
            await next(context);
        }
        finally
        {
            Places.Release();
        }
    }
}
