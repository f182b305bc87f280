using System.Net;
using System.Net.Http.Headers;
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
        await AssertNothingIsLeftAsync(_host);
    }

    [Theory]
    [InlineData(S3Fault.Error)]
    [InlineData(S3Fault.Hang)]
    internal async Task A_store_that_is_away_is_said_so_and_nothing_is_kept(S3Fault fault)
    {
        await using var host = await MediaHost.StartAsync(postgres, [.. _server.Settings, ("Media:S3:Timeout", "00:00:00.300")]);
        using var client = host.ClientOf(Ann);
        var content = Uploads.NewText();
        _server.Fault = fault;
        Assert.Equal("storage_unavailable", await UploadAssetTests.RefusedAsync(client.UploadAsync(content), HttpStatusCode.ServiceUnavailable));
        await AssertNothingIsLeftAsync(host);
        _server.Fault = S3Fault.None;
        var path = (await client.UploadAsync(content)).Headers.Location;
        _server.Fault = fault;
        Assert.Equal("storage_unavailable", await UploadAssetTests.RefusedAsync(client.GetAsync(path, Cancellation), HttpStatusCode.ServiceUnavailable));
        // What can't be deleted now is nobody's any more, and the sweeper deletes it later.
        Assert.Equal(HttpStatusCode.NoContent, (await client.DeleteAsync(path, Cancellation)).StatusCode);
        await host.PurgeAsync();
        Assert.Single(_server.Keys);
        _server.Fault = S3Fault.None;
        _server.Date(_server.Keys.Single(), TimeProvider.System.GetUtcNow().AddHours(-2));
        await host.Services.GetRequiredService<BlobSweeper>().SweepAsync(Cancellation);
        await AssertNothingIsLeftAsync(host);
    }

    [Fact]
    public async Task A_store_that_knows_a_file_and_does_not_give_it_is_said_so()
    {
        using var client = _host.ClientOf(Ann);
        var content = Uploads.NewText();
        var path = (await client.UploadAsync(content)).Headers.Location;
        (_server.Fault, _server.Faulty) = (S3Fault.Error, ["GET"]);
        using var response = await client.GetAsync(path, Cancellation);
        Assert.Null(response.Headers.ETag);
        Assert.Null(response.Content.Headers.ContentDisposition);
        Assert.Equal("storage_unavailable", await UploadAssetTests.RefusedAsync(Task.FromResult(response), HttpStatusCode.ServiceUnavailable));
        _server.Fault = S3Fault.None;
        Assert.Equal(content, await client.GetByteArrayAsync(path, Cancellation));
    }

    [Fact]
    public async Task A_store_that_stalls_in_the_middle_of_a_file_does_not_hold_whoever_reads_it()
    {
        using var client = _host.ClientOf(Ann);
        var content = Uploads.NewText(200_000);
        var path = (await client.UploadAsync(content)).Headers.Location;
        _server.Fault = S3Fault.Stall;
        // The connection ends before the file does: half a file must not look whole.
        await Assert.ThrowsAsync<HttpRequestException>(
            () => client.GetByteArrayAsync(path, Cancellation).WaitAsync(TimeSpan.FromSeconds(20), Cancellation));
        _server.Fault = S3Fault.None;
        Assert.Equal(content, await client.GetByteArrayAsync(path, Cancellation));
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
        // Those at the same time are charged after they were sent: what turns out to be too much is taken back.
        var responses = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => client.UploadAsync(Uploads.NewText(300))));
        Assert.Equal(3, responses.Count(r => r.StatusCode == HttpStatusCode.Created));
        Assert.Equal(3, _server.Keys.Count);
        Assert.Equal(900, await host.BytesOfAsync(Ann));
        Assert.Empty(host.Files());
        var before = _server.Requests.Count;
        Assert.Equal("quota_exceeded", await UploadAssetTests.RefusedAsync(client.UploadAsync(Uploads.NewText(300)), HttpStatusCode.Conflict));
        Assert.Equal(before, _server.Requests.Count);
    }

    [Fact]
    public async Task While_a_store_takes_its_time_nobody_waits_for_its_owner()
    {
        await using var host = await MediaHost.StartAsync(postgres, [.. _server.Settings, ("Media:S3:Timeout", "00:00:20")]);
        using var client = host.ClientOf(Ann);
        var path = (await client.UploadAsync(Uploads.NewText())).Headers.Location!.OriginalString;
        (_server.Fault, _server.Faulty) = (S3Fault.Hang, ["PUT"]);
        var upload = client.UploadAsync(Uploads.NewText());
        await Eventually.TrueAsync(() => _server.Requests.Count == 2);
        Assert.Equal(HttpStatusCode.NoContent, (await client.DeleteAsync(path, Cancellation)).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await client.PostAsync(path + "/restore", null, Cancellation)).StatusCode);
        Assert.False(upload.IsCompleted);
        _server.Fault = S3Fault.None;
        client.CancelPendingRequests();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => upload);
    }

    [Fact]
    public async Task Whoever_waits_too_long_for_the_same_content_is_told_to_try_again()
    {
        var database = await postgres.CreateDatabaseAsync();
        await using var host = await MediaHost.StartAsync(
            postgres, [.. _server.Settings, ("Media:S3:Timeout", "00:00:20"), ("ConnectionStrings:Postgres", database + ";Command Timeout=2")]);
        using var client = host.ClientOf(Ann);
        using var bob = host.ClientOf(Bob);
        var content = Uploads.NewText();
        (_server.Fault, _server.Faulty) = (S3Fault.Hang, ["PUT"]);
        var upload = client.UploadAsync(content);
        await Eventually.TrueAsync(() => _server.Requests.Count == 1);
        Assert.Equal("busy", await UploadAssetTests.RefusedAsync(bob.UploadAsync(content), HttpStatusCode.ServiceUnavailable));
        Assert.Equal(0, await host.BytesOfAsync(Bob));
        _server.Fault = S3Fault.None;
        client.CancelPendingRequests();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => upload);
    }

    [Fact]
    public async Task A_store_that_does_not_answer_is_asked_to_delete_one_file_and_no_other()
    {
        await using var host = await MediaHost.StartAsync(postgres, [.. _server.Settings, ("Media:S3:Timeout", "00:00:00.200")]);
        using var client = host.ClientOf(Ann);
        for (var file = 0; file < 3; file++)
        {
            var path = (await client.UploadAsync(Uploads.NewText())).Headers.Location;
            Assert.Equal(HttpStatusCode.NoContent, (await client.DeleteAsync(path, Cancellation)).StatusCode);
        }

        _server.Fault = S3Fault.Hang;
        await host.PurgeAsync();
        Assert.Single(_server.Requests.Where(r => r.StartsWith("DELETE", StringComparison.Ordinal)).Distinct());
        Assert.Equal(3, _server.Keys.Count);
        Assert.Equal(0, await host.CountAssetsAsync());
    }

    private async Task AssertNothingIsLeftAsync(MediaHost host)
    {
        Assert.Empty(_server.Keys);
        await UploadAssetTests.AssertNothingIsLeftAsync(host);
    }
}
