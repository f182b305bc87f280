using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Contracts.Media;
using SevenX42.Modules.Media.Domain;
using SevenX42.Modules.Media.Features.Assets;
using SevenX42.Modules.Media.Tests.Images;
using SevenX42.Testing;

namespace SevenX42.Modules.Media.Tests;

public sealed class UploadAssetTests(PostgresServer postgres)
{
    private static readonly Guid Ann = new("0197aaaa-0000-7000-8000-000000000001");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_upload_is_stored_described_and_served()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        var content = Uploads.NewText();
        var response = await client.UploadAsync(content, "holiday.txt");
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        var asset = (await response.Content.ReadFromJsonAsync<AssetInfo>(Cancellation))!;
        Assert.Equal("text/plain", asset.MediaType);
        Assert.Null(asset.Picture);
        Assert.Equal(content.Length, asset.Bytes);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(content)), asset.ContentHash);
        Assert.Equal(asset.Path, response.Headers.Location?.OriginalString);
        Assert.Equal(content, await client.GetByteArrayAsync(asset.Path, Cancellation));
        Assert.Equal(content.Length, await host.BytesOfAsync(Ann));
    }

    [Fact]
    public async Task The_type_is_found_in_the_content_whatever_the_uploader_claims()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        var response = await client.UploadAsync([.. "<script>alert(1)</script>"u8], "cat.png", "image/png");
        Assert.Equal("text/plain", (await response.Content.ReadFromJsonAsync<AssetInfo>(Cancellation))!.MediaType);
    }

    [Fact]
    public async Task An_unknown_type_is_refused_and_leaves_nothing()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        Assert.Equal("unsupported_type", await RefusedAsync(client.UploadAsync([.. "MZ"u8, 0x90, 0, .. new byte[500_000]], "setup.png")));
        Assert.Equal("unsupported_type", await RefusedAsync(client.UploadAsync([.. "half a character "u8, 0xE2], "a.txt", "text/plain")));
        await AssertNothingIsLeftAsync(host);
    }

    [Fact]
    public async Task An_empty_file_is_refused()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        Assert.Equal("empty_file", await RefusedAsync(client.UploadAsync([])));
        await AssertNothingIsLeftAsync(host);
    }

    [Fact]
    public async Task A_file_may_be_as_large_as_the_limit_and_not_a_byte_larger()
    {
        await using var host = await MediaHost.StartAsync(postgres, ("Media:MaxAssetBytes", "300000"));
        using var client = host.ClientOf(Ann);
        Assert.Equal("too_large", await RefusedAsync(client.UploadAsync(Uploads.NewText(300_001))));
        await AssertNothingIsLeftAsync(host);
        Assert.Equal(HttpStatusCode.Created, (await client.UploadAsync(Uploads.NewText(300_000))).StatusCode);
    }

    [Fact]
    public async Task An_endless_body_is_refused_while_it_comes_in()
    {
        const int limit = 4_000_000;
        await using var host = await MediaHost.StartAsync(postgres, ("Media:MaxAssetBytes", $"{limit}"));
        using var client = host.ClientOf(Ann);
        using var endless = new EndlessContent("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n");
        endless.Headers.ContentType = MediaTypeHeaderValue.Parse("multipart/form-data; boundary=b");
        // The answer may come as a status or as a connection that is closed under the sender's hands; either way it ends.
        try
        {
            using var response = await client.PostAsync("/media/assets", endless, Cancellation);
            Assert.Contains(response.StatusCode, new[] { HttpStatusCode.BadRequest, HttpStatusCode.RequestEntityTooLarge });
        }
        catch (HttpRequestException e)
        {
            Assert.IsType<IOException>(e.InnerException);
        }

        // What lies in the buffers of two sockets comes on top.
        Assert.InRange(endless.Sent, 0, limit + 16_000_000);
        await Eventually.TrueAsync(() => host.Files().Count == 0);
        await AssertNothingIsLeftAsync(host);
    }

    [Fact]
    public async Task Four_files_are_stored_at_once_and_the_next_when_one_of_them_is()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        var places = host.Services.GetRequiredService<StoringPlaces>();
        var uploads = await host.QueryAsync(async context =>
        {
            await using var transaction = await context.Database.BeginTransactionAsync(Cancellation);
            await context.Database.ExecuteSqlAsync($"LOCK TABLE media.assets IN SHARE MODE", Cancellation);
            Task<HttpResponseMessage>[] begun = [.. Enumerable.Range(0, 6).Select(_ => client.UploadAsync(Uploads.NewText()))];
            await Eventually.TrueAsync(async () => host.Files().Count == 6 && await WaitingAsync(host) == 4);
            Assert.False(await places.TakeAsync(TimeSpan.Zero, Cancellation));
            Assert.Equal(4, await WaitingAsync(host));
            Assert.DoesNotContain(begun, u => u.IsCompleted);
            await transaction.CommitAsync(Cancellation);
            return begun;
        });
        Assert.All(await Task.WhenAll(uploads), u => Assert.Equal(HttpStatusCode.Created, u.StatusCode));
        foreach (var isFree in (bool[])[true, true, true, true, false])
            Assert.Equal(isFree, await places.TakeAsync(TimeSpan.Zero, Cancellation));
        for (var i = 0; i < 4; i++)
            places.Return();

        static Task<int> WaitingAsync(MediaHost host) => host.QueryAsync(context => context.Database
            .SqlQuery<int>($"SELECT count(*)::int AS \"Value\" FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
            .SingleAsync(Cancellation));
    }

    [Theory]
    [InlineData("application/octet-stream", "anything")]
    [InlineData("multipart/form-data", "no boundary")]
    [InlineData("multipart/form-data; boundary=b", "")]
    [InlineData("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nnot a file\r\n--b--\r\n")]
    [InlineData("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"other\"; filename=\"a\"\r\n\r\nx\r\n--b--\r\n")]
    [InlineData("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\ncut in the mid")]
    [InlineData("multipart/form-data; boundary=b", "--b\r\nno header at all")]
    public async Task A_body_that_is_no_upload_is_refused(string contentType, string body)
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
        content.Headers.ContentType = MediaTypeHeaderValue.Parse(contentType);
        Assert.Equal("malformed_upload", await RefusedAsync(client.PostAsync("/media/assets", content, Cancellation)));
        await AssertNothingIsLeftAsync(host);
    }

    [Fact]
    public async Task A_form_that_was_read_for_its_antiforgery_token_is_stored_all_the_same()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        client.DefaultRequestHeaders.Add("X-Read-Form", "true");
        var content = Uploads.NewText(200_000);
        var response = await client.UploadAsync(content);
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal(content, await client.GetByteArrayAsync(response.Headers.Location, Cancellation));
    }

    [Fact]
    public async Task An_upload_that_breaks_off_leaves_nothing()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        using var content = new PausedContent(Uploads.NewText());
        using var abort = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var upload = client.PostAsync("/media/assets", content, abort.Token);
        await Eventually.TrueAsync(() => host.Files().Count == 1);
        await abort.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => upload);
        await Eventually.TrueAsync(() => host.Files().Count == 0);
        await AssertNothingIsLeftAsync(host);
    }

    [Fact]
    public async Task Uploads_at_the_same_time_do_not_pass_the_quota()
    {
        await using var host = await MediaHost.StartAsync(postgres, ("Media:QuotaBytes", "1000"));
        using var client = host.ClientOf(Ann);
        var responses = await Task.WhenAll(Enumerable.Range(0, 25).Select(_ => client.UploadAsync(Uploads.NewText(100))));
        Assert.Equal(10, responses.Count(r => r.StatusCode == HttpStatusCode.Created));
        Assert.Equal(15, responses.Count(r => r.StatusCode == HttpStatusCode.Conflict));
        Assert.Equal(1000, await host.BytesOfAsync(Ann));
        Assert.Equal(10, await host.CountAssetsAsync());
        Assert.Equal(10, host.Files().Count);
    }

    [Fact]
    public async Task A_full_quota_is_anothers_affair_not_and_deleting_makes_room()
    {
        await using var host = await MediaHost.StartAsync(postgres, ("Media:QuotaBytes", "150"));
        using var ann = host.ClientOf(Ann);
        using var bob = host.ClientOf(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()));
        var first = await ann.UploadAsync(Uploads.NewText());
        Assert.Equal("quota_exceeded", await RefusedAsync(ann.UploadAsync(Uploads.NewText())));
        Assert.Equal(HttpStatusCode.Created, (await bob.UploadAsync(Uploads.NewText())).StatusCode);
        (await ann.DeleteAsync(first.Headers.Location, Cancellation)).EnsureSuccessStatusCode();
        // At once: nobody waits for the purge.
        Assert.Equal(HttpStatusCode.Created, (await ann.UploadAsync(Uploads.NewText())).StatusCode);
    }

    [Fact]
    public async Task A_store_that_cannot_be_written_is_said_so_and_leaves_no_row()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        var content = Uploads.NewText();
        // The content comes in, but its folder can't be made: a file stands in its place.
        Directory.CreateDirectory(host.Directory);
        var obstacle = Path.Combine(host.Directory, Convert.ToHexStringLower(SHA256.HashData(content))[..2]);
        await File.WriteAllTextAsync(obstacle, "", Cancellation);
        Assert.Equal("storage_unavailable", await RefusedAsync(client.UploadAsync(content), HttpStatusCode.ServiceUnavailable));
        File.Delete(obstacle);
        await AssertNothingIsLeftAsync(host);
        Assert.Equal(HttpStatusCode.Created, (await client.UploadAsync(content)).StatusCode);
    }

    [Fact]
    public async Task A_store_that_takes_one_size_of_a_picture_and_not_the_next_keeps_none()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        var content = Pictures.Jpeg(700, 500);
        await client.DeleteAsync((await client.UploadAsync(content)).Headers.Location, Cancellation);
        // They are published in the order of their hashes; a file stands where the last one's folder would be made.
        var folders = host.Files().Select(f => f.Split(Path.DirectorySeparatorChar)[0]).ToList();
        Assert.Equal(3, folders.Count);
        await host.PurgeAsync();
        Assert.NotEqual(folders[0], folders[2]);
        Directory.Delete(Path.Combine(host.Directory, folders[2]), recursive: true);
        await File.WriteAllTextAsync(Path.Combine(host.Directory, folders[2]), "", Cancellation);
        Assert.Equal("storage_unavailable", await RefusedAsync(client.UploadAsync(content), HttpStatusCode.ServiceUnavailable));
        File.Delete(Path.Combine(host.Directory, folders[2]));
        await AssertNothingIsLeftAsync(host);
    }

    [Fact]
    public async Task Nobody_uploads_without_being_signed_in()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.Anonymous();
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.UploadAsync(Uploads.NewText())).StatusCode);
        await AssertNothingIsLeftAsync(host);
    }

    internal static async Task AssertNothingIsLeftAsync(MediaHost host)
    {
        Assert.Empty(host.Files());
        Assert.Equal(0, await host.CountAssetsAsync());
        Assert.Equal(0, await host.BytesOfAsync(Ann));
    }

    internal static async Task<string?> RefusedAsync(Task<HttpResponseMessage> sent, HttpStatusCode? status = null)
    {
        using var response = await sent;
        Assert.False(response.IsSuccessStatusCode);
        if (status is not null)
            Assert.Equal(status, response.StatusCode);
        using var problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync(Cancellation));
        return problem.RootElement.GetProperty("code").GetString();
    }

    private sealed class EndlessContent(string begin) : HttpContent
    {
        public long Sent { get; private set; }

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync(Encoding.UTF8.GetBytes(begin), Cancellation);
            var text = Encoding.UTF8.GetBytes(new string('a', 10_000));
            while (true)
            {
                await stream.WriteAsync(text, Cancellation);
                Sent += text.Length;
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}

/// <summary>A multipart body with one file that stops in the middle until it is told to go on.</summary>
internal sealed class PausedContent : HttpContent
{
    private readonly byte[] _file;
    private readonly TaskCompletionSource _goOn = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public PausedContent(byte[] file)
    {
        _file = file;
        Headers.ContentType = MediaTypeHeaderValue.Parse("multipart/form-data; boundary=b");
    }

    public void GoOn() => _goOn.TrySetResult();

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, default);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        await stream.WriteAsync("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n"u8.ToArray(), cancellationToken);
        await stream.WriteAsync(_file, cancellationToken);
        await stream.FlushAsync(cancellationToken);
        await _goOn.Task.WaitAsync(cancellationToken);
        await stream.WriteAsync("\r\n--b--\r\n"u8.ToArray(), cancellationToken);
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
