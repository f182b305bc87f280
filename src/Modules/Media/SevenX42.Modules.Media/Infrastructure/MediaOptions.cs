using System.ComponentModel.DataAnnotations;

namespace SevenX42.Modules.Media.Infrastructure;

/// <summary>Section <c>Media</c>.</summary>
internal sealed class MediaOptions
{
    public const string Section = "Media";

    /// <summary>Where files are stored. Default: <c>media</c> in the data directory.</summary>
    [Required]
    public string Directory { get; set; } = "";

    /// <summary>Largest file, in bytes.</summary>
    [Range(1, 1L << 32)]
    public long MaxAssetBytes { get; set; } = 20 * 1024 * 1024;

    /// <summary>What one user may store in total, in bytes.</summary>
    [Range(1, long.MaxValue)]
    public long QuotaBytes { get; set; } = 1024 * 1024 * 1024;

    /// <summary>How often what nobody refers to is looked for.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "7.00:00:00")]
    public TimeSpan SweepInterval { get; set; } = TimeSpan.FromHours(1);

    /// <summary>How old a file has to be before the sweeper looks at it.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "30.00:00:00")]
    public TimeSpan SweepAge { get; set; } = TimeSpan.FromHours(1);
}
