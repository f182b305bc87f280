using System.Buffers.Binary;
using System.IO.Compression;
using CsCheck;
using Microsoft.Extensions.Time.Testing;
using SevenX42.Modules.Generation.Domain.Images;
using SevenX42.Modules.Generation.Infrastructure.Providers.Demo;

namespace SevenX42.Modules.Generation.Tests.Images;

public sealed class DemoPictureTests
{
    private static readonly Gen<(string Prompt, long Seed, ImageSize Size, int Steps)> Pictures =
        Gen.Select(Gen.String, Gen.Long[0, uint.MaxValue], Gen.Int[32, 160], Gen.Int[32, 160], Gen.Int[1, 12])
            .Select((prompt, seed, width, height, steps) => (prompt, seed, new ImageSize(width, height), steps));

    [Fact]
    public void The_same_seed_paints_the_same_picture_and_every_step_changes_it() => Pictures.Sample(
        given =>
        {
            var (first, second) = (Begin(given), Begin(given));
            var before = first.Encode();
            for (var step = 1; step <= given.Steps; step++)
            {
                first.Advance();
                second.Advance();
                var after = first.Encode();
                Assert.Equal(after, second.Encode());
                Assert.NotEqual(before, after);
                before = after;
            }

            Assert.Throws<ArgumentOutOfRangeException>(first.Advance);
        },
        iter: 40);

    [Fact]
    public void Another_seed_or_another_prompt_paints_another_picture() => Pictures.Sample(
        given =>
        {
            var picture = Finish(given);
            Assert.NotEqual(picture, Finish(given with { Seed = given.Seed + 1 }));
            Assert.NotEqual(picture, Finish(given with { Prompt = given.Prompt.Trim() + "x" }));
        },
        iter: 20);

    [Fact]
    public void What_is_encoded_is_what_a_reader_of_png_reads() =>
        Gen.Select(Gen.Int[1, 40], Gen.Int[1, 40], Gen.Byte.Array[4800]).Sample((width, height, bytes) =>
        {
            var pixels = bytes[..(width * height * 3)];
            Assert.Equal((width, height, pixels), ReadPng(PngEncoder.Encode(pixels, width, height)), PngComparer);
        });

    [Fact]
    public async Task The_demo_tells_of_every_step_shows_previews_and_numbers_its_seeds()
    {
        await using var drawing = new Drawing(new DemoImageProvider(10_000, TimeProvider.System), new("demo", "a boat", new(512, 512), Count: 2, Seed: 7, Steps: 4));
        var updates = await drawing.EndAsync();
        Assert.Equal(Enumerable.Range(0, 9).Select(s => (s, 8)), updates.OfType<ImageStep>().Select(s => (s.Step, s.Steps)));
        Assert.Equal([0, 0, 0, 1, 1, 1], updates.OfType<ImagePreview>().Select(p => p.Index));
        Assert.Equal([(0, 7L), (1, 8L)], updates.OfType<ImageResult>().Select(r => (r.Index, r.Seed!.Value)));
        Assert.All(updates.OfType<ImageResult>(), r => Assert.Equal((512, 512), Size(r.Bytes.Span)));
        Assert.All(updates.OfType<ImagePreview>(), p => Assert.Equal((128, 128), Size(p.Bytes.Span)));
        await using var again = new Drawing(new DemoImageProvider(10_000, TimeProvider.System), new("demo", "a boat", new(512, 512), Seed: 8, Steps: 4));
        Assert.Equal(
            updates.OfType<ImageResult>().Last().Bytes.ToArray(), (await again.EndAsync()).OfType<ImageResult>().Single().Bytes.ToArray());
    }

    [Fact]
    public async Task The_demo_keeps_its_pace_and_stops_when_it_is_cancelled()
    {
        var time = new FakeTimeProvider();
        await using var drawing = new Drawing(new DemoImageProvider(2, time), new("demo", "a boat", new(512, 512), Steps: 20), time);
        Assert.Equal(new ImageStep(0, 20), await drawing.NextAsync());
        for (var step = 1; step <= 5; step++)
        {
            var next = drawing.UntilAsync<ImageStep>(s => s.Step == step);
            Assert.False(next.IsCompleted);
            time.Advance(TimeSpan.FromMilliseconds(500));
            await next;
        }

        await drawing.CancelAsync();
        Assert.Equal(5, drawing.Seen.OfType<ImageStep>().Last().Step);
        Assert.Empty(drawing.Seen.OfType<ImageResult>());
    }

    private static readonly EqualityComparer<(int Width, int Height, byte[] Pixels)> PngComparer = EqualityComparer<(int Width, int Height, byte[] Pixels)>.Create(
        (a, b) => (a.Width, a.Height) == (b.Width, b.Height) && a.Pixels.AsSpan().SequenceEqual(b.Pixels));

    private static DemoPicture Begin((string Prompt, long Seed, ImageSize Size, int Steps) given) =>
        new(given.Prompt, given.Seed, given.Size, given.Steps);

    private static byte[] Finish((string Prompt, long Seed, ImageSize Size, int Steps) given)
    {
        var picture = Begin(given);
        while (picture.Step < picture.Steps)
            picture.Advance();
        return picture.Encode();
    }

    private static (int Width, int Height) Size(ReadOnlySpan<byte> png) =>
        (BinaryPrimitives.ReadInt32BigEndian(png[16..]), BinaryPrimitives.ReadInt32BigEndian(png[20..]));

    /// <summary>A reader by the standard: signature, lengths, checksums bit by bit, and the filter that the encoder uses.</summary>
    private static (int Width, int Height, byte[] Pixels) ReadPng(ReadOnlySpan<byte> png)
    {
        Assert.Equal([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], png[..8].ToArray());
        var (width, height) = Size(png);
        var data = new List<byte>();
        var types = new List<string>();
        for (var at = 8; at < png.Length;)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(png[at..]);
            var crc = uint.MaxValue;
            foreach (var b in png.Slice(at + 4, length + 4))
            {
                crc ^= b;
                for (var bit = 0; bit < 8; bit++)
                    crc = (crc >> 1) ^ ((crc & 1) * 0xedb88320);
            }

            Assert.Equal(~crc, BinaryPrimitives.ReadUInt32BigEndian(png[(at + 8 + length)..]));
            types.Add(System.Text.Encoding.ASCII.GetString(png.Slice(at + 4, 4)));
            if (types[^1] == "IDAT")
                data.AddRange(png.Slice(at + 8, length));
            at += length + 12;
        }

        Assert.Equal(["IHDR", "IDAT", "IEND"], types);
        using var zlib = new ZLibStream(new MemoryStream([.. data]), CompressionMode.Decompress);
        using var raw = new MemoryStream();
        zlib.CopyTo(raw);
        var rows = raw.ToArray();
        var pixels = new byte[width * height * 3];
        for (var i = 0; i < pixels.Length; i++)
        {
            var (y, x) = (i / (width * 3), i % (width * 3));
            Assert.Equal(1, rows[y * ((width * 3) + 1)]);
            pixels[i] = (byte)(rows[(y * ((width * 3) + 1)) + 1 + x] + (x < 3 ? 0 : pixels[i - 3]));
        }

        return (width, height, pixels);
    }
}
