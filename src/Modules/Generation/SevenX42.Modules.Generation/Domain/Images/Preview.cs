namespace SevenX42.Modules.Generation.Domain.Images;

/// <summary>How the pictures of a running job look so far: the newest preview, and no other.</summary>
internal sealed class Preview
{
    public required Guid JobId { get; init; }

    /// <summary>The attempt that drew it, so that an older one can't put it back.</summary>
    public required int Attempt { get; init; }

    /// <summary>Name of this preview among the job's.</summary>
    public required string Version { get; init; }

    public required string MediaType { get; init; }

    public required byte[] Bytes { get; init; }
}
