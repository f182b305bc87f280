namespace SevenX42.Contracts.Media;

/// <summary>What other modules may ask of Media.</summary>
public interface IMediaApi
{
    /// <summary>An asset of a user.</summary>
    /// <returns>The asset, or <see cref="ErrorKind.NotFound"/> when there is none or it is somebody else's.</returns>
    Task<Result<AssetInfo>> FindAsync(Guid ownerId, Guid assetId, CancellationToken cancellationToken);
}

/// <summary>A stored asset.</summary>
/// <param name="Id">The asset.</param>
/// <param name="MediaType">Media type as found in the content, never as claimed by the uploader.</param>
/// <param name="Bytes">Size.</param>
/// <param name="ContentHash">SHA-256 of the content, lower-case hexadecimal.</param>
/// <param name="Path">Path-absolute URL that serves it to its owner.</param>
public sealed record AssetInfo(Guid Id, string MediaType, long Bytes, string ContentHash, string Path);
