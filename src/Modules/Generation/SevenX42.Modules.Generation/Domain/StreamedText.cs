using System.Text;

namespace SevenX42.Modules.Generation.Domain;

/// <summary>
/// Text that grows by chunks cut anywhere and is handed on in pieces that are whole characters: what <see cref="Take"/>
/// has returned, concatenated, is always a prefix of <see cref="ToString()"/>, which is always well-formed and storable.
/// Not thread-safe.
/// </summary>
internal sealed class StreamedText(string start = "")
{
    private readonly StringBuilder _text = new(start);
    private char _half;

    /// <summary>Length of the text, UTF-16 code units; a surrogate that waits for its other half is not in it.</summary>
    public int Length => _text.Length;

    /// <summary>How much of it <see cref="Take"/> has handed on.</summary>
    public int Taken { get; private set; } = start.Length;

    /// <summary>Whether there is something to take.</summary>
    public bool HasMore => Taken < _text.Length;

    /// <summary>Adds a chunk. Characters that PostgreSQL or UTF-8 can't hold become U+FFFD.</summary>
    public void Append(string chunk)
    {
        if (_half == 0 && IsPlain(chunk))
        {
            _text.Append(chunk);
            return;
        }

        foreach (var c in chunk)
            Append(c);
    }

    /// <summary>The end: half a character that never became whole is replaced.</summary>
    public void Complete()
    {
        if (_half != 0)
            _text.Append('\uFFFD');
        _half = '\0';
    }

    /// <summary>Hands on the next piece.</summary>
    /// <param name="max">At most this many code units, at least 2.</param>
    /// <returns>Where the piece begins and the piece; empty when there is none.</returns>
    public (int Offset, string Piece) Take(int max)
    {
        var offset = Taken;
        var length = Math.Min(_text.Length - offset, max);
        if (length > 0 && offset + length < _text.Length && char.IsHighSurrogate(_text[offset + length - 1]))
            length--;
        Taken = offset + length;
        return (offset, length == 0 ? "" : _text.ToString(offset, length));
    }

    /// <summary>Drops everything from <paramref name="length"/> on, taken or not.</summary>
    public void Truncate(int length)
    {
        _half = '\0';
        _text.Length = length;
        Taken = Math.Min(Taken, length);
    }

    public override string ToString() => _text.ToString();

    /// <summary>Makes foreign text well-formed and storable.</summary>
    public static string Clean(string text)
    {
        if (IsPlain(text))
            return text;
        var clean = new StreamedText();
        clean.Append(text);
        clean.Complete();
        return clean.ToString();
    }

    private static bool IsPlain(string text)
    {
        foreach (var c in text)
        {
            if (c == '\0' || char.IsSurrogate(c))
                return false;
        }

        return true;
    }

    private void Append(char c)
    {
        if (_half != 0)
        {
            var half = _half;
            _half = '\0';
            if (char.IsLowSurrogate(c))
            {
                _text.Append(half).Append(c);
                return;
            }

            _text.Append('\uFFFD');
        }

        if (char.IsHighSurrogate(c))
            _half = c;
        else
            _text.Append(c == '\0' || char.IsLowSurrogate(c) ? '\uFFFD' : c);
    }
}
