using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using SevenX42.Modules.Media.Domain;
using static SevenX42.Modules.Media.Infrastructure.Blobs.IncomingFiles;

namespace SevenX42.Modules.Media.Infrastructure.Blobs;

/// <summary>
/// Blobs as files: <c>ab/cd/abcd…</c> by hash, so that no folder grows without end. A file is written under
/// <c>incoming/</c>, flushed to the disk and renamed, so under a hash there is always the whole content or nothing.
/// </summary>
internal sealed class FileBlobStore(IncomingFiles incoming) : IBlobStore
{
    public Task<IBlobUpload> BeginAsync(CancellationToken cancellationToken) => Task.FromResult<IBlobUpload>(new Upload(this, incoming.Begin()));

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
        using var files = Guarded(() => Directory.Exists(incoming.Root)
            ? Directory.EnumerateFiles(incoming.Root, new string('?', BlobHash.Length), new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 2 }).GetEnumerator()
            : Enumerable.Empty<string>().GetEnumerator());
        while (Guarded(files.MoveNext))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var hash = Path.GetFileName(files.Current);
            if (BlobHash.Is(hash) && files.Current == PathOf(hash) && File.GetLastWriteTimeUtc(files.Current) < publishedBefore)
                yield return hash;
            await Task.CompletedTask;
        }
    }

    public Task<int> DiscardAbandonedAsync(DateTimeOffset untouchedSince, CancellationToken cancellationToken) =>
        Task.FromResult(incoming.DiscardAbandoned(untouchedSince, cancellationToken));

    private string PathOf(string hash)
    {
        BlobHash.Check(hash);
        return Path.Combine(incoming.Root, hash[..2], hash[2..4], hash);
    }

    private sealed class Upload(FileBlobStore store, IncomingFile file) : IBlobUpload
    {
        public Task WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) => file.WriteAsync(bytes, cancellationToken);

        public Task<string> CompleteAsync(CancellationToken cancellationToken) => file.CompleteAsync();

        public Stream Read() => file.Read();

        public Task PublishAsync(CancellationToken cancellationToken)
        {
            var path = store.PathOf(file.Hash);
            Guarded(() =>
            {
                var shard = Path.GetDirectoryName(path)!;
                var isNew = !Directory.Exists(shard);
                CreateDirectory(shard);
                File.Move(file.Path, path, overwrite: true);
                Directories.Flush(shard);
                if (isNew)
                {
                    Directories.Flush(Path.GetDirectoryName(shard)!);
                    Directories.Flush(Path.GetDirectoryName(Path.GetDirectoryName(shard)!)!);
                }

                return true;
            });
            return Task.CompletedTask;
        }

        public ValueTask DisposeAsync() => file.DisposeAsync();
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
