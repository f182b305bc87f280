using Microsoft.Extensions.AI;
using SevenX42.Modules.Generation.Infrastructure.Jobs;

namespace SevenX42.Modules.Generation.Infrastructure.Work;

/// <summary>What a model is asked.</summary>
internal static class Prompt
{
    private const string Continue =
        "Continue your last message exactly where it breaks off. Don't repeat any of it, don't comment, don't apologise.";

    /// <summary>The job's messages; after them what the answer already has, as its provider can take it.</summary>
    /// <param name="job">The job.</param>
    /// <param name="written">Text the answer begins with; empty to begin at the beginning.</param>
    /// <param name="continuesAssistantMessage">Whether the provider continues a last message of the role assistant.</param>
    public static List<ChatMessage> Build(ClaimedJob job, string written, bool continuesAssistantMessage)
    {
        var messages = new List<ChatMessage>(job.Roles.Length + 2);
        for (var i = 0; i < job.Roles.Length; i++)
            messages.Add(new ChatMessage(new ChatRole(job.Roles[i]), job.Contents[i]));
        if (written.Length == 0)
            return messages;
        messages.Add(new ChatMessage(ChatRole.Assistant, written));
        if (!continuesAssistantMessage)
            messages.Add(new ChatMessage(ChatRole.User, Continue));
        return messages;
    }

    public static ChatOptions Options(ClaimedJob job) => new() { AdditionalProperties = new() { [PurposeProperty] = job.Purpose } };

    /// <summary>Key of the purpose among the additional properties; for the demo model, not sent to servers.</summary>
    public const string PurposeProperty = "sevenx42.purpose";
}
