using Microsoft.Extensions.AI;
using SevenX42.Modules.Generation.Infrastructure.Images;
using SevenX42.Modules.Generation.Infrastructure.Jobs;

namespace SevenX42.Modules.Generation.Infrastructure.Work;

/// <summary>What a model is asked.</summary>
internal static class Prompt
{
    private const string Continue =
        "Continue your last message exactly where it breaks off. Don't repeat any of it, don't comment, don't apologise.";

    private const string Deleted = "(A picture that was deleted.)";

    /// <summary>The job's messages; after them what the answer already has, as its provider can take it.</summary>
    /// <param name="job">The job.</param>
    /// <param name="pictures">Those of its pictures that there are.</param>
    /// <param name="written">Text the answer begins with; empty to begin at the beginning.</param>
    /// <param name="continuesAssistantMessage">Whether the provider continues a last message of the role assistant.</param>
    public static List<ChatMessage> Build(
        ClaimedJob job, IReadOnlyDictionary<Guid, ReadOnlyMemory<byte>> pictures, string written, bool continuesAssistantMessage)
    {
        var messages = new List<ChatMessage>(job.Roles.Length + 2);
        for (var i = 0; i < job.Roles.Length; i++)
        {
            var role = new ChatRole(job.Roles[i]);
            messages.Add(i < job.Pictures.Count && job.Pictures[i].Count > 0
                ? new ChatMessage(role, Show(job.Contents[i], job.Pictures[i], pictures))
                : new ChatMessage(role, job.Contents[i]));
        }

        if (written.Length == 0)
            return messages;
        messages.Add(new ChatMessage(ChatRole.Assistant, written));
        if (!continuesAssistantMessage)
            messages.Add(new ChatMessage(ChatRole.User, Continue));
        return messages;
    }

    private static List<AIContent> Show(string text, IReadOnlyList<Guid> ids, IReadOnlyDictionary<Guid, ReadOnlyMemory<byte>> pictures)
    {
        List<AIContent> contents = text.Length > 0 ? [new TextContent(text)] : [];
        foreach (var id in ids)
            contents.Add(pictures.TryGetValue(id, out var picture) ? new DataContent(picture, ShownPictures.MediaType) : new TextContent(Deleted));
        return contents;
    }

    public static ChatOptions Options(ClaimedJob job) => new() { AdditionalProperties = new() { [PurposeProperty] = job.Purpose } };

    /// <summary>Key of the purpose among the additional properties; for the demo model, not sent to servers.</summary>
    public const string PurposeProperty = "sevenx42.purpose";
}
