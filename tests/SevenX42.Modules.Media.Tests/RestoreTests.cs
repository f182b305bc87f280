using System.Net;
using SevenX42.Testing;

namespace SevenX42.Modules.Media.Tests;

public sealed class RestoreTests(PostgresServer postgres)
{
    private static readonly Guid Ann = new("0197aaaa-0000-7000-8000-000000000001");
    private static readonly Guid Bob = new("0197aaaa-0000-7000-8000-000000000002");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_deletion_is_taken_back_while_its_time_is_not_over()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        using var bob = host.ClientOf(Bob);
        var content = Uploads.NewText();
        var path = (await client.UploadAsync(content)).Headers.Location!.OriginalString;
        await client.DeleteAsync(path, Cancellation);
        Assert.Equal(HttpStatusCode.NotFound, (await bob.PostAsync(path + "/restore", null, Cancellation)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await client.GetAsync(path, Cancellation)).StatusCode);
        var restored = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => client.PostAsync(path + "/restore", null, Cancellation)));
        Assert.All(restored, r => Assert.Equal(HttpStatusCode.NoContent, r.StatusCode));
        // The purge takes only what is deleted, and the bytes are charged once.
        await host.PurgeAsync();
        Assert.Equal(content, await client.GetByteArrayAsync(path, Cancellation));
        Assert.Equal(content.Length, await host.BytesOfAsync(Ann));
        await client.DeleteAsync(path, Cancellation);
        await host.PurgeAsync();
        Assert.Equal(HttpStatusCode.NotFound, (await client.PostAsync(path + "/restore", null, Cancellation)).StatusCode);
        await UploadAssetTests.AssertNothingIsLeftAsync(host);
    }

    [Fact]
    public async Task What_has_no_room_any_more_is_not_restored()
    {
        await using var host = await MediaHost.StartAsync(postgres, ("Media:QuotaBytes", "150"));
        using var client = host.ClientOf(Ann);
        var path = (await client.UploadAsync(Uploads.NewText())).Headers.Location!.OriginalString;
        await client.DeleteAsync(path, Cancellation);
        var other = (await client.UploadAsync(Uploads.NewText())).Headers.Location;
        Assert.Equal("quota_exceeded", await UploadAssetTests.RefusedAsync(client.PostAsync(path + "/restore", null, Cancellation), HttpStatusCode.Conflict));
        Assert.Equal(100, await host.BytesOfAsync(Ann));
        await client.DeleteAsync(other, Cancellation);
        Assert.Equal(HttpStatusCode.NoContent, (await client.PostAsync(path + "/restore", null, Cancellation)).StatusCode);
        Assert.Equal(100, await host.BytesOfAsync(Ann));
    }
}
