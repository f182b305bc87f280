namespace SevenX42.Modules.Media.Domain;

/// <summary>What is known of an asset's content.</summary>
internal enum AssetKind
{
    /// <summary>Stored as it came, so it is offered for saving and never shown.</summary>
    File,

    /// <summary>A picture that was made anew.</summary>
    Image,
}

/// <summary>A file that somebody owns. Its content stands in the blob store under its hash.</summary>
internal sealed class Asset
{
    /// <summary>Begins with the time, so that ids are ordered as the assets were stored.</summary>
    public required Guid Id { get; init; }

    public required Guid OwnerId { get; init; }

    public required AssetKind Kind { get; init; }

    /// <summary>Found in the content, never as claimed by the uploader.</summary>
    public required string MediaType { get; init; }

    public required long Bytes { get; init; }

    /// <summary>SHA-256, lower-case hexadecimal.</summary>
    public required string ContentHash { get; init; }

    /// <summary>What the uploader called it: shown and offered for saving, never a path.</summary>
    public required string FileName { get; init; }

    /// <summary>Of a picture, in pixels.</summary>
    public int? Width { get; init; }

    /// <summary>Of a picture, in pixels.</summary>
    public int? Height { get; init; }

    /// <summary>A picture of a few pixels, WebP, that stands in for it until it is loaded.</summary>
    public byte[]? Preview { get; init; }

    /// <summary>A picture in smaller sizes.</summary>
    public List<AssetVariant> Variants { get; init; } = [];

    /// <summary>All smaller sizes together.</summary>
    public long VariantBytes { get; init; }

    /// <summary>What a model was asked for; <see langword="null"/> when nobody asked one.</summary>
    public string? Prompt { get; init; }

    public string? NegativePrompt { get; init; }

    public long? Seed { get; init; }

    public string? Model { get; init; }

    /// <summary>The job that made it, or what it was sent with; with <see cref="JobIndex"/> it is known, however often it is stored.</summary>
    public Guid? JobId { get; init; }

    public int? JobIndex { get; init; }

    public Guid? ConversationId { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it was deleted; it can be restored for a while. What is held back is deleted from the beginning.</summary>
    public DateTimeOffset? DeletedAt { get; init; }

    /// <summary>
    /// When it was last kept for a message that may not have been stored; <see langword="null"/> once that is known to be, and of whatever
    /// was not sent.
    /// </summary>
    public DateTimeOffset? UnconfirmedSince { get; init; }

    /// <summary>What its owner is charged.</summary>
    public long ChargedBytes => Bytes + VariantBytes;
}

/// <summary>A picture in a smaller size, WebP.</summary>
internal sealed class AssetVariant
{
    public required Guid AssetId { get; init; }

    public required int Width { get; init; }

    public required int Height { get; init; }

    public required string ContentHash { get; init; }
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

/// <summary>A job that has ended, remembered while a worker that does not know may still bring a picture of it.</summary>
internal sealed class EndedJob
{
    public required Guid Id { get; init; }

    public required DateTimeOffset EndedAt { get; init; }
}

/// <summary>A conversation that is no more, remembered while a picture for it may still come.</summary>
internal sealed class DeletedConversation
{
    public required Guid Id { get; init; }

    public required DateTimeOffset DeletedAt { get; init; }
}
