namespace SevenX42.Modules.Chat.Domain;

/// <summary>A message as a model gets it.</summary>
internal readonly record struct ContextMessage(string Role, string Text);

/// <summary>What fits into a model's context.</summary>
/// <param name="Messages">Instructions first, then the newest messages, oldest first.</param>
/// <param name="Omitted">How many of the branch's messages were left out, from the oldest.</param>
internal sealed record Context(IReadOnlyList<ContextMessage> Messages, int Omitted);

/// <summary>
/// Builds the context of an answer: the instructions, and as many of the branch's newest messages as the model's window
/// holds beside the answer. The last message always goes in, even when it alone is too much: then the provider says so.
/// </summary>
internal static class ContextBuilder
{
    // What a chat template spends on each message.
    private const int TokensPerMessage = 4;

    /// <param name="instructions">System prompt; empty for none.</param>
    /// <param name="branch">The branch, oldest first; not empty.</param>
    /// <param name="contextTokens">The model's window.</param>
    /// <param name="countTokens">Tokens of a text.</param>
    public static Context Build(
        string instructions, IReadOnlyList<ContextMessage> branch, int contextTokens, Func<string, int> countTokens)
    {
        // A quarter of the window is the answer's.
        var budget = contextTokens - (contextTokens / 4);
        if (instructions.Length > 0)
            budget -= countTokens(instructions) + TokensPerMessage;
        var first = branch.Count - 1;
        budget -= countTokens(branch[first].Text) + TokensPerMessage;
        while (first > 0)
        {
            budget -= countTokens(branch[first - 1].Text) + TokensPerMessage;
            if (budget < 0)
                break;
            first--;
        }

        // A context that begins with an answer confuses models; its question is gone.
        if (first > 0 && first < branch.Count - 1 && branch[first].Role == "assistant")
            first++;
        List<ContextMessage> messages = instructions.Length > 0 ? [new("system", instructions)] : [];
        messages.AddRange(branch.Skip(first));
        return new Context(messages, first);
    }
}
