using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using SevenX42.Modules.Media.Domain;

namespace SevenX42.Modules.Media.Infrastructure.Blobs;

/// <summary>
/// Blobs as files: <c>ab/cd/abcd…</c> by hash, so that no folder grows without end. A file is written under
/// <c>incoming/</c>, flushed to the disk and renamed, so under a hash there is always the whole content or nothing.
/// </summary>
internal sealed class FileBlobStore(IOptions<MediaOptions> options, TimeProvider time) : IBlobStore
{
    private const int HexLength = SHA256.HashSizeInBytes * 2;
    private const UnixFileMode PrivateDirectory = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    private readonly string _root = Path.GetFullPath(options.Value.Directory);

    private string Incoming => Path.Combine(_root, "incoming");

    public Task<IBlobUpload> BeginAsync(CancellationToken cancellationToken) => Task.FromResult(Guarded(() =>
    {
        CreateDirectory(_root);
        CreateDirectory(Incoming);
        return (IBlobUpload)new Upload(this, Path.Combine(Incoming, $"{Guid.CreateVersion7(time.GetUtcNow()):N}.part"));
    }));

    public Task<Stream?> OpenAsync(string hash, CancellationToken cancellationToken) => Task.FromResult(Guarded(() =>
    {
        var path = PathOf(hash);
        try
        {
            return (Stream?)new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.Open,
                Access = FileAccess.Read,
                Share = FileShare.Read | FileShare.Delete,
                Options = FileOptions.Asynchronous | FileOptions.SequentialScan,
            });
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }));

    public Task DeleteAsync(string hash, CancellationToken cancellationToken)
    {
        Guarded(() =>
        {
            if (File.Exists(PathOf(hash)))
                File.Delete(PathOf(hash));
            return true;
        });
        return Task.CompletedTask;
    }

    public async IAsyncEnumerable<string> ListAsync(
        DateTimeOffset publishedBefore, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var files = Guarded(() => Directory.Exists(_root)
            ? Directory.EnumerateFiles(_root, new string('?', HexLength), new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 2 }).GetEnumerator()
            : Enumerable.Empty<string>().GetEnumerator());
        while (Guarded(files.MoveNext))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var hash = Path.GetFileName(files.Current);
            if (IsHash(hash) && files.Current == PathOf(hash) && File.GetLastWriteTimeUtc(files.Current) < publishedBefore)
                yield return hash;
            await Task.CompletedTask;
        }
    }

    public Task<int> DiscardAbandonedAsync(DateTimeOffset untouchedSince, CancellationToken cancellationToken) => Task.FromResult(Guarded(() =>
    {
        if (!Directory.Exists(Incoming))
            return 0;
        var discarded = 0;
        foreach (var file in Directory.EnumerateFiles(Incoming, "*.part").Where(f => File.GetLastWriteTimeUtc(f) < untouchedSince))
        {
            cancellationToken.ThrowIfCancellationRequested();
            File.Delete(file);
            discarded++;
        }

        return discarded;
    }));

    private static bool IsHash(string hash) => hash.Length == HexLength && !hash.AsSpan().ContainsAnyExcept(HexDigits);

    private string PathOf(string hash) => IsHash(hash)
        ? Path.Combine(_root, hash[..2], hash[2..4], hash)
        : throw new ArgumentException("Not a SHA-256 in lower-case hexadecimal.", nameof(hash));

    private static void CreateDirectory(string path)
    {
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(path);
        else
            Directory.CreateDirectory(path, PrivateDirectory);
    }

    private static T Guarded<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BlobStoreException("The directory of media files can't be used now.", e);
        }
    }

    private static async Task GuardedAsync(Func<Task> work)
    {
        try
        {
            await work();
        }
        // The last of these is what .NET makes of a file that grows beyond what the system lets a file be.
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException)
        {
            throw new BlobStoreException("The directory of media files can't be used now.", e);
        }
    }

    private sealed class Upload : IBlobUpload
    {
        private readonly FileBlobStore _store;
        private readonly string _part;
        private readonly FileStream _file;
        private readonly IncrementalHash _sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        private string? _hash;

        public Upload(FileBlobStore store, string part)
        {
            (_store, _part) = (store, part);
            var open = new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                Share = FileShare.Read | FileShare.Delete,
                Options = FileOptions.Asynchronous,
                BufferSize = 0,
            };
            if (!OperatingSystem.IsWindows())
                open.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            _file = new FileStream(part, open);
        }

        public Task WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) => GuardedAsync(async () =>
        {
            await _file.WriteAsync(bytes, cancellationToken);
            _sha.AppendData(bytes.Span);
        });

        public async Task<string> CompleteAsync(CancellationToken cancellationToken)
        {
            await GuardedAsync(async () =>
            {
                _file.Flush(flushToDisk: true);
                await _file.DisposeAsync();
            });
            return _hash = Convert.ToHexStringLower(_sha.GetHashAndReset());
        }

        public Task PublishAsync(CancellationToken cancellationToken)
        {
            var path = _store.PathOf(_hash ?? throw new InvalidOperationException("Complete the upload first."));
            Guarded(() =>
            {
                var shard = Path.GetDirectoryName(path)!;
                var isNew = !Directory.Exists(shard);
                CreateDirectory(shard);
                File.Move(_part, path, overwrite: true);
                Directories.Flush(shard);
                if (isNew)
                {
                    Directories.Flush(Path.GetDirectoryName(shard)!);
                    Directories.Flush(_store._root);
                }

                return true;
            });
            return Task.CompletedTask;
        }

        public async ValueTask DisposeAsync()
        {
            _sha.Dispose();
            await GuardedAsync(async () =>
            {
                await _file.DisposeAsync();
                // Published: the file is no longer here.
                if (File.Exists(_part))
                    File.Delete(_part);
            });
        }
    }

    /// <summary>A rename survives a power failure once its directory is flushed, which .NET has no call for.</summary>
    private static class Directories
    {
        private const int ReadOnly = 0;

        public static void Flush(string directory)
        {
            if (OperatingSystem.IsWindows())
                return;
            var handle = Open(directory, ReadOnly);
            if (handle < 0)
                throw new IOException($"A directory can't be opened: error {Marshal.GetLastPInvokeError()}.");
            try
            {
                if (Sync(handle) != 0)
                    throw new IOException($"A directory can't be flushed: error {Marshal.GetLastPInvokeError()}.");
            }
            finally
            {
                _ = Close(handle);
            }
        }

        [DllImport("libc", EntryPoint = "open", SetLastError = true)]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        private static extern int Open([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags);

        [DllImport("libc", EntryPoint = "fsync", SetLastError = true)]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        private static extern int Sync(int handle);

        [DllImport("libc", EntryPoint = "close", SetLastError = true)]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        private static extern int Close(int handle);
    }
}
