using System.Net;
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
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Elsewhere no system call limits the files of one process.");
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
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Elsewhere no system call limits the files of one process.");
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        var content = Photo.Noise();
        Assert.InRange(content.Length, 0, 140_000);
        using (FileSizeLimit.Set(150_000))
            Assert.Equal("storage_unavailable", await UploadAssetTests.RefusedAsync(client.UploadAsync(content), HttpStatusCode.ServiceUnavailable));
        await UploadAssetTests.AssertNothingIsLeftAsync(host);
        Assert.Equal(HttpStatusCode.Created, (await client.UploadAsync(content)).StatusCode);
    }
}
