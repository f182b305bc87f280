using Microsoft.AspNetCore.Http.Features;
using SevenX42.Http;

namespace SevenX42.Host.Middleware;

/// <summary>
/// Takes in only a few forms with files at once: each lies in the folder for temporary files until it is read, also that of somebody who is
/// refused then. Stands before whatever reads forms, which would take a disk without room for a fault of the form.
/// </summary>
internal sealed partial class LargeForms(RequestDelegate next, ILogger<LargeForms> logger)
{
    private const int MostAtOnce = 4;

    /// <summary>Words alone are no larger, in bytes.</summary>
    private const long Small = 1024 * 1024;

    /// <summary>What brings no files may be as large as with any other endpoint, in bytes.</summary>
    private const long WithoutFiles = 30_000_000;

    /// <summary>What is wrong with a form or a connection has this number; what the system says of a file has one of its own.</summary>
    private const int AnyIOFault = unchecked((int)0x80131620);

    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(3);

    private static readonly Error Busy = Error.Unavailable(
        "busy", "The server is taking in other people's pictures. Yours are still here; send them again in a moment.", TimeSpan.FromSeconds(5));

    private static readonly Error NoRoom = Error.Unavailable(
        "storage_unavailable", "The server can't take in pictures right now. Yours are still here; send them again later.");

    // The process's, as its disk is.
    private static readonly SemaphoreSlim Places = new(MostAtOnce);

    public async Task InvokeAsync(HttpContext context)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<LargeForm>() is null)
        {
            await next(context);
            return;
        }

        if (context.Request.ContentLength is <= Small)
        {
            await TakeInAsync(context);
            return;
        }

        if (!MayHaveFiles(context.Request) && context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = WithoutFiles;

        if (!await Places.WaitAsync(LongestWait, context.RequestAborted))
        {
            await Busy.ToResult().ExecuteAsync(context);
            return;
        }

        try
        {
            await TakeInAsync(context);
        }
        finally
        {
            Places.Release();
        }
    }

    private async Task TakeInAsync(HttpContext context)
    {
        try
        {
            if (MayHaveFiles(context.Request))
                await context.Request.ReadFormAsync(context.RequestAborted);
        }
        catch (Exception e) when (IsOfDisk(e))
        {
            LogNoRoom(e);
            await NoRoom.ToResult().ExecuteAsync(context);
            return;
        }
        catch (Exception e) when (e is InvalidDataException or IOException and not BadHttpRequestException)
        {
            throw new BadHttpRequestException("This form can't be read.", e);
        }

        await next(context);
    }

    private static bool MayHaveFiles(HttpRequest request) =>
        request.ContentType?.StartsWith("multipart/", StringComparison.OrdinalIgnoreCase) is true;

    // The last of these is what .NET makes of a file that grows beyond what the system lets a file be.
    private static bool IsOfDisk(Exception e) =>
        e is IOException { HResult: not AnyIOFault } and not BadHttpRequestException or UnauthorizedAccessException or ArgumentOutOfRangeException;

    [LoggerMessage(1, LogLevel.Error, "A form with files can't be taken in: the folder for temporary files fails")]
    private partial void LogNoRoom(Exception exception);
}
