using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using SevenX42.Modules.Media.Domain;

namespace SevenX42.Modules.Media.Infrastructure.Blobs;

/// <summary>The folder <c>incoming</c>, where contents stand until they are whole and their hash is known, whichever store they go to.</summary>
internal sealed class IncomingFiles(IOptions<MediaOptions> options, TimeProvider time)
{
    private const UnixFileMode PrivateDirectory = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>The directory of media files, which <c>incoming</c> is in.</summary>
    public string Root { get; } = Path.GetFullPath(options.Value.Directory);

    private string Incoming => Path.Combine(Root, "incoming");

    /// <summary>Begins a file.</summary>
    /// <exception cref="BlobStoreException">The directory can't be written.</exception>
    public IncomingFile Begin() => Guarded(() =>
    {
        CreateDirectory(Root);
        CreateDirectory(Incoming);
        return new IncomingFile(Path.Combine(Incoming, $"{Guid.CreateVersion7(time.GetUtcNow()):N}.part"));
    });

    /// <summary>Deletes the files of processes that died.</summary>
    /// <returns>How many there were.</returns>
    /// <exception cref="BlobStoreException">The directory can't be written.</exception>
    public int DiscardAbandoned(DateTimeOffset untouchedSince, CancellationToken cancellationToken) => Guarded(() =>
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
    });

    public static void CreateDirectory(string path)
    {
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(path);
        else
            Directory.CreateDirectory(path, PrivateDirectory);
    }

    /// <summary>Says faults of the disk in the store's words.</summary>
    public static T Guarded<T>(Func<T> work)
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

    /// <inheritdoc cref="Guarded"/>
    public static async Task GuardedAsync(Func<Task> work)
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
}

/// <summary>A file that is hashed while it is written, and deleted when it is disposed unless it was moved away.</summary>
internal sealed class IncomingFile : IAsyncDisposable
{
    private readonly FileStream _file;
    private readonly IncrementalHash _sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private string? _hash;

    public IncomingFile(string path)
    {
        Path = path;
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
        _file = new FileStream(path, open);
    }

    public string Path { get; }

    /// <summary>The hash of the content, once it is complete.</summary>
    public string Hash => _hash ?? throw new InvalidOperationException("Complete the upload first.");

    public Task WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) => IncomingFiles.GuardedAsync(async () =>
    {
        await _file.WriteAsync(bytes, cancellationToken);
        _sha.AppendData(bytes.Span);
    });

    /// <summary>Ends the content and flushes it to the disk.</summary>
    public async Task<string> CompleteAsync()
    {
        await IncomingFiles.GuardedAsync(async () =>
        {
            _file.Flush(flushToDisk: true);
            await _file.DisposeAsync();
        });
        return _hash = Convert.ToHexStringLower(_sha.GetHashAndReset());
    }

    /// <summary>The whole content, from its beginning.</summary>
    public FileStream Read() => IncomingFiles.Guarded(() => new FileStream(Path, new FileStreamOptions
    {
        Mode = FileMode.Open,
        Access = FileAccess.Read,
        Share = FileShare.Read | FileShare.Delete,
        Options = FileOptions.Asynchronous | FileOptions.SequentialScan,
    }));

    public async ValueTask DisposeAsync()
    {
        _sha.Dispose();
        try
        {
            await _file.DisposeAsync();
            if (File.Exists(Path))
                File.Delete(Path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException)
        {
            // What it held may be stored by now, and must not be reported as lost. The sweeper finds the file.
        }
    }
}
