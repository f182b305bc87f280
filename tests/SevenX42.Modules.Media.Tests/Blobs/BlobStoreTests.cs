using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using SevenX42.Modules.Media.Domain;
using SevenX42.Modules.Media.Infrastructure;
using SevenX42.Modules.Media.Infrastructure.Blobs;

namespace SevenX42.Modules.Media.Tests.Blobs;

/// <summary>A store of blobs, made for each test, and what tests do with it.</summary>
public abstract class BlobStoreTests : IAsyncLifetime
{
    private protected static readonly byte[] Content = [.. "content"u8];
    private protected static readonly string Hash = HashOf(Content);

    private readonly string _directory = Directory.CreateTempSubdirectory("7x42-blobs-").FullName;

    private protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private protected FakeTimeProvider Time { get; } = new(TimeProvider.System.GetUtcNow());

    private protected string MediaDirectory => Path.Combine(_directory, "media");

    private protected IBlobStore Store { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Store = await CreateStoreAsync(new MediaOptions { Directory = MediaDirectory });

    public async ValueTask DisposeAsync()
    {
        await DisposeStoreAsync();
        Directory.Delete(_directory, recursive: true);
        GC.SuppressFinalize(this);
    }

    private protected abstract Task<IBlobStore> CreateStoreAsync(MediaOptions options);

    private protected virtual ValueTask DisposeStoreAsync() => default;

    private protected IReadOnlyList<string> Parts() => Directory.Exists(Path.Combine(MediaDirectory, "incoming"))
        ? [.. Directory.EnumerateFiles(Path.Combine(MediaDirectory, "incoming")).Select(f => Path.GetFileName(f))]
        : [];

    private protected async Task<string> PublishAsync(byte[] content, int pieces = 3)
    {
        await using var upload = await Store.BeginAsync(Cancellation);
        foreach (var part in content.Chunk(pieces))
            await upload.WriteAsync(part, Cancellation);
        var hash = await upload.CompleteAsync(Cancellation);
        await upload.PublishAsync(Cancellation);
        return hash;
    }

    private protected async Task<byte[]> ReadAsync(string hash)
    {
        await using var read = await Store.OpenAsync(hash, Cancellation);
        Assert.NotNull(read);
        return await BytesAsync(read);
    }

    private protected static string HashOf(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));

    private protected IncomingFiles Incoming(MediaOptions options) => new(Options.Create(options), Time);

    private protected static async Task<byte[]> BytesAsync(Stream stream)
    {
        using var copy = new MemoryStream();
        await stream.CopyToAsync(copy, Cancellation);
        return copy.ToArray();
    }
}
