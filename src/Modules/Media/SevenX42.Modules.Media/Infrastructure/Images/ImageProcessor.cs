using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using NetVips;
using SevenX42.Modules.Media.Domain;

namespace SevenX42.Modules.Media.Infrastructure.Images;

/// <summary>A picture made anew: nothing of the file it came in is left but what one sees.</summary>
/// <param name="MediaType">Of <paramref name="Content"/>.</param>
/// <param name="Width">In pixels, as it is shown.</param>
/// <param name="Height">In pixels, as it is shown.</param>
/// <param name="Content">The whole picture.</param>
/// <param name="Preview">A few bytes of WebP that stand in for it until it is loaded.</param>
/// <param name="Variants">The same, smaller: WebP, the smallest first.</param>
internal sealed record CleanImage(
    string MediaType, int Width, int Height, byte[] Content, byte[] Preview, IReadOnlyList<CleanVariant> Variants);

/// <summary>A picture in a smaller size.</summary>
internal sealed record CleanVariant(int Width, int Height, byte[] Content);

/// <summary>
/// Decodes pictures that strangers send and encodes them again. What they are was found in their first bytes; one decoder is asked,
/// and all others but those five are switched off. How large they are is read and judged before anything is decoded.
/// </summary>
internal sealed partial class ImageProcessor : IDisposable
{
    /// <summary>Widths of the smaller ones, in pixels; one that is as wide as the picture or wider is not made.</summary>
    public static readonly IReadOnlyList<int> Widths = [320, 640];

    /// <summary>WebP has no room for more; a picture this long is none that anybody looks at.</summary>
    private const int LongestSide = 16_383;

    private const int PreviewSide = 16;

    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    private static readonly Error Broken = Error.Invalid(
        "broken_image", "This picture can't be read: it is damaged, or it is not what it says it is.", "file");

    private static readonly Error TooSlow = Error.Invalid("slow_image", "This picture takes the server too long to read.", "file");

    private static readonly Error Busy = Error.Unavailable(
        "busy", "The server is busy with other pictures right now. Nothing of this file was kept; try again in a moment.", TimeSpan.FromSeconds(5));

    private readonly MediaOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<ImageProcessor> _logger;
    private readonly SemaphoreSlim _places;

    public ImageProcessor(IOptions<MediaOptions> options, TimeProvider time, ILogger<ImageProcessor> logger)
    {
        (_options, _time, _logger) = (options.Value, time, logger);
        _places = new SemaphoreSlim(_options.MaxDecodings);
    }

    /// <summary>Makes a picture anew.</summary>
    /// <param name="mediaType">What its first bytes say it is.</param>
    /// <param name="content">The picture; seekable.</param>
    /// <param name="cancellationToken">Nobody waits any more.</param>
    public async Task<Result<CleanImage>> CleanAsync(string mediaType, Stream content, CancellationToken cancellationToken)
    {
        if (!await _places.WaitAsync(LongestWait, cancellationToken))
            return Busy;
        try
        {
            using var limit = new CancellationTokenSource(_options.DecodingTimeout, _time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            try
            {
                return await Task.Run(() => Clean(mediaType, content, either.Token), CancellationToken.None);
            }
            catch (VipsException e)
            {
                cancellationToken.ThrowIfCancellationRequested();
                LogRefused(e, mediaType);
                return limit.IsCancellationRequested ? TooSlow : Broken;
            }
        }
        finally
        {
            _places.Release();
        }
    }

    public void Dispose() => _places.Dispose();

    private Result<CleanImage> Clean(string mediaType, Stream content, CancellationToken cancellationToken)
    {
        Vips.Configure();
        using var file = Open(mediaType, content);
        if (Math.Max(file.Width, file.Height) > LongestSide)
            return Error.Invalid("too_many_pixels", $"This picture is longer or wider than {LongestSide} pixels.", "file");
        if ((long)file.Width * file.Height > _options.MaxPixels)
            return Error.Invalid("too_many_pixels", $"This picture has more than {Pixels(_options.MaxPixels)} pixels.", "file");

        // Decoded once, here, where damage shows; whatever follows reads memory. It is turned while it is read: a second copy would be as
        // large as the first.
        using var colours = InOurColours(file);
        colours.SetProgress(Unseen.Progress, cancellationToken);
        using var decoded = colours.CopyMemory();
        using var image = decoded.Autorot();
        var (kind, bytes) = Encode(mediaType, image, cancellationToken);
        if (bytes.Length > _options.MaxAssetBytes)
            return Error.Invalid("too_large", "This picture is too large when it is made anew.", "file");
        var variants = Widths.Where(width => width < image.Width).Select(width => Shrink(image, width, cancellationToken)).ToList();
        using var tiny = image.ThumbnailImage(PreviewSide, PreviewSide, Enums.Size.Down);
        var preview = tiny.WebpsaveBuffer(q: 30, alphaQ: 30, keep: Enums.ForeignKeep.None);
        return new CleanImage(kind, image.Width, image.Height, bytes, preview, variants);
    }

    // Of something that moves, the first picture: a decoder that is asked for one reads one.
    private static Image Open(string mediaType, Stream content)
    {
        const Enums.Access once = Enums.Access.Sequential;
        const Enums.FailOn damage = Enums.FailOn.Error;
        return mediaType switch
        {
            MediaTypes.Jpeg => Image.JpegloadStream(content, access: once, failOn: damage),
            MediaTypes.Png => Image.PngloadStream(content, access: once, failOn: damage),
            MediaTypes.WebP => Image.WebploadStream(content, access: once, failOn: damage),
            MediaTypes.Gif => Image.GifloadStream(content, access: once, failOn: damage),
            MediaTypes.Avif => Image.HeifloadStream(content, access: once, failOn: damage),
            _ => throw new ArgumentOutOfRangeException(nameof(mediaType), mediaType, "Not a picture."),
        };
    }

    /// <summary>The same in sRGB or grey with 8 bits, whatever the file's profile, depth and colour space are.</summary>
    private static Image InOurColours(Image file)
    {
        const string profile = "icc-profile-data";
        if (file.Interpretation == Enums.Interpretation.Cmyk || file.Contains(profile))
        {
            try
            {
                return file.IccTransform("srgb", intent: Enums.Intent.Relative, embedded: true, inputProfile: file.Contains(profile) ? null : "cmyk");
            }
            catch (VipsException)
            {
                // A profile that is damaged, or another kind of picture's: the colours are taken for what they most often are.
            }
        }

        var isGrey = file.Interpretation is Enums.Interpretation.Bw or Enums.Interpretation.Grey16;
        using var colours = file.Colourspace(isGrey ? Enums.Interpretation.Bw : Enums.Interpretation.Srgb);
        return colours.Cast(Enums.BandFormat.Uchar);
    }

    private static (string MediaType, byte[] Content) Encode(string mediaType, Image image, CancellationToken cancellationToken)
    {
        image.SetProgress(Unseen.Progress, cancellationToken);
        return mediaType switch
        {
            MediaTypes.Jpeg => (MediaTypes.Jpeg, image.JpegsaveBuffer(q: 90, optimizeCoding: true, keep: Enums.ForeignKeep.None)),
            MediaTypes.Png or MediaTypes.Gif => (MediaTypes.Png, image.PngsaveBuffer(compression: 6, keep: Enums.ForeignKeep.None)),
            _ => (MediaTypes.WebP, image.WebpsaveBuffer(q: 90, keep: Enums.ForeignKeep.None)),
        };
    }

    private static CleanVariant Shrink(Image image, int width, CancellationToken cancellationToken)
    {
        using var small = image.ThumbnailImage(width, height: LongestSide, size: Enums.Size.Down);
        small.SetProgress(Unseen.Progress, cancellationToken);
        return new CleanVariant(small.Width, small.Height, small.WebpsaveBuffer(q: 80, keep: Enums.ForeignKeep.None));
    }

    private static string Pixels(long count) => count >= 1_000_000 ? $"{count / 1_000_000} million" : $"{count}";

    [LoggerMessage(1, LogLevel.Information, "A picture that says it is {MediaType} could not be read")]
    private partial void LogRefused(Exception exception, string mediaType);

    /// <summary>libvips asks whether to go on where it tells how far it is.</summary>
    private sealed class Unseen : IProgress<int>
    {
        public static readonly Unseen Progress = new();

        public void Report(int value)
        {
        }
    }
}
