using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using NetVips;
using SevenX42.Modules.Media.Infrastructure;
using SevenX42.Modules.Media.Infrastructure.Images;

namespace SevenX42.Modules.Media.Tests.Images;

public sealed class ImageProcessorTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_picture_that_takes_too_long_is_given_up()
    {
        var time = new FakeTimeProvider();
        using var images = New(new MediaOptions(), time);
        using var slow = new WatchedStream(Pictures.Png(400, 400), () => time.Advance(TimeSpan.FromSeconds(21)));
        Assert.Equal("slow_image", (await images.CleanAsync("image/png", slow, Cancellation)).Error?.Code);
        using var fast = new MemoryStream(Pictures.Png());
        Assert.True((await images.CleanAsync("image/png", fast, Cancellation)).IsSuccess);
    }

    [Fact]
    public async Task Nobody_decodes_for_whoever_does_not_wait()
    {
        using var images = New(new MediaOptions());
        using var gone = new CancellationTokenSource();
        using var picture = new WatchedStream(Pictures.Png(400, 400), gone.Cancel);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => images.CleanAsync("image/png", picture, gone.Token));
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
            Assert.True((await images.CleanAsync("image/png", picture, Cancellation)).IsSuccess);
        }));
        Assert.Equal(2, most);
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
        using var clean = Image.NewFromBuffer((await images.CleanAsync("image/jpeg", file, Cancellation)).Value.Content);
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
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => images.CleanAsync(mediaType, nothing, Cancellation));
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

    [Fact]
    public async Task Ten_million_pixels_become_no_files_on_the_disk()
    {
        using var images = New(new MediaOptions());
        var before = Directory.GetFiles(Path.GetTempPath());
        // An interlaced one can only be decoded as a whole.
        using var picture = new MemoryStream(Pictures.PngOf(
            Pictures.Header(4_000, 2_500, 8, 0, interlaced: 1), Pictures.Pixels(10_010_000), ("IEND", [])));
        Assert.True((await images.CleanAsync("image/png", picture, Cancellation)).IsSuccess);
        Assert.DoesNotContain(Directory.GetFiles(Path.GetTempPath()).Except(before), f => Path.GetFileName(f).StartsWith("vips", StringComparison.Ordinal));
    }

    private static ImageProcessor New(MediaOptions options, TimeProvider? time = null) =>
        new(Options.Create(options), time ?? TimeProvider.System, NullLogger<ImageProcessor>.Instance);

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
