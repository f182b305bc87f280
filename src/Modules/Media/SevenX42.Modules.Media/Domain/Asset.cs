namespace SevenX42.Modules.Media.Domain;

/// <summary>A file that somebody owns. Its content stands in the blob store under its hash.</summary>
internal sealed class Asset
{
    public required Guid Id { get; init; }

    public required Guid OwnerId { get; init; }

    /// <summary>Found in the content, never as claimed by the uploader.</summary>
    public required string MediaType { get; init; }

    public required long Bytes { get; init; }

    /// <summary>SHA-256, lower-case hexadecimal.</summary>
    public required string ContentHash { get; init; }

    /// <summary>What the uploader called it: shown and offered for saving, never a path.</summary>
    public required string FileName { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>
/// What an owner has stored in total. Uploads charge it with one conditional update, so that no race passes the quota; the
/// row of a deleted user stays and refuses an upload that was still under way.
/// </summary>
internal sealed class Owner
{
    public required Guid Id { get; init; }

    public long Bytes { get; init; }

    public bool IsDeleted { get; init; }
}
