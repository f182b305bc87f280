using System.Buffers.Binary;
using System.IO.Compression;

namespace SevenX42.Modules.Generation.Infrastructure.Providers.Demo;

/// <summary>Writes 8-bit RGB pixels as PNG (https://www.w3.org/TR/png-3/): enough for the demo, which needs nothing else of a library.</summary>
internal static class PngEncoder
{
    private static readonly uint[] CrcTable = MakeCrcTable();

    /// <summary>The encoded picture.</summary>
    /// <param name="pixels">Red, green and blue of each pixel, row by row.</param>
    /// <param name="width">Pixels of a row.</param>
    /// <param name="height">Rows.</param>
    public static byte[] Encode(ReadOnlySpan<byte> pixels, int width, int height)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(pixels.Length, width * height * 3);
        using var png = new MemoryStream();
        png.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 0x0d, 0x0a, 0x1a, 0x0a]);
        Span<byte> header = stackalloc byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header[4..], height);
        (header[8], header[9], header[10], header[11], header[12]) = (8, 2, 0, 0, 0); // 8 bits, RGB, deflate, filters, not interlaced
        WriteChunk(png, "IHDR"u8, header);
        using var data = new MemoryStream();
        using (var zlib = new ZLibStream(data, CompressionLevel.Fastest, leaveOpen: true))
        {
            var stride = width * 3;
            var row = new byte[1 + stride];
            row[0] = 1; // Each byte minus that of the pixel to its left.
            for (var y = 0; y < height; y++)
            {
                var source = pixels.Slice(y * stride, stride);
                for (var x = 0; x < stride; x++)
                    row[x + 1] = (byte)(source[x] - (x < 3 ? 0 : source[x - 3]));
                zlib.Write(row);
            }
        }

        WriteChunk(png, "IDAT"u8, data.GetBuffer().AsSpan(0, (int)data.Length));
        WriteChunk(png, "IEND"u8, []);
        return png.ToArray();
    }

    private static void WriteChunk(MemoryStream png, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        png.Write(number);
        png.Write(type);
        png.Write(data);
        BinaryPrimitives.WriteUInt32BigEndian(number, ~Crc(Crc(uint.MaxValue, type), data));
        png.Write(number);
    }

    private static uint Crc(uint crc, ReadOnlySpan<byte> bytes)
    {
        foreach (var b in bytes)
            crc = CrcTable[(byte)(crc ^ b)] ^ (crc >> 8);
        return crc;
    }

    private static uint[] MakeCrcTable()
    {
        var table = new uint[256];
        for (var n = 0u; n < table.Length; n++)
        {
            var c = n;
            for (var k = 0; k < 8; k++)
                c = (c & 1) == 0 ? c >> 1 : 0xedb88320 ^ (c >> 1);
            table[n] = c;
        }

        return table;
    }
}
