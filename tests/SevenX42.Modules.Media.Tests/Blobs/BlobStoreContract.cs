using SevenX42.Modules.Media.Domain;

namespace SevenX42.Modules.Media.Tests.Blobs;

/// <summary>What every store of blobs has to do.</summary>
public abstract class BlobStoreContract : BlobStoreTests
{
    [Fact]
    public async Task A_published_content_is_read_under_its_hash()
    {
        Assert.Equal(Hash, await PublishAsync(Content));
        Assert.Equal(Content, await ReadAsync(Hash));
        Assert.Equal([Hash], await StoredAsync());
        Assert.Empty(Parts());
    }

    [Fact]
    public async Task Nothing_can_be_read_before_it_is_published()
    {
        await using var upload = await Store.BeginAsync(Cancellation);
        await upload.WriteAsync(Content, Cancellation);
        await upload.CompleteAsync(Cancellation);
        Assert.Null(await Store.OpenAsync(Hash, Cancellation));
        Assert.Empty(await StoredAsync());
        await upload.PublishAsync(Cancellation);
        Assert.Equal(Content, await ReadAsync(Hash));
    }

    [Fact]
    public async Task Whoever_uploads_reads_back_what_came_in_before_it_is_published()
    {
        await using var upload = await Store.BeginAsync(Cancellation);
        await upload.WriteAsync(Content, Cancellation);
        await upload.CompleteAsync(Cancellation);
        await using (var read = upload.Read())
            Assert.Equal(Content, await BytesAsync(read));
        await upload.PublishAsync(Cancellation);
        Assert.Equal(Content, await ReadAsync(Hash));
    }

    [Fact]
    public async Task An_upload_that_is_given_up_leaves_nothing()
    {
        await using (var upload = await Store.BeginAsync(Cancellation))
        {
            await upload.WriteAsync(Content, Cancellation);
            Assert.Single(Parts());
        }

        await using (var upload = await Store.BeginAsync(Cancellation))
        {
            await upload.WriteAsync(Content, Cancellation);
            await upload.CompleteAsync(Cancellation);
        }

        Assert.Empty(Parts());
        Assert.Empty(await StoredAsync());
    }

    [Fact]
    public async Task The_same_content_is_stored_once()
    {
        await PublishAsync(Content);
        await PublishAsync(Content);
        Assert.Single(await StoredAsync());
    }

    [Fact]
    public async Task A_large_content_comes_back_byte_for_byte()
    {
        var large = new byte[3_000_001];
        new Random(7).NextBytes(large);
        Assert.Equal(HashOf(large), await PublishAsync(large, 70_001));
        Assert.Equal(HashOf(large), HashOf(await ReadAsync(HashOf(large))));
    }

    [Fact]
    public async Task A_content_is_read_from_any_place_of_it()
    {
        var content = new byte[100_000];
        new Random(7).NextBytes(content);
        var hash = await PublishAsync(content, 10_000);
        await using var read = (await Store.OpenAsync(hash, Cancellation))!;
        Assert.Equal(content.Length, read.Length);
        foreach (var (from, count) in new[] { (0, 10), (99_990, 10), (50_000, 20_000), (3, 1), (4, 5), (0, 100_000) })
        {
            read.Seek(from, SeekOrigin.Begin);
            var part = new byte[count];
            await read.ReadExactlyAsync(part, Cancellation);
            Assert.Equal(content[from..(from + count)], part);
        }

        Assert.Equal(0, await read.ReadAsync(new byte[1], Cancellation));
    }

    [Fact]
    public async Task A_deleted_blob_is_gone_and_may_be_deleted_again()
    {
        await PublishAsync(Content);
        await Store.DeleteAsync(Hash, Cancellation);
        await Store.DeleteAsync(Hash, Cancellation);
        Assert.Null(await Store.OpenAsync(Hash, Cancellation));
        Assert.Empty(await StoredAsync());
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
        List<string> old = [];
        for (var i = 0; i < 7; i++)
            old.Add(await PublishAsync([(byte)i]));
        await AddStrangersAsync(old[0]);
        var moment = await AgeAsync();
        await PublishAsync([.. "fresh"u8]);
        await using var running = await Store.BeginAsync(Cancellation);
        var listed = await Store.ListAsync(moment, Cancellation).ToListAsync(Cancellation);
        Assert.Equal(old.Order(), listed.Order());
    }

    [Fact]
    public async Task Listing_an_empty_store_lists_nothing() =>
        Assert.Empty(await Store.ListAsync(Time.GetUtcNow(), Cancellation).ToListAsync(Cancellation));

    [Fact]
    public async Task Parts_of_uploads_whose_process_died_are_discarded()
    {
        await using var running = await Store.BeginAsync(Cancellation);
        var left = Path.Combine(MediaDirectory, "incoming", "left.part");
        await File.WriteAllTextAsync(left, "half", Cancellation);
        foreach (var part in Directory.EnumerateFiles(Path.GetDirectoryName(left)!))
            File.SetLastWriteTimeUtc(part, Time.GetUtcNow().UtcDateTime);
        File.SetLastWriteTimeUtc(left, Time.GetUtcNow().AddHours(-2).UtcDateTime);
        Assert.Equal(1, await Store.DiscardAbandonedAsync(Time.GetUtcNow().AddHours(-1), Cancellation));
        Assert.False(File.Exists(left));
        Assert.Single(Parts());
    }

    [Fact]
    public async Task A_directory_that_cannot_be_used_is_said_so()
    {
        await File.WriteAllTextAsync(MediaDirectory, "a file where the directory should be", Cancellation);
        await Assert.ThrowsAsync<BlobStoreException>(() => Store.BeginAsync(Cancellation));
    }

    [Fact]
    public async Task Incoming_files_are_for_the_owner_of_the_process_only()
    {
        if (OperatingSystem.IsWindows())
            return;
        await using var upload = await Store.BeginAsync(Cancellation);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Directory.EnumerateFiles(Path.Combine(MediaDirectory, "incoming")).Single()));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(MediaDirectory));
    }

    /// <summary>Hashes of everything that is published, as the medium itself shows it.</summary>
    private protected abstract Task<IReadOnlyList<string>> StoredAsync();

    /// <summary>Returns a moment before which everything that is there was published, and nothing that is published from now on.</summary>
    private protected abstract Task<DateTimeOffset> AgeAsync();

    /// <summary>Puts things beside the blobs that are none.</summary>
    private protected abstract Task AddStrangersAsync(string hash);
}
