using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace SevenX42.Modules.Media.Domain;

/// <summary>The media types that are stored and served.</summary>
internal static class MediaTypes
{
    public const string Png = "image/png";
    public const string Jpeg = "image/jpeg";
    public const string Gif = "image/gif";
    public const string WebP = "image/webp";
    public const string Avif = "image/avif";
    public const string Pdf = "application/pdf";
    public const string Text = "text/plain";

    /// <summary>Whether it is a picture, which is stored anew and never as it came.</summary>
    public static bool IsImage(string mediaType) => mediaType.StartsWith("image/", StringComparison.Ordinal);
}

/// <summary>
/// Finds a content's media type in the content, however it is cut into pieces. Binary formats are known by their first
/// bytes; text is whatever is UTF-8 throughout and holds no control characters but white space.
/// </summary>
internal sealed class MediaTypeDetector
{
    private const int HeadLength = 12;

    private static readonly SearchValues<byte> NoText = SearchValues.Create(
        [.. Enumerable.Range(0, 0x20).Select(b => (byte)b).Except("\t\n\f\r"u8.ToArray()), 0x7F]);

    private readonly byte[] _head = new byte[HeadLength];
    private readonly byte[] _rune = new byte[4];
    private int _headLength;
    private int _runeLength;
    private bool _isText = true;

    /// <summary>Takes in the next piece.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        var missing = Math.Min(HeadLength - _headLength, bytes.Length);
        bytes[..missing].CopyTo(_head.AsSpan(_headLength));
        _headLength += missing;
        _isText = _isText && !bytes.ContainsAny(NoText) && AppendUtf8(bytes);
    }

    /// <summary>Whether nothing that may follow can make this a type we know.</summary>
    public bool IsHopeless => !_isText && _headLength == HeadLength && Binary() is null;

    /// <summary>The media type of everything that was appended, or <see langword="null"/> when it is none we know.</summary>
    public string? Detect() => Binary() ?? (_isText && _runeLength == 0 && _headLength > 0 ? MediaTypes.Text : null);

    private string? Binary()
    {
        var head = _head.AsSpan(0, _headLength);
        if (head.StartsWith((ReadOnlySpan<byte>)[0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A]))
            return MediaTypes.Png;
        if (head.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]))
            return MediaTypes.Jpeg;
        if (head.StartsWith("GIF87a"u8) || head.StartsWith("GIF89a"u8))
            return MediaTypes.Gif;
        if (head.Length == HeadLength && head.StartsWith("RIFF"u8) && head[8..].SequenceEqual("WEBP"u8))
            return MediaTypes.WebP;
        if (head.Length == HeadLength && head[4..].StartsWith("ftypavif"u8))
            return MediaTypes.Avif;
        return head.StartsWith("%PDF-"u8) ? MediaTypes.Pdf : null;
    }

    private bool AppendUtf8(ReadOnlySpan<byte> bytes)
    {
        // A character that the last piece began.
        while (_runeLength > 0 && bytes.Length > 0)
        {
            _rune[_runeLength++] = bytes[0];
            bytes = bytes[1..];
            var status = Rune.DecodeFromUtf8(_rune.AsSpan(0, _runeLength), out _, out _);
            if (status == OperationStatus.Done)
                _runeLength = 0;
            else if (status != OperationStatus.NeedMoreData)
                return false;
        }

        // A character that the next piece ends.
        for (var length = 1; length <= Math.Min(3, bytes.Length); length++)
        {
            if (Rune.DecodeFromUtf8(bytes[^length..], out _, out _) != OperationStatus.NeedMoreData)
                continue;
            bytes[^length..].CopyTo(_rune);
            _runeLength = length;
            bytes = bytes[..^length];
            break;
        }

        return Utf8.IsValid(bytes);
    }
}
