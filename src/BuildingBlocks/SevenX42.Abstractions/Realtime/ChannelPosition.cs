using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace SevenX42.Realtime;

/// <summary>
/// A place in a channel's log: everything up to and including <paramref name="Seq"/> of <paramref name="Epoch"/> is had.
/// </summary>
/// <param name="Epoch">
/// Identifies one life of the log, 1 to 32 characters of <c>[A-Za-z0-9_-]</c>. A log that was lost or evicted begins a
/// new epoch; positions of another epoch can't be resumed.
/// </param>
/// <param name="Seq">Sequence number of the last event had; 0 before the first. Gapless within an epoch.</param>
public readonly record struct ChannelPosition(string Epoch, long Seq)
{
    /// <summary>
    /// The position of a snapshot that was taken while the log could not be reached. No epoch has this name, so whoever watches
    /// from there is sent back to the snapshot until the log is there again.
    /// </summary>
    public static ChannelPosition Unknown { get; } = new("unknown-place", 0);

    /// <summary>The wire form, <c>epoch:seq</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Epoch}:{Seq}");

    /// <summary>Reads the wire form.</summary>
    /// <returns><see langword="false"/> when <paramref name="text"/> is not of the form <c>epoch:seq</c>.</returns>
    public static bool TryParse([NotNullWhen(true)] string? text, out ChannelPosition position)
    {
        position = default;
        var colon = text?.LastIndexOf(':') ?? -1;
        if (text is null || colon is < 1 or > 32)
            return false;
        foreach (var c in text.AsSpan(0, colon))
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('_' or '-'))
                return false;
        }

        if (!long.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var seq))
            return false;
        position = new ChannelPosition(text[..colon], seq);
        return true;
    }
}
