using System.Buffers;
using System.Security.Cryptography;

namespace SevenX42.Modules.Media.Domain;

/// <summary>
/// Where contents stand, each under the SHA-256 of its bytes (lower-case hexadecimal). Knows no owners: who may delete a
/// blob is decided by whoever holds the database's lock on its hash.
/// </summary>
internal interface IBlobStore
{
    /// <summary>Begins a blob. Nothing of it can be read until it is published; dispose it to give up.</summary>
    /// <exception cref="BlobStoreException">The store can't be written.</exception>
    Task<IBlobUpload> BeginAsync(CancellationToken cancellationToken);

    /// <summary>A blob's content, seekable, or <see langword="null"/> when there is none.</summary>
    /// <exception cref="BlobStoreException">The store can't be read.</exception>
    Task<Stream?> OpenAsync(string hash, CancellationToken cancellationToken);

    /// <summary>Deletes a blob; does nothing when there is none.</summary>
    /// <exception cref="BlobStoreException">The store can't be written.</exception>
    Task DeleteAsync(string hash, CancellationToken cancellationToken);

    /// <summary>Hashes of the blobs that were published before a moment, in no order.</summary>
    /// <exception cref="BlobStoreException">The store can't be read.</exception>
    IAsyncEnumerable<string> ListAsync(DateTimeOffset publishedBefore, CancellationToken cancellationToken);

    /// <summary>Deletes what uploads left behind that were neither published nor given up: their process died.</summary>
    /// <returns>How many there were.</returns>
    /// <exception cref="BlobStoreException">The store can't be written.</exception>
    Task<int> DiscardAbandonedAsync(DateTimeOffset untouchedSince, CancellationToken cancellationToken);
}

/// <summary>A blob that is being written.</summary>
internal interface IBlobUpload : IAsyncDisposable
{
    /// <summary>Appends bytes.</summary>
    /// <exception cref="BlobStoreException">The store can't be written; the blob is void.</exception>
    Task WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken);

    /// <summary>Ends the content and makes it survive a power failure; it still can't be read.</summary>
    /// <returns>The content's hash.</returns>
    /// <exception cref="BlobStoreException">The store can't be written; the blob is void.</exception>
    Task<string> CompleteAsync(CancellationToken cancellationToken);

    /// <summary>What was written, once it is complete and before it is published.</summary>
    /// <exception cref="BlobStoreException">The store can't be read.</exception>
    Stream Read();

    /// <summary>Puts the blob under its hash, whole or not at all. The same content may stand there already.</summary>
    /// <exception cref="BlobStoreException">The store can't be written; the blob is void.</exception>
    Task PublishAsync(CancellationToken cancellationToken);
}

/// <summary>What a blob is known by.</summary>
internal static class BlobHash
{
    public const int Length = SHA256.HashSizeInBytes * 2;

    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    public static bool Is(string hash) => hash.Length == Length && !hash.AsSpan().ContainsAnyExcept(HexDigits);

    /// <exception cref="ArgumentException">It is none, and must become no path and no key.</exception>
    public static void Check(string hash)
    {
        if (!Is(hash))
            throw new ArgumentException("Not a SHA-256 in lower-case hexadecimal.", nameof(hash));
    }
}

/// <summary>The blob store can't do its work now: the disk is full, read-only or gone, or the object store does not answer.</summary>
internal sealed class BlobStoreException(string message, Exception innerException) : Exception(message, innerException);
