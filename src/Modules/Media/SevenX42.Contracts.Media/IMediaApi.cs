namespace SevenX42.Contracts.Media;

/// <summary>What other modules may ask of Media.</summary>
public interface IMediaApi
{
    /// <summary>An asset of a user.</summary>
    /// <returns>
    /// The asset, or <see cref="ErrorKind.NotFound"/> when there is none, it is somebody else's, or it was deleted.
    /// </returns>
    Task<Result<AssetInfo>> FindAsync(Guid ownerId, Guid assetId, CancellationToken cancellationToken);

    /// <summary>Assets of a user, for a page that shows many.</summary>
    /// <returns>Those that there are, in no order; what is missing, somebody else's or deleted is left out.</returns>
    Task<IReadOnlyList<AssetInfo>> FindAsync(Guid ownerId, IReadOnlyCollection<Guid> assetIds, CancellationToken cancellationToken);

    /// <summary>
    /// Stores a picture that a model made, once: whoever stores picture <see cref="ImageProvenance.Index"/> of a job again, such as a
    /// worker that took the job over, is given the one that is there. The picture is made anew as any other: what a provider sends is
    /// not trusted.
    /// </summary>
    /// <param name="ownerId">Whose it will be, and whose quota it counts for.</param>
    /// <param name="content">A PNG, JPEG, WebP, GIF or AVIF; read once, not disposed.</param>
    /// <param name="provenance">Where it comes from.</param>
    /// <param name="cancellationToken">Cancels the storing; nothing is kept then.</param>
    /// <returns>
    /// The asset; <see cref="ErrorKind.Invalid"/> when it is no picture that can be stored, <see cref="ErrorKind.Conflict"/> when the
    /// owner has no room left or is no more, <see cref="ErrorKind.NotFound"/> when its conversation is no more or its job has ended,
    /// and <see cref="ErrorKind.Unavailable"/> when nothing can be stored now.
    /// </returns>
    Task<Result<AssetInfo>> StoreGeneratedAsync(Guid ownerId, Stream content, ImageProvenance provenance, CancellationToken cancellationToken);

    /// <summary>
    /// The pictures of a job that are stored, whichever worker brought them, for one that takes the job over. Those that their owner has
    /// deleted since are among them: nobody is to draw them again.
    /// </summary>
    /// <returns>In the order of their indices.</returns>
    Task<IReadOnlyList<GeneratedImage>> FindGeneratedAsync(Guid ownerId, Guid jobId, CancellationToken cancellationToken);

    /// <summary>The largest file that is taken, in bytes.</summary>
    long MaxBytes { get; }

    /// <summary>
    /// Stores a picture that somebody sends together with something that is not stored yet, once: the same picture of the same sending,
    /// sent again, is the one that is there. It is held back until <see cref="KeepAsync"/>: nobody sees it, it counts for no quota, and
    /// after ten minutes it is gone by itself. The picture is made anew as any other.
    /// </summary>
    /// <param name="ownerId">Whose it will be.</param>
    /// <param name="content">A PNG, JPEG, WebP, GIF or AVIF; read once, not disposed.</param>
    /// <param name="source">Where it comes from.</param>
    /// <param name="cancellationToken">Cancels the storing; nothing is kept then.</param>
    /// <returns>Its id, or an error as those of <see cref="StoreGeneratedAsync"/>.</returns>
    Task<Result<Guid>> HoldAsync(Guid ownerId, Stream content, SentImage source, CancellationToken cancellationToken);

    /// <summary>
    /// Makes pictures that are held back those of their owner, all or none. Idempotent. Whoever asks for it raises the event
    /// <c>chat.pictures-sent.v1</c> with what they are sent with: when that is not heard for eight days, they stay their owner's and belong to
    /// no conversation.
    /// </summary>
    /// <param name="ownerId">Whose.</param>
    /// <param name="assetIds">What <see cref="HoldAsync"/> has returned.</param>
    /// <param name="conversationId">The conversation, with which they are deleted.</param>
    /// <param name="cancellationToken">Cancels it; nothing is kept then.</param>
    /// <returns>
    /// <see cref="ErrorKind.Conflict"/> when the owner has no room left or one of them is gone, <see cref="ErrorKind.NotFound"/> when the
    /// conversation is no more.
    /// </returns>
    Task<Result> KeepAsync(Guid ownerId, IReadOnlyCollection<Guid> assetIds, Guid conversationId, CancellationToken cancellationToken);

    /// <summary>A picture as models are shown it: a JPEG of at most 1024 × 1024 pixels, which is 1 MB at the very most.</summary>
    /// <returns>
    /// Its bytes; <see cref="ErrorKind.NotFound"/> when there is none, it is somebody else's, it is no picture or it was deleted, and
    /// <see cref="ErrorKind.Unavailable"/> when it can't be read now.
    /// </returns>
    Task<Result<ReadOnlyMemory<byte>>> ReadForModelAsync(Guid ownerId, Guid assetId, CancellationToken cancellationToken);
}

/// <summary>A stored asset.</summary>
/// <param name="Id">The asset.</param>
/// <param name="MediaType">Media type as found in the content, never as claimed by the uploader.</param>
/// <param name="Bytes">Size.</param>
/// <param name="ContentHash">SHA-256 of the content, lower-case hexadecimal.</param>
/// <param name="Path">Path-absolute URL that serves it to its owner, also when its smaller sizes are made differently one day.</param>
/// <param name="Picture">How a view shows it; <see langword="null"/> when it is no picture.</param>
public sealed record AssetInfo(Guid Id, string MediaType, long Bytes, string ContentHash, string Path, PictureInfo? Picture = null);

/// <summary>A picture as an <c>img</c> element shows it to its owner.</summary>
/// <param name="Width">In pixels.</param>
/// <param name="Height">In pixels.</param>
/// <param name="Source">Value of <c>src</c>: the whole picture, under a URL that may be cached for ever.</param>
/// <param name="SourceSet">Value of <c>srcset</c>: all sizes by their widths.</param>
/// <param name="Placeholder">A <c>data:</c> URL of about a hundred bytes, to be shown until the picture is there.</param>
public sealed record PictureInfo(int Width, int Height, string Source, string SourceSet, string Placeholder);

/// <summary>Where a picture comes from that somebody sends.</summary>
/// <param name="SendingId">What it is sent with: the same for whatever is the same sending, made again.</param>
/// <param name="Index">Which of its pictures it is, from 0.</param>
/// <param name="FileName">What the sender calls it.</param>
public sealed record SentImage(Guid SendingId, int Index, string FileName);

/// <summary>A picture of a job.</summary>
/// <param name="Index">Which of the job's pictures it is, from 0.</param>
/// <param name="AssetId">The asset.</param>
/// <param name="Seed">The seed it began with.</param>
public sealed record GeneratedImage(int Index, Guid AssetId, long? Seed);

/// <summary>Where a picture comes from that a model made.</summary>
/// <param name="JobId">The job that made it.</param>
/// <param name="Index">Which of the job's pictures it is, from 0.</param>
/// <param name="ConversationId">The conversation it was made in, with which it is deleted; <see langword="null"/> for none.</param>
/// <param name="Prompt">What the model was asked for; at most <see cref="LongestPrompt"/> characters.</param>
/// <param name="NegativePrompt">What it was asked to leave out, of the same length at most.</param>
/// <param name="Seed">The seed it began with.</param>
/// <param name="Model">Model id as of the model list; at most <see cref="LongestModel"/> characters.</param>
public sealed record ImageProvenance(
    Guid JobId, int Index, Guid? ConversationId, string Prompt, string? NegativePrompt = null, long? Seed = null, string? Model = null)
{
    /// <summary>Most characters of a prompt.</summary>
    public const int LongestPrompt = 10_000;

    /// <summary>Most characters of a model's id.</summary>
    public const int LongestModel = 256;
}
