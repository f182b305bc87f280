namespace SevenX42.Modules.Generation.Domain.Images;

/// <summary>Tells what picture bytes are by how they begin, whatever was said about them.</summary>
internal static class ImageTypes
{
    /// <summary>The media type; <see langword="null"/> when this is no picture that a browser shows.</summary>
    public static string? Find(ReadOnlySpan<byte> bytes)
    {
        if (bytes.StartsWith(PngSignature))
            return "image/png";
        if (bytes.StartsWith(JpegSignature))
            return "image/jpeg";
        if (bytes.Length >= 12 && bytes.StartsWith("RIFF"u8) && bytes[8..12].SequenceEqual("WEBP"u8))
            return "image/webp";
        if (bytes.StartsWith("GIF87a"u8) || bytes.StartsWith("GIF89a"u8))
            return "image/gif";
        return bytes.Length >= 12 && bytes[4..8].SequenceEqual("ftyp"u8) && bytes[8..11].SequenceEqual("avi"u8) ? "image/avif" : null;
    }

    private static ReadOnlySpan<byte> PngSignature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0d, 0x0a, 0x1a, 0x0a];

    private static ReadOnlySpan<byte> JpegSignature => [0xff, 0xd8, 0xff];
}
