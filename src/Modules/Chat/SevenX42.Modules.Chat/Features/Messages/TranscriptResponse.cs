using MediatR;
using Microsoft.AspNetCore.Http;
using SevenX42.Http;

namespace SevenX42.Modules.Chat.Features.Messages;

/// <summary>
/// What every command that changes the tree answers with: the transcript as it stands, which is idempotent and carries the
/// position to watch from; without scripts a redirect to the conversation.
/// </summary>
internal static class TranscriptResponse
{
    public static async Task<IResult> OfAsync(Error? error, Guid conversationId, ISender sender, HttpContext http)
    {
        if (error is not null)
            return error.ToResult();
        return http.Request.WantsFragment()
            ? await ReadTranscriptEndpoint.Get(conversationId, sender)
            : TypedResults.Redirect($"/c/{conversationId:D}");
    }
}
