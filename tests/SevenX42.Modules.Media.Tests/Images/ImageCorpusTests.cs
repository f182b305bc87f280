using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using NetVips;
using SevenX42.Contracts.Media;
using SevenX42.Testing;

namespace SevenX42.Modules.Media.Tests.Images;

/// <summary>One host for all pictures.</summary>
public sealed class ImageCorpusHost(PostgresServer postgres) : IAsyncLifetime
{
    internal MediaHost Host { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Host = await MediaHost.StartAsync(postgres);

    public ValueTask DisposeAsync() => Host.DisposeAsync();
}

/// <summary>Odd and hostile pictures: each is either stored anew, with nothing of the file it came in, or refused and leaves nothing.</summary>
public sealed class ImageCorpusTests(ImageCorpusHost fixture) : IClassFixture<ImageCorpusHost>
{
    private static readonly Dictionary<string, (Func<byte[]> Make, string Comes)> Stored = new()
    {
        ["a JPEG"] = (() => Pictures.Jpeg(700, 500), "image/jpeg 700x500"),
        ["a JPEG that knows its printer"] = (
            () => Save(Pictures.New(90, 60), i => i.Copy(xres: 11, yres: 13).JpegsaveBuffer()), "image/jpeg 90x60"),
        ["a PNG that knows its printer"] = (
            () => Save(Pictures.New(90, 60), i => i.Copy(xres: 11, yres: 13).PngsaveBuffer()), "image/png 90x60"),
        ["a progressive JPEG"] = (() => Save(Pictures.New(90, 60), i => i.JpegsaveBuffer(interlace: true)), "image/jpeg 90x60"),
        ["a grey JPEG"] = (() => Save(Pictures.Grey(90, 60), i => i.JpegsaveBuffer()), "image/jpeg 90x60"),
        ["a JPEG in printing colours"] = (
            () => Save(Pictures.New(90, 60), i => i.IccTransform("cmyk", inputProfile: "srgb").JpegsaveBuffer(keep: Enums.ForeignKeep.None)), "image/jpeg 90x60"),
        ["a JPEG in printing colours with their profile"] = (
            () => Save(Pictures.New(90, 60), i => i.IccTransform("cmyk", inputProfile: "srgb").JpegsaveBuffer(keep: Enums.ForeignKeep.Icc)), "image/jpeg 90x60"),
        ["a JPEG in wide colours"] = (
            () => Save(Pictures.New(90, 60), i => i.IccTransform("p3", inputProfile: "srgb").JpegsaveBuffer(keep: Enums.ForeignKeep.Icc)), "image/jpeg 90x60"),
        ["a JPEG with a profile that is none"] = (
            () => Save(Pictures.New(90, 60), i => i.Mutate(m => m.Set(GValue.BlobType, "icc-profile-data", new byte[200])).JpegsaveBuffer()), "image/jpeg 90x60"),
        ["a JPEG from a camera"] = (() => Pictures.FromACamera(1), "image/jpeg 120x80"),
        ["a JPEG from a camera that was mirrored"] = (() => Pictures.FromACamera(2), "image/jpeg 120x80"),
        ["a JPEG from a camera on its head"] = (() => Pictures.FromACamera(3), "image/jpeg 120x80"),
        ["a JPEG from a camera on its side"] = (() => Pictures.FromACamera(6), "image/jpeg 80x120"),
        ["a JPEG from a camera on its other side"] = (() => Pictures.FromACamera(8), "image/jpeg 80x120"),
        ["a JPEG with a page behind it"] = (() => [.. Pictures.Jpeg(), .. Encoding.UTF8.GetBytes($"<html><script>{Pictures.Secret}</script>")], "image/jpeg 100x80"),
        ["a JPEG with a comment"] = (
            () =>
            {
                var jpeg = Pictures.Jpeg();
                var comment = Encoding.ASCII.GetBytes(Pictures.Secret);
                return [.. jpeg[..2], 0xFF, 0xFE, 0, (byte)(comment.Length + 2), .. comment, .. jpeg[2..]];
            },
            "image/jpeg 100x80"),
        ["a JPEG that says it is larger"] = (() => Pictures.JpegOfSize(1_000, 900), "image/jpeg 1000x900"),
        ["a PNG"] = (() => Pictures.Png(700, 500), "image/png 700x500"),
        ["a PNG that one sees through"] = (() => Save(Pictures.WithAlpha(400, 300), i => i.PngsaveBuffer()), "image/png 400x300"),
        ["a grey PNG"] = (() => Save(Pictures.Grey(90, 60), i => i.PngsaveBuffer()), "image/png 90x60"),
        ["a PNG of 16 bits"] = (() => Save(Pictures.New(90, 60), i => i.Colourspace(Enums.Interpretation.Rgb16).PngsaveBuffer()), "image/png 90x60"),
        ["a grey PNG of 16 bits"] = (() => Save(Pictures.Grey(90, 60), i => i.Colourspace(Enums.Interpretation.Grey16).PngsaveBuffer()), "image/png 90x60"),
        ["a PNG with a palette"] = (() => Save(Pictures.New(90, 60), i => i.PngsaveBuffer(palette: true)), "image/png 90x60"),
        ["a PNG of one bit"] = (() => Pictures.PngOf(Pictures.Header(90, 60, 1, 0), Pictures.Pixels(60 * 13), ("IEND", [])), "image/png 90x60"),
        ["an interlaced PNG"] = (() => Save(Pictures.New(90, 60), i => i.PngsaveBuffer(interlace: true)), "image/png 90x60"),
        ["a PNG of one pixel"] = (() => Pictures.Png(1, 1), "image/png 1x1"),
        ["a PNG as long as can be"] = (() => Pictures.PngOf(Pictures.Header(16_383, 1, 8, 0), Pictures.Pixels(16_384), ("IEND", [])), "image/png 16383x1"),
        ["a PNG as high as can be"] = (() => Pictures.PngOf(Pictures.Header(1, 16_383, 8, 0), Pictures.Pixels(2 * 16_383), ("IEND", [])), "image/png 1x16383"),
        ["a PNG with a text"] = (() => Pictures.With(Pictures.Png(), "tEXt", Encoding.ASCII.GetBytes($"Comment\0{Pictures.Secret}")), "image/png 100x80"),
        ["a PNG with a chunk that nobody knows"] = (() => Pictures.With(Pictures.Png(), "seCr", Encoding.ASCII.GetBytes(Pictures.Secret)), "image/png 100x80"),
        ["a PNG with metadata"] = (() => Pictures.Telling(i => i.PngsaveBuffer()), "image/png 90x60"),
        ["a PNG with an archive behind it"] = (() => [.. Pictures.Png(), .. "PK\u0003\u0004"u8, .. Encoding.ASCII.GetBytes(Pictures.Secret)], "image/png 100x80"),
        ["a PNG whose text is a bomb"] = (
            () => Pictures.With(Pictures.Png(), "zTXt", [.. "Comment\0\0"u8, .. Pictures.Deflate(200_000_000)]), "image/png 100x80"),
        ["a PNG that says it moves"] = (() => Pictures.With(Pictures.Png(), "acTL", [0, 0, 0, 9, 0, 0, 0, 0]), "image/png 100x80"),
        ["a WebP"] = (() => Pictures.WebP(700, 500), "image/webp 700x500"),
        ["a WebP that one sees through"] = (() => Save(Pictures.WithAlpha(90, 60), i => i.WebpsaveBuffer(lossless: true)), "image/webp 90x60"),
        ["a WebP with metadata"] = (() => Pictures.Telling(i => i.WebpsaveBuffer()), "image/webp 90x60"),
        ["a WebP that moves"] = (() => Save(Pictures.Animation(), i => i.WebpsaveBuffer()), "image/webp 60x40"),
        ["a GIF"] = (() => Pictures.Gif(), "image/png 100x80"),
        ["a GIF on a screen that there is not"] = (() => Pictures.Changed(Pictures.Gif(), 6, 0xFF, 0xFF, 0xFF, 0xFF), "image/png 100x80"),
        ["a GIF that moves"] = (() => Save(Pictures.Animation(), i => i.GifsaveBuffer()), "image/png 60x40"),
        ["a GIF with a page behind it"] = (() => [.. Pictures.Gif(), .. Encoding.UTF8.GetBytes($"<script>{Pictures.Secret}</script>")], "image/png 100x80"),
        ["an AVIF"] = (() => Pictures.Avif(), "image/webp 100x80"),
        ["an AVIF with metadata"] = (() => Pictures.Telling(i => i.HeifsaveBuffer(compression: Enums.ForeignHeifCompression.Av1, effort: 0)), "image/webp 90x60"),
    };

    private static readonly Dictionary<string, (Func<byte[]> Make, string Code)> Refused = new()
    {
        ["half a JPEG"] = (() => Half(Pictures.Jpeg(300, 300)), "broken_image"),
        ["half a PNG"] = (() => Half(Pictures.Png(300, 300)), "broken_image"),
        ["half a WebP"] = (() => Half(Pictures.WebP(300, 300)), "broken_image"),
        ["half a GIF"] = (() => Half(Pictures.Gif(300, 300)), "broken_image"),
        ["half an AVIF"] = (() => Half(Pictures.Avif(300, 300)), "broken_image"),
        ["the first bytes of a JPEG"] = (() => Pictures.Jpeg()[..4], "broken_image"),
        ["the first bytes of a PNG"] = (() => Pictures.Png()[..8], "broken_image"),
        ["the head of a PNG"] = (() => Pictures.Png()[..33], "broken_image"),
        ["the first bytes of a WebP"] = (() => Pictures.WebP()[..12], "broken_image"),
        ["the first bytes of a GIF"] = (() => Pictures.Gif()[..6], "broken_image"),
        ["the first bytes of an AVIF"] = (() => Pictures.Avif()[..12], "broken_image"),
        ["a script that begins as a GIF"] = (() => [.. "GIF89a=1;alert(document.domain)//"u8, .. new byte[100]], "broken_image"),
        ["a page that begins as a JPEG"] = (() => [0xFF, 0xD8, 0xFF, .. "<html><script>alert(1)</script>"u8], "broken_image"),
        ["a PNG that goes on with nonsense"] = (() => [.. Pictures.Png()[..33], .. Noise(5_000)], "broken_image"),
        ["a PNG whose pixels are damaged"] = (() => Pictures.Changed(Pictures.Png(), 60, 1, 2, 3, 4), "broken_image"),
        ["a PNG without pixels"] = (() => Pictures.PngOf(Pictures.Header(90, 60, 8, 0), ("IEND", [])), "broken_image"),
        ["a PNG of no width"] = (() => Pictures.PngOf(Pictures.Header(0, 60, 8, 0), Pictures.Pixels(60), ("IEND", [])), "broken_image"),
        ["a PNG wider than there is"] = (() => Pictures.PngOf(Pictures.Header(0x7FFFFFFF, 1, 8, 0), Pictures.Pixels(100), ("IEND", [])), "broken_image"),
        ["a PNG too long by one"] = (() => Pictures.PngOf(Pictures.Header(16_384, 1, 8, 0), Pictures.Pixels(16_385), ("IEND", [])), "too_many_pixels"),
        ["a PNG that floods"] = (() => Pictures.PngOf(Pictures.Header(50_000, 50_000, 1, 0), Pictures.Pixels(1_000_000), ("IEND", [])), "too_many_pixels"),
        ["a PNG of a hundred million pixels in a few bytes"] = (
            () => Pictures.PngOf(Pictures.Header(10_000, 10_000, 1, 0), Pictures.Pixels(10_000 * 1_251), ("IEND", [])), "too_many_pixels"),
        ["a JPEG that floods"] = (() => Pictures.JpegOfSize(65_500, 65_500), "too_many_pixels"),
        ["a JPEG of no size"] = (() => Pictures.JpegOfSize(0, 0), "broken_image"),
        ["a GIF that floods"] = (() => Pictures.GifOfSize(16_000, 16_000), "too_many_pixels"),
        ["a WebP that floods"] = (() => Pictures.WebPOfSize(16_383, 16_383), "too_many_pixels"),
        ["an AVIF that floods"] = (() => Pictures.AvifOfSize(Pictures.Avif(), 16_000, 16_000), "too_many_pixels"),
        ["an AVIF that is larger than it says"] = (() => Pictures.AvifOfSize(Pictures.Avif(700, 500), 10, 10), "broken_image"),
        ["a TIFF"] = (() => Save(Pictures.New(90, 60), i => i.TiffsaveBuffer()), "unsupported_type"),
        ["a BMP"] = (() => [.. "BM"u8, .. Noise(200)], "unsupported_type"),
        ["a HEIC"] = (() => [0, 0, 0, 24, .. "ftypheic"u8, .. Noise(200)], "unsupported_type"),
        ["a JPEG XL"] = (() => [0xFF, 0x0A, .. Noise(200)], "unsupported_type"),
        ["a Photoshop file"] = (() => [.. "8BPS"u8, 0, 1, .. Noise(200)], "unsupported_type"),
        ["a sound that begins as a WebP"] = (() => [.. "RIFF"u8, 0, 1, 0, 0, .. "WAVE"u8, .. Noise(200)], "unsupported_type"),
        ["nothing"] = (() => [], "empty_file"),
    };

    private static readonly Dictionary<string, (Func<byte[]> Make, string MediaType)> Kept = new()
    {
        ["an SVG with a script"] = (
            () => [.. "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(document.domain)</script></svg>"u8], "text/plain"),
        ["a page"] = (() => [.. "<!doctype html><script>fetch('/account')</script>"u8], "text/plain"),
        ["entities that multiply"] = (() => [.. "<!DOCTYPE a [<!ENTITY b 'ha'><!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'>]><a>&c;</a>"u8], "text/plain"),
        ["a PDF with a script"] = (() => [.. "%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj"u8], "application/pdf"),
        ["a PDF that is a page, too"] = (() => [.. "%PDF-1.7\n<html><script>alert(1)</script>"u8], "application/pdf"),
    };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private MediaHost Host => fixture.Host;

    public static TheoryData<string> ToBeStored => [.. Stored.Keys];

    public static TheoryData<string> ToBeRefused => [.. Refused.Keys];

    public static TheoryData<string> ToBeKept => [.. Kept.Keys];

    [Theory]
    [MemberData(nameof(ToBeStored))]
    public async Task An_odd_picture_is_stored_anew(string picture)
    {
        var (make, comes) = Stored[picture];
        var (owner, before) = (NewOwner(), Host.Files());
        using var client = Host.ClientOf(owner);
        var sent = make();
        using var response = await client.UploadAsync(sent, "as it was.called");
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        var asset = (await response.Content.ReadFromJsonAsync<AssetInfo>(Cancellation))!;
        var shown = asset.Picture!;
        Assert.Equal(comes, $"{asset.MediaType} {shown.Width}x{shown.Height}");

        var content = await client.GetByteArrayAsync(shown.Source, Cancellation);
        Assert.Equal(asset.ContentHash, Convert.ToHexStringLower(SHA256.HashData(content)));
        AssertClean(content, shown.Width, shown.Height);
        var sizes = shown.SourceSet.Split(", ").Select(s => s.Split(' ')).Select(s => (Url: s[0], Width: int.Parse(s[1][..^1], System.Globalization.CultureInfo.InvariantCulture))).ToList();
        Assert.Equal([.. ((int[])[320, 640]).Where(w => w < shown.Width), shown.Width], sizes.Select(s => s.Width));
        foreach (var (url, width) in sizes.SkipLast(1))
        {
            using var smaller = await client.GetAsync(url, Cancellation);
            Assert.Equal("image/webp", smaller.Content.Headers.ContentType?.MediaType);
            AssertClean(await smaller.Content.ReadAsByteArrayAsync(Cancellation), width, Math.Max(1, (int)Math.Round(shown.Height * (double)width / shown.Width)));
        }

        Assert.StartsWith("data:image/webp;base64,", shown.Placeholder, StringComparison.Ordinal);
        Assert.InRange(shown.Placeholder.Length, 40, 700);
        using var preview = Image.WebploadBuffer(Convert.FromBase64String(shown.Placeholder["data:image/webp;base64,".Length..]));
        Assert.InRange(Math.Max(preview.Width, preview.Height), 1, 16);

        // The file that came in is nowhere, and what is stored is what is charged.
        var files = Host.Files().Except(before).ToList();
        Assert.Equal(sizes.Count, files.Count);
        Assert.Equal(files.Sum(f => new FileInfo(Path.Combine(Host.Directory, f)).Length), await Host.BytesOfAsync(owner));
    }

    [Fact]
    public async Task A_picture_is_stored_upright_whichever_way_the_camera_was_held()
    {
        // Where one sees the corner that the file begins with, and how large the picture is.
        string[] seen =
        [
            "top left 120x80", "top right 120x80", "bottom right 120x80", "bottom left 120x80",
            "top left 80x120", "top right 80x120", "bottom right 80x120", "bottom left 80x120",
        ];
        using var client = Host.ClientOf(NewOwner());
        using var corner = (Image.Black(30, 20) + 255).Cast(Enums.BandFormat.Uchar).Embed(0, 0, 120, 80);
        foreach (var (orientation, expected) in seen.Index())
        {
            using var held = corner.Mutate(m => m.Set(GValue.GIntType, "orientation", orientation + 1));
            var path = (await client.UploadAsync(held.JpegsaveBuffer(keep: Enums.ForeignKeep.All))).Headers.Location;
            using var stored = Image.NewFromBuffer(await client.GetByteArrayAsync(path, Cancellation));
            var (right, bottom) = (stored.Width - 5, stored.Height - 5);
            (string Name, int X, int Y)[] corners =
                [("top left", 5, 5), ("top right", right, 5), ("bottom right", right, bottom), ("bottom left", 5, bottom)];
            var white = string.Join(", ", corners.Where(c => stored.Getpoint(c.X, c.Y)[0] > 200).Select(c => c.Name));
            Assert.Equal((orientation, expected), (orientation, $"{white} {stored.Width}x{stored.Height}"));
        }
    }

    [Theory]
    [MemberData(nameof(ToBeRefused))]
    public async Task A_picture_that_is_none_is_refused_with_a_sentence_and_leaves_nothing(string picture)
    {
        var (make, code) = Refused[picture];
        var (owner, before) = (NewOwner(), Host.Files());
        using var client = Host.ClientOf(owner);
        using var response = await client.UploadAsync(make(), "picture.png");
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        using var problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal(code, problem.RootElement.GetProperty("code").GetString());
        Assert.Matches(@"^[A-Z][^.]+\.$", problem.RootElement.GetProperty("detail").GetString());
        Assert.Equal(before, Host.Files());
        Assert.Equal(0, await Host.BytesOfAsync(owner));
        Assert.Equal(0, await Host.QueryAsync(context => context.Assets.CountAsync(a => a.OwnerId == owner, Cancellation)));
    }

    [Theory]
    [MemberData(nameof(ToBeKept))]
    public async Task What_only_says_it_is_a_picture_is_offered_for_saving_and_never_shown(string file)
    {
        var (make, mediaType) = Kept[file];
        using var client = Host.ClientOf(NewOwner());
        var sent = make();
        using var response = await client.UploadAsync(sent, "picture.svg", "image/svg+xml");
        var asset = (await response.Content.ReadFromJsonAsync<AssetInfo>(Cancellation))!;
        Assert.Equal((mediaType, null), (asset.MediaType, asset.Picture));
        using var served = await client.GetAsync(asset.Path, Cancellation);
        Assert.Equal(sent, await served.Content.ReadAsByteArrayAsync(Cancellation));
        Assert.Equal(mediaType, served.Content.Headers.ContentType?.MediaType);
        Assert.Equal("attachment", served.Content.Headers.ContentDisposition?.DispositionType);
        Assert.Equal("default-src 'none'; sandbox", served.Headers.GetValues("Content-Security-Policy").Single());
        Assert.Equal("nosniff", served.Headers.GetValues("X-Content-Type-Options").Single());
    }

    private static Guid NewOwner() => Guid.CreateVersion7(TimeProvider.System.GetUtcNow());

    /// <summary>It is a picture of this size in plain colours, and tells nothing but what one sees.</summary>
    private static void AssertClean(byte[] content, int width, int height)
    {
        using var image = Image.NewFromBuffer(content, failOn: Enums.FailOn.Error);
        Assert.Equal((width, height), (image.Width, image.Height));
        Assert.Equal(Enums.BandFormat.Uchar, image.Format);
        Assert.Contains(image.Interpretation, new[] { Enums.Interpretation.Srgb, Enums.Interpretation.Bw });
        Assert.True(double.IsFinite(image.Avg()));
        // 72 dots to an inch, or what is assumed where the format does not say.
        Assert.All((double[])[image.Xres, image.Yres], r => Assert.True(Math.Abs(r - (72 / 25.4)) < 0.01 || r == 1, $"{r} dots to a millimetre"));
        Assert.DoesNotContain(image.GetFields(), f => f.StartsWith("exif", StringComparison.Ordinal) || f.StartsWith("png-comment", StringComparison.Ordinal)
            || f is "xmp-data" or "iptc-data" or "icc-profile-data" or "orientation" or "jpeg-comment" or "n-pages" or "jpeg-thumbnail-data");
        Assert.Equal(-1, content.AsSpan().IndexOf(Encoding.ASCII.GetBytes(Pictures.Secret)));
    }

    private static byte[] Save(Image image, Func<Image, byte[]> save)
    {
        using (image)
            return save(image);
    }

    private static byte[] Half(byte[] content) => content[..(content.Length / 2)];

    private static byte[] Noise(int length)
    {
        var noise = new byte[length];
        new Random(length).NextBytes(noise);
        return noise;
    }
}
