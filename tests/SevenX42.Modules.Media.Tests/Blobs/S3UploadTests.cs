using System.Net;
using System.Net.Http.Headers;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Modules.Media.Infrastructure.Blobs;
using SevenX42.Testing;

namespace SevenX42.Modules.Media.Tests.Blobs;

/// <summary>The module with its files in an object store.</summary>
public sealed class S3UploadTests(PostgresServer postgres) : IAsyncLifetime
{
    private static readonly Guid Ann = new("0197aaaa-0000-7000-8000-000000000001");
    private static readonly Guid Bob = new("0197aaaa-0000-7000-8000-000000000002");

    private S3Server _server = null!;
    private MediaHost _host = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await S3Server.StartAsync();
        _host = await MediaHost.StartAsync(postgres, _server.Settings);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task A_file_is_stored_served_in_parts_and_deleted_with_its_object()
    {
        using var client = _host.ClientOf(Ann);
        var content = Uploads.NewText(200_000);
        var path = (await client.UploadAsync(content)).Headers.Location;
        Assert.Empty(_host.Files());
        Assert.Equal(content, _server.Content(_server.Keys.Single()));
        Assert.Equal(content, await client.GetByteArrayAsync(path, Cancellation));
        using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { Range = new RangeHeaderValue(150_000, 150_009) } };
        using var part = await client.SendAsync(request, Cancellation);
        Assert.Equal(HttpStatusCode.PartialContent, part.StatusCode);
        Assert.Equal(content[150_000..150_010], await part.Content.ReadAsByteArrayAsync(Cancellation));
        Assert.Equal(HttpStatusCode.NoContent, (await client.DeleteAsync(path, Cancellation)).StatusCode);
        await _host.PurgeAsync();
        await AssertNothingIsLeftAsync();
    }

    [Theory]
    [InlineData(S3Fault.Error)]
    [InlineData(S3Fault.Hang)]
    internal async Task A_store_that_is_away_is_said_so_and_nothing_is_kept(S3Fault fault)
    {
        using var client = _host.ClientOf(Ann);
        var content = Uploads.NewText();
        _server.Fault = fault;
        Assert.Equal("storage_unavailable", await UploadAssetTests.RefusedAsync(client.UploadAsync(content), HttpStatusCode.ServiceUnavailable));
        await AssertNothingIsLeftAsync();
        _server.Fault = S3Fault.None;
        var path = (await client.UploadAsync(content)).Headers.Location;
        _server.Fault = fault;
        Assert.Equal("storage_unavailable", await UploadAssetTests.RefusedAsync(client.GetAsync(path, Cancellation), HttpStatusCode.ServiceUnavailable));
        // What can't be deleted now is nobody's any more, and the sweeper deletes it later.
        Assert.Equal(HttpStatusCode.NoContent, (await client.DeleteAsync(path, Cancellation)).StatusCode);
        await _host.PurgeAsync();
        Assert.Single(_server.Keys);
        _server.Fault = S3Fault.None;
        _server.Date(_server.Keys.Single(), TimeProvider.System.GetUtcNow().AddHours(-2));
        await _host.Services.GetRequiredService<BlobSweeper>().SweepAsync(Cancellation);
        await AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task A_content_is_never_deleted_under_an_upload_of_the_same()
    {
        using var ann = _host.ClientOf(Ann);
        using var bob = _host.ClientOf(Bob);
        for (var round = 0; round < 10; round++)
        {
            var content = Uploads.NewText();
            var anns = (await ann.UploadAsync(content)).Headers.Location;
            await ann.DeleteAsync(anns, Cancellation);
            var deletion = _host.PurgeAsync();
            var upload = bob.UploadAsync(content);
            await Task.WhenAll(deletion, upload);
            Assert.Equal(content, await bob.GetByteArrayAsync((await upload).Headers.Location, Cancellation));
        }
    }

    [Fact]
    public async Task An_upload_over_the_quota_sends_the_store_nothing()
    {
        await using var host = await MediaHost.StartAsync(postgres, [.. _server.Settings, ("Media:QuotaBytes", "1000")]);
        using var client = host.ClientOf(Ann);
        var responses = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => client.UploadAsync(Uploads.NewText(300))));
        Assert.Equal(3, responses.Count(r => r.StatusCode == HttpStatusCode.Created));
        Assert.Equal(3, _server.Requests.Count(r => r.StartsWith("PUT", StringComparison.Ordinal)));
    }

    private async Task AssertNothingIsLeftAsync()
    {
        Assert.Empty(_server.Keys);
        Assert.Empty(_host.Files());
        Assert.Equal(0, await _host.QueryAsync(context => context.Assets.CountAsync(Cancellation)));
        Assert.Equal(0, await _host.BytesOfAsync(Ann));
    }
}
