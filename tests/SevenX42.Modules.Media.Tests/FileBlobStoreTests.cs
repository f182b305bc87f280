using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using SevenX42.Modules.Media.Domain;
using SevenX42.Modules.Media.Infrastructure;
using SevenX42.Modules.Media.Infrastructure.Blobs;

namespace SevenX42.Modules.Media.Tests;

public sealed class FileBlobStoreTests : IDisposable
{
    private static readonly byte[] Content = [.. "content"u8];
    private static readonly string Hash = Convert.ToHexStringLower(SHA256.HashData(Content));

    private readonly string _directory = Directory.CreateTempSubdirectory("7x42-blobs-").FullName;
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(60));

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private FileBlobStore Store => new(Options.Create(new MediaOptions { Directory = Path.Combine(_directory, "media") }), _time);

    [Fact]
    public async Task A_published_content_is_read_under_its_hash_in_its_shard()
    {
        Assert.Equal(Hash, await PublishAsync(Content));
        await using var read = await Store.OpenAsync(Hash, Cancellation);
        using var copy = new MemoryStream();
        await read!.CopyToAsync(copy, Cancellation);
        Assert.Equal(Content, copy.ToArray());
        Assert.Equal([Path.Combine("media", Hash[..2], Hash[2..4], Hash)], Files());
    }

    [Fact]
    public async Task Nothing_can_be_read_before_it_is_published()
    {
        await using var upload = await Store.BeginAsync(Cancellation);
        await upload.WriteAsync(Content, Cancellation);
        await upload.CompleteAsync(Cancellation);
        Assert.Null(await Store.OpenAsync(Hash, Cancellation));
        await upload.PublishAsync(Cancellation);
        await using var read = await Store.OpenAsync(Hash, Cancellation);
        Assert.NotNull(read);
    }

    [Fact]
    public async Task An_upload_that_is_given_up_leaves_no_file()
    {
        await using (var upload = await Store.BeginAsync(Cancellation))
        {
            await upload.WriteAsync(Content, Cancellation);
            Assert.Single(Files());
        }

        Assert.Empty(Files());
    }

    [Fact]
    public async Task The_same_content_is_stored_once()
    {
        await PublishAsync(Content);
        await PublishAsync(Content);
        Assert.Single(Files());
    }

    [Fact]
    public async Task A_deleted_blob_is_gone_and_may_be_deleted_again()
    {
        await PublishAsync(Content);
        await Store.DeleteAsync(Hash, Cancellation);
        await Store.DeleteAsync(Hash, Cancellation);
        Assert.Null(await Store.OpenAsync(Hash, Cancellation));
        Assert.Empty(Files());
    }

    [Theory]
    [InlineData("../../../etc/passwd")]
    [InlineData("")]
    [InlineData("ED7002B439E9AC845F22357D822BAC1444730FBDB6016D3EC9432297B9EC9F73")]
    [InlineData("ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f7/")]
    public async Task What_is_no_hash_is_no_path(string hash)
    {
        await Assert.ThrowsAsync<ArgumentException>(() => Store.OpenAsync(hash, Cancellation));
        await Assert.ThrowsAsync<ArgumentException>(() => Store.DeleteAsync(hash, Cancellation));
    }

    [Fact]
    public async Task Old_blobs_are_listed_and_parts_and_strangers_are_not()
    {
        var old = await PublishAsync([.. "old"u8]);
        var fresh = await PublishAsync([.. "fresh"u8]);
        Date(old, _time.GetUtcNow().AddHours(-2));
        Date(fresh, _time.GetUtcNow());
        await File.WriteAllTextAsync(Path.Combine(_directory, "media", "incoming", old), "in the wrong folder", Cancellation);
        await File.WriteAllTextAsync(Path.Combine(_directory, "media", "README"), "not ours", Cancellation);
        Assert.Equal([old], await Store.ListAsync(_time.GetUtcNow().AddHours(-1), Cancellation).ToListAsync(Cancellation));
    }

    [Fact]
    public async Task Listing_an_empty_store_lists_nothing() =>
        Assert.Empty(await Store.ListAsync(_time.GetUtcNow(), Cancellation).ToListAsync(Cancellation));

    [Fact]
    public async Task Parts_of_uploads_whose_process_died_are_discarded()
    {
        await using var running = await Store.BeginAsync(Cancellation);
        var left = Path.Combine(_directory, "media", "incoming", "left.part");
        await File.WriteAllTextAsync(left, "half", Cancellation);
        foreach (var part in Directory.EnumerateFiles(Path.GetDirectoryName(left)!))
            File.SetLastWriteTimeUtc(part, _time.GetUtcNow().UtcDateTime);
        File.SetLastWriteTimeUtc(left, _time.GetUtcNow().AddHours(-2).UtcDateTime);
        Assert.Equal(1, await Store.DiscardAbandonedAsync(_time.GetUtcNow().AddHours(-1), Cancellation));
        Assert.False(File.Exists(left));
        Assert.Single(Files());
    }

    [Fact]
    public async Task A_directory_that_cannot_be_used_is_said_so()
    {
        await File.WriteAllTextAsync(Path.Combine(_directory, "media"), "a file where the directory should be", Cancellation);
        await Assert.ThrowsAsync<BlobStoreException>(() => Store.BeginAsync(Cancellation));
    }

    [Fact]
    public async Task Files_are_for_the_owner_of_the_process_only()
    {
        if (OperatingSystem.IsWindows())
            return;
        await PublishAsync(Content);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(PathOf(Hash)));
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Path.Combine(_directory, "media")));
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private async Task<string> PublishAsync(byte[] content)
    {
        await using var upload = await Store.BeginAsync(Cancellation);
        foreach (var part in content.Chunk(3))
            await upload.WriteAsync(part, Cancellation);
        var hash = await upload.CompleteAsync(Cancellation);
        await upload.PublishAsync(Cancellation);
        return hash;
    }

    private string PathOf(string hash) => Path.Combine(_directory, "media", hash[..2], hash[2..4], hash);

    private void Date(string hash, DateTimeOffset at) => File.SetLastWriteTimeUtc(PathOf(hash), at.UtcDateTime);

    private string[] Files() => [.. Directory.EnumerateFiles(_directory, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(_directory, f))];
}
