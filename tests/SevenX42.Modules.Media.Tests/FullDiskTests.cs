using System.Net;
using System.Runtime.InteropServices;
using NetVips;
using SevenX42.Testing;

namespace SevenX42.Modules.Media.Tests;

/// <summary>Alone, because the limit that stands for a full disk is the whole process's.</summary>
[CollectionDefinition(nameof(FullDiskTests), DisableParallelization = true)]
public sealed class FullDiskCollection;

[Collection(nameof(FullDiskTests))]
public sealed class FullDiskTests(PostgresServer postgres)
{
    private static readonly Guid Ann = new("0197aaaa-0000-7000-8000-000000000001");

    [Fact]
    public async Task A_disk_that_is_full_in_the_middle_of_a_file_is_said_so_and_leaves_nothing()
    {
        if (!OperatingSystem.IsLinux())
            return;
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        var content = Uploads.NewText(400_000);
        using (FileSizeLimit.Set(150_000))
            Assert.Equal("storage_unavailable", await UploadAssetTests.RefusedAsync(client.UploadAsync(content), HttpStatusCode.ServiceUnavailable));
        await UploadAssetTests.AssertNothingIsLeftAsync(host);
        Assert.Equal(HttpStatusCode.Created, (await client.UploadAsync(content)).StatusCode);
    }

    [Fact]
    public async Task A_disk_that_is_full_when_a_picture_is_made_anew_is_said_so_and_leaves_nothing()
    {
        if (!OperatingSystem.IsLinux())
            return;
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        // It comes in small, and is larger in the quality that pictures are stored in.
        using var noise = Image.Gaussnoise(700, 700, sigma: 60, mean: 128);
        var content = noise.Cast(Enums.BandFormat.Uchar).JpegsaveBuffer(q: 10);
        Assert.InRange(content.Length, 0, 140_000);
        using (FileSizeLimit.Set(150_000))
            Assert.Equal("storage_unavailable", await UploadAssetTests.RefusedAsync(client.UploadAsync(content), HttpStatusCode.ServiceUnavailable));
        await UploadAssetTests.AssertNothingIsLeftAsync(host);
        Assert.Equal(HttpStatusCode.Created, (await client.UploadAsync(content)).StatusCode);
    }

    /// <summary>The kernel refuses to let any file grow beyond the limit, as it does on a full disk.</summary>
    private sealed class FileSizeLimit : IDisposable
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

        public static FileSizeLimit Set(ulong bytes) => new(bytes);

        public void Dispose() => Assert.Equal(0, SetLimit(FileSize, in _before));

        [DllImport("libc", EntryPoint = "getrlimit")]
        private static extern int GetLimit(int resource, out Limit limit);

        [DllImport("libc", EntryPoint = "setrlimit")]
        private static extern int SetLimit(int resource, in Limit limit);

        [StructLayout(LayoutKind.Sequential)]
        private record struct Limit(ulong Soft, ulong Hard);
    }
}
