using System.Runtime.InteropServices;
using Xunit;

namespace SevenX42.Testing;

/// <summary>
/// The kernel lets no file of this process grow beyond a limit, as it does on a full disk, until this is disposed. Linux only, and for tests
/// that run alone: the limit is the whole process's.
/// </summary>
public sealed class FileSizeLimit : IDisposable
{
    private const int FileSize = 1;
    private const PosixSignal FileSizeExceeded = (PosixSignal)25;

    // Besides refusing, the kernel sends a signal that ends the process when nobody is registered for it. The runtime looks for
    // registrations on a thread of its own, which a busy machine runs later than this test: this one is never taken back.
    private static readonly PosixSignalRegistration Ignored = PosixSignalRegistration.Create(FileSizeExceeded, static signal => signal.Cancel = true);

    private readonly Limit _before;

    private FileSizeLimit(ulong bytes)
    {
        Assert.NotNull(Ignored);
        Assert.Equal(0, GetLimit(FileSize, out _before));
        var limit = _before with { Soft = bytes };
        Assert.Equal(0, SetLimit(FileSize, in limit));
    }

    /// <summary>Sets the limit, in bytes of each file.</summary>
    public static FileSizeLimit Set(ulong bytes) => new(bytes);

    /// <inheritdoc/>
    public void Dispose() => Assert.Equal(0, SetLimit(FileSize, in _before));

    [DllImport("libc", EntryPoint = "getrlimit")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int GetLimit(int resource, out Limit limit);

    [DllImport("libc", EntryPoint = "setrlimit")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SetLimit(int resource, in Limit limit);

    [StructLayout(LayoutKind.Sequential)]
    private record struct Limit(ulong Soft, ulong Hard);
}
