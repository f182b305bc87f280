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

    /// <summary>Models look at tiles of some 500 pixels; most make larger pictures smaller themselves.</summary>
    private const int ModelSide = 1024;

    /// <summary>72 to an inch.</summary>
    private const double DotsPerMillimetre = 72 / 25.4;

    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    private static readonly Error Broken = Error.Invalid(
        "broken_image", "This picture can't be read: it is damaged, or it is not what it says it is.", "file");

    private static readonly Error TooSlow = Error.Invalid("slow_image", "This picture takes the server too long to read.", "file");

    private static readonly Error Busy = Error.Unavailable(
        "busy", "The server is busy with other pictures right now. Nothing of this file was kept; try again in a moment.", TimeSpan.FromSeconds(5));

    private readonly MediaOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<ImageProcessor> _logger;
    private readonly Turns _turns;

    public ImageProcessor(IOptions<MediaOptions> options, TimeProvider time, ILogger<ImageProcessor> logger)
    {
        (_options, _time, _logger) = (options.Value, time, logger);
        _turns = new Turns(_options.MaxDecodings, time);
    }

    /// <summary>Makes a picture anew.</summary>
    /// <param name="ownerId">Whose it is: one of each person's is made anew at a time.</param>
    /// <param name="mediaType">What its first bytes say it is.</param>
    /// <param name="content">The picture; seekable.</param>
    /// <param name="cancellationToken">Nobody waits any more.</param>
    public Task<Result<CleanImage>> CleanAsync(Guid ownerId, string mediaType, Stream content, CancellationToken cancellationToken) =>
        InTurnAsync(ownerId, mediaType, limit => Clean(mediaType, content, limit), cancellationToken);

    /// <summary>Makes a picture small enough for a model: a JPEG, which all servers read.</summary>
    /// <param name="ownerId">Whose it is.</param>
    /// <param name="mediaType">What it is.</param>
    /// <param name="content">The picture; seekable.</param>
    /// <param name="cancellationToken">Nobody waits any more.</param>
    public Task<Result<byte[]>> ShrinkForModelAsync(Guid ownerId, string mediaType, Stream content, CancellationToken cancellationToken) =>
        InTurnAsync(ownerId, mediaType, limit => ShrinkForModel(mediaType, content, limit), cancellationToken);

    /// <summary>Decodes a picture that is not too large into memory: whatever follows reads that, and what the decoder held is free again.</summary>
    /// <exception cref="VipsException">It is damaged, or its time is over.</exception>
    internal Result<Image> Decode(string mediaType, Stream content, CancellationToken cancellationToken)
    {
        Vips.Configure();
        using var file = Open(mediaType, content);
        if (Math.Max(file.Width, file.Height) > LongestSide)
            return Error.Invalid("too_many_pixels", $"This picture is longer or wider than {LongestSide} pixels.", "file");
        var most = _options.MaxPixels / Weight(mediaType, file);
        if ((long)file.Width * file.Height > most)
            return Error.Invalid("too_many_pixels", $"This picture has more than {Pixels(most)} pixels.", "file");

        using var colours = InOurColours(file);
        using var watched = Watched(colours, cancellationToken);
        var decoded = watched.CopyMemory();
        // It would go on telling what is gone by then how far it is.
        decoded.SetProgress(null, CancellationToken.None);
        return decoded;
    }

    /// <summary>Encodes a picture as what it was, or as what comes nearest.</summary>
    /// <exception cref="VipsException">Its time is over.</exception>
    internal static (string MediaType, byte[] Content) Encode(string mediaType, Image image, CancellationToken cancellationToken)
    {
        using var watched = Watched(image, cancellationToken);
        return mediaType switch
        {
            MediaTypes.Jpeg => (MediaTypes.Jpeg, watched.JpegsaveBuffer(q: 90, keep: Enums.ForeignKeep.None)),
            MediaTypes.Png or MediaTypes.Gif => (MediaTypes.Png, watched.PngsaveBuffer(compression: 6, keep: Enums.ForeignKeep.None)),
            _ => (MediaTypes.WebP, watched.WebpsaveBuffer(q: 90, keep: Enums.ForeignKeep.None)),
        };
    }

    /// <summary>Makes a smaller size of a picture.</summary>
    /// <exception cref="VipsException">Its time is over.</exception>
    internal static CleanVariant Shrink(Image image, int width, CancellationToken cancellationToken)
    {
        using var small = image.ThumbnailImage(width, height: LongestSide, size: Enums.Size.Down);
        using var watched = Watched(small, cancellationToken);
        return new CleanVariant(watched.Width, watched.Height, watched.WebpsaveBuffer(q: 80, keep: Enums.ForeignKeep.None));
    }

    public void Dispose() => _turns.Dispose();

    private async Task<Result<T>> InTurnAsync<T>(
        Guid ownerId, string mediaType, Func<CancellationToken, Result<T>> work, CancellationToken cancellationToken)
    {
        using var place = await _turns.TakeAsync(ownerId, LongestWait, cancellationToken);
        if (place is null)
            return Busy;
        using var limit = new CancellationTokenSource(_options.DecodingTimeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await Task.Run(() => work(either.Token), CancellationToken.None);
        }
        catch (Exception e) when (e is VipsException or OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            LogRefused(e, mediaType);
            return limit.IsCancellationRequested ? TooSlow : Broken;
        }
    }

    private Result<CleanImage> Clean(string mediaType, Stream content, CancellationToken cancellationToken)
    {
        var read = Decode(mediaType, content, cancellationToken);
        if (!read.IsSuccess)
            return read.Error;
        using var decoded = read.Value;
        // It is turned while it is read: a second copy would be as large as the first.
        using var turned = decoded.Autorot();
        // How many dots to an inch tells of the device; every picture says the same.
        using var image = turned.Copy(xres: DotsPerMillimetre, yres: DotsPerMillimetre);
        cancellationToken.ThrowIfCancellationRequested();
        var (kind, bytes) = Encode(mediaType, image, cancellationToken);
        if (bytes.Length > _options.MaxAssetBytes)
            return Error.Invalid("too_large", "This picture is too large when it is made anew.", "file");
        var variants = new List<CleanVariant>();
        foreach (var width in Widths.Where(width => width < image.Width))
        {
            cancellationToken.ThrowIfCancellationRequested();
            variants.Add(Shrink(image, width, cancellationToken));
        }

        cancellationToken.ThrowIfCancellationRequested();
        using var tiny = image.ThumbnailImage(PreviewSide, PreviewSide, Enums.Size.Down);
        var preview = tiny.WebpsaveBuffer(q: 30, alphaQ: 30, keep: Enums.ForeignKeep.None);
        return new CleanImage(kind, image.Width, image.Height, bytes, preview, variants);
    }

    private Result<byte[]> ShrinkForModel(string mediaType, Stream content, CancellationToken cancellationToken)
    {
        var read = Decode(mediaType, content, cancellationToken);
        if (!read.IsSuccess)
            return read.Error;
        using var decoded = read.Value;
        using var small = decoded.ThumbnailImage(ModelSide, ModelSide, Enums.Size.Down);
        // What one sees through lies on white, as on most pages.
        using var flat = small.HasAlpha() ? small.Flatten(background: [255]) : small.Copy();
        using var watched = Watched(flat, cancellationToken);
        return watched.JpegsaveBuffer(q: 85, keep: Enums.ForeignKeep.None);
    }

    // How many times the memory of other pictures a pixel takes: decoding an AVIF does, and so does encoding as WebP what one sees through.
    private static int Weight(string mediaType, Image file) => mediaType switch
    {
        MediaTypes.Avif or MediaTypes.WebP when file.HasAlpha() => 3,
        MediaTypes.Avif => 2,
        _ => 1,
    };

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

    // libvips asks whether to go on where it tells how far it is, and it tells that of the image that somebody wants to know it of.
    private static Image Watched(Image image, CancellationToken cancellationToken)
    {
        var watched = image.Copy();
        // What it is made of may be watched, too, and would be told and stopped in its place.
        watched.SetProgress(null, CancellationToken.None);
        watched.SetProgress(Unseen.Progress, cancellationToken);
        return watched;
    }

    private static string Pixels(long count) => count >= 1_000_000 ? $"{count / 1_000_000} million" : $"{count}";

    [LoggerMessage(1, LogLevel.Information, "A picture that says it is {MediaType} could not be read")]
    private partial void LogRefused(Exception exception, string mediaType);

    /// <summary>How far it is, nobody looks at.</summary>
    private sealed class Unseen : IProgress<int>
    {
        public static readonly Unseen Progress = new();

        public void Report(int value)
        {
        }
    }
}
