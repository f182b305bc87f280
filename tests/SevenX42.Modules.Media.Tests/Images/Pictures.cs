using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using NetVips;

namespace SevenX42.Modules.Media.Tests.Images;

/// <summary>Pictures as cameras, programs and people with bad intentions make them.</summary>
internal static class Pictures
{
    /// <summary>Stands in everything that must not be kept.</summary>
    public const string Secret = "SECRET-51.4779,0.0015";

    private static readonly byte[] Signature = [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    private static int Made;

    /// <summary>A gradient that is another one every time.</summary>
    public static Image New(int width, int height)
    {
        var number = Interlocked.Increment(ref Made);
        using var gradient = Image.Xyz(width, height);
        using var scaled = gradient * new double[] { 255.0 / width, 255.0 / height };
        using var third = scaled[0] * 0 + (number % 256);
        using var joined = scaled.Bandjoin(third);
        using var bytes = joined.Cast(Enums.BandFormat.Uchar);
        // The same gradient has a mark of its own in one corner, should 256 pictures not be enough.
        using var marked = bytes.Copy(interpretation: Enums.Interpretation.Srgb);
        return marked.CopyMemory().Mutate(m => m.DrawRect([number & 255, (number >> 8) & 255, 7], 0, 0, 1, 1, fill: true));
    }

    public static Image WithAlpha(int width, int height)
    {
        using var picture = New(width, height);
        using var alpha = (picture[0] * 0 + 128).Cast(Enums.BandFormat.Uchar);
        return picture.Bandjoin(alpha);
    }

    public static Image Grey(int width, int height)
    {
        using var picture = New(width, height);
        return picture.Colourspace(Enums.Interpretation.Bw);
    }

    public static byte[] Png(int width = 100, int height = 80)
    {
        using var picture = New(width, height);
        return picture.PngsaveBuffer(keep: Enums.ForeignKeep.None);
    }

    public static byte[] Jpeg(int width = 100, int height = 80)
    {
        using var picture = New(width, height);
        return picture.JpegsaveBuffer(keep: Enums.ForeignKeep.None);
    }

    public static byte[] WebP(int width = 100, int height = 80)
    {
        using var picture = New(width, height);
        return picture.WebpsaveBuffer(keep: Enums.ForeignKeep.None);
    }

    public static byte[] Gif(int width = 100, int height = 80)
    {
        using var picture = New(width, height);
        return picture.GifsaveBuffer(keep: Enums.ForeignKeep.None);
    }

    public static byte[] Avif(int width = 100, int height = 80)
    {
        using var picture = New(width, height);
        return picture.HeifsaveBuffer(compression: Enums.ForeignHeifCompression.Av1, effort: 0, keep: Enums.ForeignKeep.None);
    }

    /// <summary>Three pictures that follow each other.</summary>
    public static Image Animation()
    {
        using var first = New(60, 40);
        using var second = New(60, 40);
        using var third = New(60, 40);
        using var all = Image.Arrayjoin([first, second, third], across: 1);
        return all.Mutate(m =>
        {
            m.Set(GValue.GIntType, "page-height", 40);
            m.Set(GValue.ArrayIntType, "delay", new[] { 100, 100, 100 });
        });
    }

    /// <summary>A JPEG as a camera writes it: turned, with place and comment, in a profile of its own.</summary>
    public static byte[] FromACamera(int orientation)
    {
        using var picture = New(120, 80);
        using var told = picture.Mutate(m =>
        {
            m.Set(GValue.GIntType, "orientation", orientation);
            m.Set(GValue.GStrType, "exif-ifd0-ImageDescription", $"{Secret} ({Secret}, ASCII, 1 components, 1 bytes)");
            m.Set(GValue.GStrType, "exif-ifd3-GPSAreaInformation", Secret);
            m.Set(GValue.BlobType, "xmp-data", Encoding.UTF8.GetBytes($"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{Secret}</x:xmpmeta>"));
        });
        return told.JpegsaveBuffer(keep: Enums.ForeignKeep.All);
    }

    /// <summary>A picture with metadata, in any format that has room for them.</summary>
    public static byte[] Telling(Func<Image, byte[]> save)
    {
        using var picture = New(90, 60);
        using var told = picture.Mutate(m => m.Set(
            GValue.BlobType, "xmp-data", Encoding.UTF8.GetBytes($"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{Secret}</x:xmpmeta>")));
        return save(told);
    }

    /// <summary>A PNG of chunks.</summary>
    public static byte[] PngOf(params (string Type, byte[] Data)[] chunks)
    {
        using var file = new MemoryStream();
        file.Write(Signature);
        foreach (var (type, data) in chunks)
            file.Write(Chunk(type, data));
        return file.ToArray();
    }

    /// <summary>The head of a PNG.</summary>
    public static (string Type, byte[] Data) Header(uint width, uint height, byte depth, byte colourType, byte interlaced = 0)
    {
        var data = new byte[13];
        BinaryPrimitives.WriteUInt32BigEndian(data, width);
        BinaryPrimitives.WriteUInt32BigEndian(data.AsSpan(4), height);
        (data[8], data[9], data[12]) = (depth, colourType, interlaced);
        return ("IHDR", data);
    }

    /// <summary>Pixels that are all nought.</summary>
    public static (string Type, byte[] Data) Pixels(long bytes) => ("IDAT", Deflate(bytes));

    /// <summary>A PNG with another chunk after its head.</summary>
    public static byte[] With(byte[] png, string type, byte[] data) => [.. png[..33], .. Chunk(type, data), .. png[33..]];

    /// <summary>So many noughts, compressed.</summary>
    public static byte[] Deflate(long bytes)
    {
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            var noughts = new byte[64 * 1024];
            for (; bytes > 0; bytes -= noughts.Length)
                zlib.Write(noughts, 0, (int)Math.Min(bytes, noughts.Length));
        }

        return packed.ToArray();
    }

    /// <summary>The same with some bytes replaced.</summary>
    public static byte[] Changed(byte[] content, int at, params byte[] bytes)
    {
        byte[] copy = [.. content];
        bytes.CopyTo(copy, at);
        return copy;
    }

    /// <summary>A JPEG that says it is of another size.</summary>
    public static byte[] JpegOfSize(ushort width, ushort height)
    {
        var jpeg = Jpeg();
        var frame = jpeg.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xFF, 0xC0]);
        return Changed(jpeg, frame + 5, (byte)(height >> 8), (byte)height, (byte)(width >> 8), (byte)width);
    }

    /// <summary>A GIF whose screen and only picture say they are of another size.</summary>
    public static byte[] GifOfSize(ushort width, ushort height)
    {
        byte[] size = [(byte)width, (byte)(width >> 8), (byte)height, (byte)(height >> 8)];
        var gif = Gif();
        var picture = gif.AsSpan().IndexOf((ReadOnlySpan<byte>)[0x2C, 0, 0, 0, 0, 100, 0, 80, 0]);
        return Changed(Changed(gif, 6, size), picture + 5, size);
    }

    /// <summary>A WebP that says it is of another size: 14 bits each, after the mark of its only frame.</summary>
    public static byte[] WebPOfSize(ushort width, ushort height)
    {
        var webp = WebP();
        var frame = webp.AsSpan().IndexOf((ReadOnlySpan<byte>)[0x9D, 0x01, 0x2A]);
        return Changed(webp, frame + 3, (byte)width, (byte)(width >> 8), (byte)height, (byte)(height >> 8));
    }

    /// <summary>An AVIF whose box of its size says another one.</summary>
    public static byte[] AvifOfSize(byte[] avif, int width, int height)
    {
        var size = new byte[8];
        BinaryPrimitives.WriteInt32BigEndian(size, width);
        BinaryPrimitives.WriteInt32BigEndian(size.AsSpan(4), height);
        return Changed(avif, avif.AsSpan().IndexOf("ispe"u8) + 8, size);
    }

    /// <summary>The table's polynomial, bit by bit: these files are small.</summary>
    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var b in bytes)
        {
            crc ^= b;
            for (var bit = 0; bit < 8; bit++)
                crc = (crc & 1) == 1 ? (crc >> 1) ^ 0xEDB88320 : crc >> 1;
        }

        return ~crc;
    }

    private static byte[] Chunk(string type, byte[] data)
    {
        var chunk = new byte[data.Length + 12];
        BinaryPrimitives.WriteInt32BigEndian(chunk, data.Length);
        Encoding.ASCII.GetBytes(type, chunk.AsSpan(4));
        data.CopyTo(chunk, 8);
        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(data.Length + 8), Crc(chunk.AsSpan(4, data.Length + 4)));
        return chunk;
    }
}
