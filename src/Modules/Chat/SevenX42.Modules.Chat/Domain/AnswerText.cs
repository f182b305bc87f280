using System.Text;

namespace SevenX42.Modules.Chat.Domain;

/// <summary>
/// The text of an answer that is being written, put together from a checkpoint and any part of the log. Offsets make that
/// possible in any order of arrival: what is known already changes nothing, what comes after a gap is refused.
/// </summary>
internal sealed class AnswerText
{
    private readonly StringBuilder _text = new();
    private readonly StringBuilder _reasoning = new();

    /// <summary>The generation whose events count; those of earlier ones are old.</summary>
    public Guid GenerationId { get; private set; }

    public string Text => _text.ToString();

    public string Reasoning => _reasoning.ToString();

    public int Length => _text.Length;

    /// <summary>Takes a checkpoint, which may be ahead of or behind what is known.</summary>
    public void Load(Guid generationId, string text, string reasoning)
    {
        if (GenerationId != generationId)
        {
            GenerationId = generationId;
            _text.Clear();
            _reasoning.Clear();
        }

        if (text.Length > _text.Length)
            _text.Clear().Append(text);
        if (reasoning.Length > _reasoning.Length)
            _reasoning.Clear().Append(reasoning);
    }

    /// <summary>An attempt begins at these offsets; what was written behind them is void.</summary>
    /// <returns><see langword="false"/> when the text before the offset is missing here.</returns>
    public bool Start(Guid generationId, int textOffset, int reasoningOffset)
    {
        if (GenerationId != generationId)
        {
            // A continued answer keeps its text under a new generation.
            GenerationId = generationId;
        }

        if (textOffset > _text.Length || reasoningOffset > _reasoning.Length)
            return false;
        _text.Length = textOffset;
        _reasoning.Length = reasoningOffset;
        return true;
    }

    /// <summary>Takes more text.</summary>
    /// <param name="offset">Where it begins.</param>
    /// <param name="text">The text.</param>
    /// <param name="added">The part that is new.</param>
    /// <returns><see langword="false"/> when something before it is missing.</returns>
    public bool Append(int offset, string text, out ReadOnlySpan<char> added) => Append(_text, offset, text, out added);

    /// <summary>Takes more reasoning.</summary>
    public bool AppendReasoning(int offset, string text, out ReadOnlySpan<char> added) => Append(_reasoning, offset, text, out added);

    private static bool Append(StringBuilder known, int offset, string text, out ReadOnlySpan<char> added)
    {
        added = default;
        if (offset > known.Length)
            return false;
        var overlap = known.Length - offset;
        if (overlap >= text.Length)
            return true;
        added = text.AsSpan(overlap);
        known.Append(added);
        return true;
    }
}
