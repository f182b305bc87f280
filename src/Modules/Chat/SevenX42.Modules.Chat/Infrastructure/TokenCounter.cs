using Microsoft.ML.Tokenizers;

namespace SevenX42.Modules.Chat.Infrastructure;

/// <summary>
/// Counts tokens. An estimate for models of other makers too; a quarter of the window is left for the answer and for its error.
/// </summary>
internal static class TokenCounter
{
    // A tokenizer's work grows with the square of what it finds no joint in: a ruler of dashes, base64, Chinese without
    // punctuation. Cut into slices, any text costs what prose does, and at most a token more for each cut.
    private const int LongestSlice = 128;

    private static readonly Lazy<TiktokenTokenizer> Tokenizer = new(() => TiktokenTokenizer.CreateForEncoding("o200k_base"));

    /// <summary>Tokens of a text.</summary>
    public static int Count(string text)
    {
        var count = 0;
        var rest = text.AsSpan();
        while (!rest.IsEmpty)
        {
            var length = LengthOfSlice(rest);
            count += Tokenizer.Value.CountTokens(rest[..length]);
            rest = rest[length..];
        }

        return count;
    }

    private static int LengthOfSlice(ReadOnlySpan<char> text)
    {
        if (text.Length <= LongestSlice)
            return text.Length;
        // Before the space of a word, which belongs to its token.
        for (var i = LongestSlice; i > LongestSlice / 2; i--)
        {
            if (char.IsWhiteSpace(text[i]) && !char.IsWhiteSpace(text[i - 1]))
                return i;
        }

        return char.IsHighSurrogate(text[LongestSlice - 1]) ? LongestSlice - 1 : LongestSlice;
    }
}
