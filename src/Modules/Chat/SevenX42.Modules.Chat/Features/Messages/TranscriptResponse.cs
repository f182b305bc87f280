using System.Globalization;
using MediatR;
using Microsoft.AspNetCore.Http;
using SevenX42.Http;
using SevenX42.Modules.Chat.Features.Studio;

namespace SevenX42.Modules.Chat.Features.Messages;

/// <summary>
/// What every command that changes the tree answers with: the transcript as it stands, which is idempotent and carries the
/// position to watch from; without scripts a redirect to the conversation, where its newest message stands. As far as the page
/// has loaded it: its forms send <c>from</c>, the number of the oldest message.
/// </summary>
internal static class TranscriptResponse
{
    /// <summary>A field of the form that was sent. Unlike a bound one it may be missing together with the whole form.</summary>
    public static async Task<string?> FieldAsync(this HttpContext http, string name) =>
        http.Request.HasFormContentType ? (await http.Request.ReadFormAsync(http.RequestAborted))[name].FirstOrDefault() : null;

    public static async Task<IResult> OfAsync(Error? error, Guid conversationId, ISender sender, HttpContext http)
    {
        if (error is not null)
            return error.ToResult();
        if (!http.Request.WantsFragment())
        {
            var transcript = await sender.Send(new ReadTranscript(conversationId));
            if (transcript is { IsSuccess: true, Value.IsStudio: true })
                return TypedResults.Redirect(ReadStudioEndpoint.Path);
            var asked = transcript.IsSuccess ? transcript.Value.Messages.LastOrDefault(m => !m.IsAnswer) : null;
            return TypedResults.Redirect(asked is null ? $"/c/{conversationId:D}" : $"/c/{conversationId:D}#m-{asked.Number}");
        }

        int? from = int.TryParse(await http.FieldAsync("from"), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
        return await ReadTranscriptEndpoint.Get(conversationId, from, to: null, message: null, sender);
    }
}
