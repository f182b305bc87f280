using SevenX42.Modules.Media.Domain;
using SevenX42.Modules.Media.Infrastructure;
using SevenX42.Modules.Media.Infrastructure.Blobs;

namespace SevenX42.Modules.Media.Tests.Blobs;

public sealed class FileBlobStoreTests : BlobStoreContract
{
    [Fact]
    public async Task A_published_content_stands_in_its_shard_for_the_owner_of_the_process_only()
    {
        await PublishAsync(Content);
        Assert.Equal(
            [PathOf(Hash)], Directory.EnumerateFiles(MediaDirectory, "*", SearchOption.AllDirectories));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(PathOf(Hash)));
    }

    private protected override Task<IBlobStore> CreateStoreAsync(MediaOptions options) =>
        Task.FromResult<IBlobStore>(new FileBlobStore(Incoming(options)));

    private protected override Task<IReadOnlyList<string>> StoredAsync() => Task.FromResult<IReadOnlyList<string>>([.. Blobs().Select(f => Path.GetFileName(f))]);

    private protected override Task<DateTimeOffset> AgeAsync()
    {
        foreach (var blob in Blobs())
            Date(blob);
        return Task.FromResult(Time.GetUtcNow().AddHours(-1));
    }

    private protected override async Task AddStrangersAsync(string hash)
    {
        string[] strangers = [Path.Combine(MediaDirectory, "incoming", HashOf([.. "elsewhere"u8])), Path.Combine(MediaDirectory, "README")];
        foreach (var stranger in strangers)
        {
            await File.WriteAllTextAsync(stranger, "not ours", Cancellation);
            Date(stranger);
        }
    }

    private IEnumerable<string> Blobs() => Directory.Exists(MediaDirectory)
        ? Directory.EnumerateFiles(MediaDirectory, "*", SearchOption.AllDirectories).Where(f => Path.GetFileName(Path.GetDirectoryName(f)) != "incoming")
        : [];

    private void Date(string path) => File.SetLastWriteTimeUtc(path, Time.GetUtcNow().AddHours(-2).UtcDateTime);

    private string PathOf(string hash) => Path.Combine(MediaDirectory, hash[..2], hash[2..4], hash);
}
