using System.Text.Json;
using System.Text.Json.Serialization;
using SevenX42.Contracts.Generation;

namespace SevenX42.Modules.Generation.Domain.Images;

/// <summary>
/// What a job's pictures have come to, as it is stored and told. Immutable; each says everything, so that of several the newest counts.
/// </summary>
/// <param name="Step">The provider's own steps that are done, over all pictures.</param>
/// <param name="Steps">Steps in all; 0 where nobody knows.</param>
/// <param name="Preview">Version of the preview; empty when there is none.</param>
/// <param name="Queue">How many are before it at its provider; <see langword="null"/> when it does not wait there.</param>
/// <param name="Seconds">How long it has been drawn without a step.</param>
/// <param name="Pictures">Those that are stored, in their order.</param>
internal sealed record Drawn(int Step, int Steps, string Preview, int? Queue, int Seconds, IReadOnlyList<DrawnPicture> Pictures)
{
    public static Drawn Nothing { get; } = new(0, 0, "", null, 0, []);

    /// <summary>What others are told.</summary>
    public ImageProgress Progress(Guid jobId, ImageOptions options) => new(
        options.Count, Pictures.Count, options.Width, options.Height, Step, Steps, Preview.Length > 0 ? PreviewPath(jobId, Preview) : "", Queue, Seconds);

    /// <summary>
    /// The provider has made steps of the pictures that are still missing. A later attempt draws fewer, so its steps are added to those
    /// that the ones before it would have had.
    /// </summary>
    /// <param name="step">Its steps that are done.</param>
    /// <param name="steps">Its steps in all.</param>
    /// <param name="before">Pictures that it was not asked for, because they were there.</param>
    /// <param name="count">Pictures in all.</param>
    public Drawn At(int step, int steps, int before, int count)
    {
        var each = before < count ? steps / (count - before) : steps;
        return this with { Step = (each * before) + step, Steps = (each * before) + steps, Queue = null };
    }

    public string ToJson() => JsonSerializer.Serialize(this, ImageJson.Default.Drawn);

    public static Drawn Read(string? json) => json is null ? Nothing : JsonSerializer.Deserialize(json, ImageJson.Default.Drawn) ?? Nothing;

    private static string PreviewPath(Guid jobId, string version) => $"/images/{jobId:D}/preview?v={version}";
}

/// <summary>A picture that is stored.</summary>
/// <param name="AssetId">The asset.</param>
/// <param name="Seed">What it was drawn with, where the model knows seeds.</param>
internal sealed record DrawnPicture(Guid AssetId, long? Seed);

/// <summary>Source-generated JSON of what is stored of a job's pictures.</summary>
[JsonSerializable(typeof(Drawn))]
[JsonSerializable(typeof(ImageOptions))]
internal sealed partial class ImageJson : JsonSerializerContext;
