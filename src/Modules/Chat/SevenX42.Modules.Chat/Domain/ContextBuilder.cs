namespace SevenX42.Modules.Chat.Domain;

/// <summary>What a message costs of a model's context.</summary>
internal readonly record struct ContextMessage(bool IsAnswer, int Tokens);

/// <summary>
/// Decides what goes into the context of an answer: the instructions, and as many of the branch's newest messages as the model's
/// window holds beside the answer. The last message always goes in, even when it alone is too much: then the provider says so.
/// </summary>
internal static class ContextBuilder
{
    /// <summary>What a chat template spends on each message.</summary>
    public const int TokensPerMessage = 4;

    /// <summary>The first message that goes in; all before it no longer fit.</summary>
    /// <param name="branch">The branch, oldest first; not empty.</param>
    /// <param name="fixedTokens">What goes in besides: the instructions, and the text that is to be continued.</param>
    /// <param name="contextTokens">The model's window.</param>
    /// <returns>An index into <paramref name="branch"/>.</returns>
    public static int FirstOf(IReadOnlyList<ContextMessage> branch, int fixedTokens, int contextTokens)
    {
        // A quarter of the window is the answer's.
        var first = branch.Count - 1;
        var budget = contextTokens - (contextTokens / 4) - fixedTokens - Cost(branch[first]);
        while (first > 0)
        {
            budget -= Cost(branch[first - 1]);
            if (budget < 0)
                break;
            first--;
        }

        // A context that begins with an answer confuses models; its question is gone.
        return first > 0 && first < branch.Count - 1 && branch[first].IsAnswer ? first + 1 : first;
    }

    private static int Cost(ContextMessage message) => message.Tokens + TokensPerMessage;
}
