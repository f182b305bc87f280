using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using NetVips;
using SevenX42.Modules.Media.Infrastructure;
using SevenX42.Modules.Media.Infrastructure.Images;

namespace SevenX42.Modules.Media.Tests.Images;

public sealed class ImageProcessorTests
{
    private static readonly Guid Ann = new("0197aaaa-0000-7000-8000-000000000001");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_picture_that_takes_too_long_is_given_up()
    {
        var time = new FakeTimeProvider();
        using var images = New(new MediaOptions(), time);
        using var slow = new WatchedStream(Pictures.Png(400, 400), () => time.Advance(TimeSpan.FromSeconds(21)));
        Assert.Equal("slow_image", (await images.CleanAsync(Ann, "image/png", slow, Cancellation)).Error?.Code);
        using var fast = new MemoryStream(Pictures.Png());
        Assert.True((await images.CleanAsync(Ann, "image/png", fast, Cancellation)).IsSuccess);
    }

    [Fact]
    public async Task Nobody_decodes_for_whoever_does_not_wait()
    {
        using var images = New(new MediaOptions());
        using var gone = new CancellationTokenSource();
        using var picture = new WatchedStream(Pictures.Png(400, 400), gone.Cancel);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => images.CleanAsync(Ann, "image/png", picture, gone.Token));
    }

    [Fact]
    public async Task No_more_pictures_are_decoded_at_once_than_configured()
    {
        using var images = New(new MediaOptions { MaxDecodings = 2 });
        using var two = new ManualResetEventSlim();
        using var three = new ManualResetEventSlim();
        var (now, most) = (0, 0);
        var counting = new Lock();
        await Task.WhenAll(Enumerable.Range(0, 5).Select(async _ =>
        {
            using var picture = new WatchedStream(Pictures.Png(), () =>
            {
                lock (counting)
                {
                    most = Math.Max(most, ++now);
                    if (now >= 2)
                        two.Set();
                    if (now > 2)
                        three.Set();
                }

                // The second one comes as soon as the machine has a thread for it; a third one would come then, if it could.
                two.Wait(TimeSpan.FromSeconds(30), Cancellation);
                three.Wait(TimeSpan.FromMilliseconds(200), Cancellation);
                lock (counting)
                    now--;
            });
            Assert.True((await images.CleanAsync(NewOwner(), "image/png", picture, Cancellation)).IsSuccess);
        }));
        Assert.Equal(2, most);
    }

    [Fact]
    public async Task What_takes_more_memory_for_a_pixel_may_have_fewer_of_them()
    {
        using var images = New(new MediaOptions { MaxPixels = 12_000 });
        (string MediaType, byte[] Content, bool IsTaken)[] pictures =
        [
            ("image/jpeg", Pictures.Jpeg(120, 100), true),
            ("image/jpeg", Pictures.Jpeg(121, 100), false),
            ("image/png", SeenThrough(120, 100, i => i.PngsaveBuffer()), true),
            ("image/webp", Pictures.WebP(120, 100), true),
            ("image/webp", SeenThrough(40, 100, i => i.WebpsaveBuffer()), true),
            ("image/webp", SeenThrough(41, 100, i => i.WebpsaveBuffer()), false),
            ("image/avif", SeenThrough(40, 100, i => i.HeifsaveBuffer(compression: Enums.ForeignHeifCompression.Av1, effort: 0)), true),
            ("image/avif", SeenThrough(41, 100, i => i.HeifsaveBuffer(compression: Enums.ForeignHeifCompression.Av1, effort: 0)), false),
            ("image/avif", Pictures.Avif(60, 100), true),
            ("image/avif", Pictures.Avif(61, 100), false),
        ];
        foreach (var (mediaType, content, isTaken) in pictures)
        {
            using var picture = new MemoryStream(content);
            var clean = await images.CleanAsync(Ann, mediaType, picture, Cancellation);
            Assert.Equal((mediaType, isTaken ? null : "too_many_pixels"), (mediaType, clean.Error?.Code));
        }

        static byte[] SeenThrough(int width, int height, Func<Image, byte[]> save)
        {
            using var picture = Pictures.WithAlpha(width, height);
            return save(picture);
        }
    }

    [Theory]
    [InlineData("p3", 4)]
    [InlineData("cmyk", 4)]
    public async Task Colours_of_another_profile_look_as_they_did(string profile, int tolerance)
    {
        double[] colour = [200, 100, 50];
        using var plain = (Image.Black(64, 64, bands: 3) + colour).Cast(Enums.BandFormat.Uchar).Copy(interpretation: Enums.Interpretation.Srgb);
        using var elsewhere = plain.IccTransform(profile, inputProfile: "srgb");
        using var file = new MemoryStream(elsewhere.JpegsaveBuffer(q: 100, keep: Enums.ForeignKeep.Icc));
        using var images = New(new MediaOptions());
        using var clean = Image.NewFromBuffer((await images.CleanAsync(Ann, "image/jpeg", file, Cancellation)).Value.Content);
        Assert.All(colour.Index(), c => Assert.InRange(clean[c.Index].Avg(), c.Item - tolerance, c.Item + tolerance));
        // What is not brought over is off by more than this.
        using var taken = Image.NewFromBuffer(file.ToArray());
        Assert.Contains(colour.Index(), c => Math.Abs(taken[c.Index].Avg() - c.Item) > tolerance);
    }

    [Theory]
    [InlineData("image/tiff")]
    [InlineData("image/svg+xml")]
    public async Task What_is_no_picture_of_ours_is_never_opened(string mediaType)
    {
        using var images = New(new MediaOptions());
        using var nothing = new MemoryStream([1]);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => images.CleanAsync(Ann, mediaType, nothing, Cancellation));
    }

    [Fact]
    public void Decoders_that_nobody_needs_are_switched_off()
    {
        Vips.Configure();
        using var picture = Pictures.New(50, 50);
        var (tiff, ppm) = (picture.TiffsaveBuffer(), "P6 1 1 255\nabc"u8.ToArray());
        Assert.Contains("blocked", Assert.Throws<VipsException>(() => Image.TiffloadBuffer(tiff)).Message, StringComparison.Ordinal);
        Assert.Throws<VipsException>(() => Image.NewFromBuffer(tiff));
        Assert.Throws<VipsException>(() => Image.NewFromBuffer(ppm));
        Assert.Throws<VipsException>(() => Image.NewFromBuffer("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"u8.ToArray()));
    }

    [Theory]
    [InlineData("image/jpeg")]
    [InlineData("image/png")]
    [InlineData("image/gif")]
    [InlineData("image/webp")]
    [InlineData("image/avif")]
    public void Encoding_ends_with_the_time_for_it(string mediaType)
    {
        using var decoded = Decoded();
        Assert.NotEmpty(ImageProcessor.Encode(mediaType, decoded, Cancellation).Content);
        Assert.Throws<VipsException>(() => ImageProcessor.Encode(mediaType, decoded, new CancellationToken(canceled: true)));
        // What was stopped once is not stopped for ever.
        Assert.NotEmpty(ImageProcessor.Encode(mediaType, decoded, Cancellation).Content);
    }

    [Fact]
    public void Making_a_smaller_size_ends_with_the_time_for_it()
    {
        using var decoded = Decoded();
        Assert.Equal(320, ImageProcessor.Shrink(decoded, 320, Cancellation).Width);
        Assert.Throws<VipsException>(() => ImageProcessor.Shrink(decoded, 320, new CancellationToken(canceled: true)));
    }

    [Theory]
    [InlineData("image/webp")]
    [InlineData("image/jpeg")]
    [InlineData("image/avif")]
    public async Task A_picture_whose_last_byte_comes_when_its_time_is_over_is_given_up(string mediaType)
    {
        var time = new FakeTimeProvider();
        using var images = New(new MediaOptions(), time);
        var content = mediaType switch
        {
            "image/webp" => Pictures.WebP(700, 500),
            "image/jpeg" => Pictures.Jpeg(700, 500),
            _ => Pictures.Avif(700, 500),
        };
        using var slow = new EndingStream(content, () => time.Advance(TimeSpan.FromSeconds(21)));
        Assert.Equal("slow_image", (await images.CleanAsync(Ann, mediaType, slow, Cancellation)).Error?.Code);
    }

    [Fact]
    public async Task Somebody_with_many_pictures_leaves_places_to_everybody_else()
    {
        using var images = New(new MediaOptions { MaxDecodings = 2 });
        using var served = new ManualResetEventSlim();
        var anns = Enumerable.Range(0, 4).Select(async _ =>
        {
            using var heavy = new WatchedStream(Pictures.Png(), () => served.Wait(TimeSpan.FromSeconds(20), Cancellation));
            return await images.CleanAsync(Ann, "image/png", heavy, Cancellation);
        }).ToList();
        using var light = new MemoryStream(Pictures.Png());
        var bobs = await images.CleanAsync(NewOwner(), "image/png", light, Cancellation).WaitAsync(TimeSpan.FromSeconds(15), Cancellation);
        Assert.True(bobs.IsSuccess);
        Assert.All(anns, a => Assert.False(a.IsCompleted));
        served.Set();
        Assert.All(await Task.WhenAll(anns), a => Assert.True(a.IsSuccess));
    }

    [Fact]
    public async Task Whoever_waits_too_long_is_told_so_and_keeps_nobody_from_a_place()
    {
        var time = new FakeTimeProvider();
        using var images = New(new MediaOptions { MaxDecodings = 1 }, time);
        using var reading = new ManualResetEventSlim();
        using var served = new ManualResetEventSlim();
        using var first = new WatchedStream(Pictures.Png(), () =>
        {
            reading.Set();
            served.Wait(TimeSpan.FromSeconds(20), Cancellation);
        });
        var decoding = images.CleanAsync(Ann, "image/png", first, Cancellation);
        Assert.True(reading.Wait(TimeSpan.FromSeconds(20), Cancellation));
        using var second = new MemoryStream(Pictures.Png());
        using var third = new MemoryStream(Pictures.Png());
        using var gone = new CancellationTokenSource();
        var leaving = images.CleanAsync(Ann, "image/png", second, gone.Token);
        var anns = images.CleanAsync(Ann, "image/png", second, Cancellation);
        var bobs = images.CleanAsync(NewOwner(), "image/png", third, Cancellation);
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaving);
        time.Advance(TimeSpan.FromSeconds(31));
        Assert.Equal("busy", (await anns).Error?.Code);
        Assert.Equal("busy", (await bobs).Error?.Code);
        served.Set();
        await decoding;
        foreach (var person in (Guid[])[Ann, Ann, NewOwner()])
        {
            third.Position = 0;
            Assert.True((await images.CleanAsync(person, "image/png", third, Cancellation)).IsSuccess);
        }
    }

    private static ImageProcessor New(MediaOptions options, TimeProvider? time = null) =>
        new(Options.Create(options), time ?? TimeProvider.System, NullLogger<ImageProcessor>.Instance);

    private static Guid NewOwner() => Guid.CreateVersion7(TimeProvider.System.GetUtcNow());

    private static Image Decoded()
    {
        using var images = New(new MediaOptions());
        using var picture = new MemoryStream(Pictures.WebP(700, 500));
        return images.Decode("image/webp", picture, Cancellation).Value;
    }

    /// <summary>Does something when its last byte is read.</summary>
    private sealed class EndingStream(byte[] content, Action onEnd) : MemoryStream(content)
    {
        private int _ended;

        public override int Read(byte[] buffer, int offset, int count)
        {
            var read = base.Read(buffer, offset, count);
            if (Position == Length && Interlocked.Exchange(ref _ended, 1) == 0)
                onEnd();
            return read;
        }
    }

    /// <summary>Does something when it is first read.</summary>
    private sealed class WatchedStream(byte[] content, Action onFirstRead) : MemoryStream(content)
    {
        private int _read;

        public override int Read(byte[] buffer, int offset, int count)
        {
            if (Interlocked.Exchange(ref _read, 1) == 0)
                onFirstRead();
            return base.Read(buffer, offset, count);
        }
    }
}
