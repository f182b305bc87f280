using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SevenX42.Modules.Media.Infrastructure;

/// <summary>Section <c>Media</c>.</summary>
internal sealed class MediaOptions
{
    public const string Section = "Media";

    /// <summary>Where files are stored, or come in on their way to the object store. Default: <c>media</c> in the data directory.</summary>
    [Required]
    public string Directory { get; set; } = "";

    /// <summary>Largest file, in bytes.</summary>
    [Range(1, 1L << 32)]
    public long MaxAssetBytes { get; set; } = 20 * 1024 * 1024;

    /// <summary>What one user may store in total, in bytes.</summary>
    [Range(1, long.MaxValue)]
    public long QuotaBytes { get; set; } = 1024 * 1024 * 1024;

    /// <summary>
    /// Most pixels of a picture; of an AVIF a half of them, of a WebP or AVIF that one sees through a third. Of pictures as large as the
    /// default allows, one was seen to take up to 410 MB while it is made anew: the most resident memory (<c>VmHWM</c>) of a process that
    /// does nothing else, less what it had before. A JPEG, PNG, GIF or plain WebP took up to 290 MB.
    /// </summary>
    [Range(1, 1_000_000_000)]
    public long MaxPixels { get; set; } = 25_000_000;

    /// <summary>How many pictures are made anew at once, and so how many of them are in memory: each takes as much as the last.</summary>
    [Range(1, 64)]
    public int MaxDecodings { get; set; } = 1;

    /// <summary>How long making a picture anew may take.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan DecodingTimeout { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>How often what nobody refers to is looked for.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "7.00:00:00")]
    public TimeSpan SweepInterval { get; set; } = TimeSpan.FromHours(1);

    /// <summary>How old a file has to be before the sweeper looks at it.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "30.00:00:00")]
    public TimeSpan SweepAge { get; set; } = TimeSpan.FromHours(1);

    /// <summary>The object store that files stand in; without a bucket they stand in the directory.</summary>
    public S3Options S3 { get; set; } = new();
}

/// <summary>An object store that speaks S3.</summary>
internal sealed class S3Options
{
    /// <summary>Its address; empty for Amazon's own of the region.</summary>
    public string Endpoint { get; set; } = "";

    /// <summary>The bucket, which is there already; empty for no object store.</summary>
    public string Bucket { get; set; } = "";

    /// <summary>The region that requests are signed for.</summary>
    public string Region { get; set; } = "us-east-1";

    /// <summary>Who we are to it; empty for what the environment says (service account, instance profile).</summary>
    public string AccessKey { get; set; } = "";

    /// <summary>The secret of the access key.</summary>
    public string SecretKey { get; set; } = "";

    /// <summary>Whether the bucket stands in the path instead of before the host's name.</summary>
    public bool PathStyle { get; set; } = true;

    /// <summary>What the keys of all objects begin with, such as <c>media/</c>.</summary>
    public string Prefix { get; set; } = "";

    /// <summary>How long one request may take until it is answered, and then each read of a content that comes.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Whether an object store is wanted at all.</summary>
    public bool IsChosen => Bucket.Length > 0;
}

/// <summary>Says what of an object store's settings means nothing; never what a secret is.</summary>
internal sealed class S3OptionsValidator : IValidateOptions<MediaOptions>
{
    private const string Keys = MediaOptions.Section + ":S3:";

    public ValidateOptionsResult Validate(string? name, MediaOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var failures = Failures(options.S3).ToList();
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }

    private static IEnumerable<string> Failures(S3Options s3)
    {
        if (!s3.IsChosen)
        {
            if (s3.Endpoint.Length + s3.AccessKey.Length + s3.SecretKey.Length + s3.Prefix.Length > 0)
                yield return $"{Keys}Bucket is missing: files would stand in {MediaOptions.Section}:Directory.";
            yield break;
        }

        if (s3.Endpoint.Length > 0 && !(Uri.TryCreate(s3.Endpoint, UriKind.Absolute, out var endpoint) && endpoint.Scheme is "http" or "https"))
            yield return $"{Keys}Endpoint is no address; write it as https://s3.example.com.";
        if (s3.Region.Length == 0)
            yield return $"{Keys}Region is missing; stores without regions take us-east-1.";
        if (s3.AccessKey.Length > 0 != s3.SecretKey.Length > 0)
            yield return $"{Keys}AccessKey and {Keys}SecretKey belong together: set both, or none for the environment's.";
        if (s3.Prefix.StartsWith('/') || s3.Prefix.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('/' or '-' or '_' or '.')))
            yield return $"{Keys}Prefix is made of letters, digits and -_./ and does not begin with a slash.";
        if (s3.Timeout <= TimeSpan.Zero || s3.Timeout > TimeSpan.FromMinutes(10))
            yield return $"{Keys}Timeout has to be more than nothing and at most 10 minutes.";
    }
}
