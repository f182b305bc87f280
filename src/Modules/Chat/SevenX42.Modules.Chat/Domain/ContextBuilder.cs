namespace SevenX42.Modules.Chat.Domain;

/// <summary>What a message costs of a model's context.</summary>
/// <param name="IsAnswer">Whether it is a model's.</param>
/// <param name="Tokens">Tokens of its text.</param>
/// <param name="Pictures">How many it shows.</param>
internal readonly record struct ContextMessage(bool IsAnswer, int Tokens, int Pictures = 0);

/// <summary>Where a context begins.</summary>
/// <param name="Message">The first message that goes in; all before it no longer fit.</param>
/// <param name="Picture">The first message whose pictures go in; those before it no longer fit.</param>
internal readonly record struct ContextStart(int Message, int Picture);

/// <summary>
/// Decides what goes into the context of an answer: the instructions, and as many of the branch's newest messages as the model's
/// window holds beside the answer. The last message always goes in, even when it alone is too much: then the provider says so. Old
/// pictures are left out where they no longer fit beside the words that are newer, and then all that are older.
/// </summary>
internal static class ContextBuilder
{
    /// <summary>What a chat template spends on each message.</summary>
    public const int TokensPerMessage = 4;

    /// <summary>
    /// What a picture of 1024 × 1024 pixels costs at OpenAI: 85, and 170 for each of four tiles. Others reckon differently, few of them
    /// with much more. https://platform.openai.com/docs/guides/images-vision
    /// </summary>
    public const int TokensPerPicture = 765;

    /// <summary>No request shows more, however large the window: servers take only so many, and so large a body.</summary>
    public const int MostPictures = 16;

    /// <summary>Where the context begins.</summary>
    /// <param name="branch">The branch, oldest first; not empty.</param>
    /// <param name="fixedTokens">What goes in besides: the instructions, and the text that is to be continued.</param>
    /// <param name="contextTokens">The model's window.</param>
    /// <returns>Indices into <paramref name="branch"/>.</returns>
    public static ContextStart StartOf(IReadOnlyList<ContextMessage> branch, int fixedTokens, int contextTokens)
    {
        // A quarter of the window is the answer's.
        var first = branch.Count - 1;
        var budget = contextTokens - (contextTokens / 4) - fixedTokens - Cost(branch[first]) - (branch[first].Pictures * TokensPerPicture);
        var (picture, pictures) = (first, branch[first].Pictures);
        while (first > 0)
        {
            var message = branch[first - 1];
            budget -= Cost(message);
            if (budget < 0)
                break;
            // Once pictures are left out, so are all that are older.
            if (picture == first && pictures + message.Pictures <= MostPictures && message.Pictures * TokensPerPicture <= budget)
            {
                budget -= message.Pictures * TokensPerPicture;
                pictures += message.Pictures;
                picture--;
            }

            first--;
        }

        // A context that begins with an answer confuses models; its question is gone.
        if (first > 0 && first < branch.Count - 1 && branch[first].IsAnswer)
            first++;
        return new ContextStart(first, Math.Max(first, picture));
    }

    private static int Cost(ContextMessage message) => message.Tokens + TokensPerMessage;
}
