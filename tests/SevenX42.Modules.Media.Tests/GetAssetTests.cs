using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Contracts.Media;
using SevenX42.Modules.Media.Tests.Images;
using SevenX42.Testing;

namespace SevenX42.Modules.Media.Tests;

public sealed class GetAssetTests(PostgresServer postgres)
{
    private static readonly Guid Ann = new("0197aaaa-0000-7000-8000-000000000001");
    private static readonly Guid Bob = new("0197aaaa-0000-7000-8000-000000000002");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_file_is_served_so_that_nothing_in_it_can_run()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        var path = (await client.UploadAsync([.. "<svg onload='x()'/>"u8], "a; b\u202E.svg", "image/svg+xml")).Headers.Location;
        using var response = await client.GetAsync(path, Cancellation);
        Assert.Equal("text/plain; charset=utf-8", response.Content.Headers.ContentType?.ToString());
        Assert.Equal("default-src 'none'; sandbox", response.Headers.GetValues("Content-Security-Policy").Single());
        Assert.Equal("nosniff", response.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.Equal("attachment", response.Content.Headers.ContentDisposition?.DispositionType);
        Assert.Equal("a; b.svg", response.Content.Headers.ContentDisposition?.FileNameStar);
    }

    [Fact]
    public async Task A_picture_is_shown_in_place_under_its_original_name()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        var path = (await client.UploadAsync(Pictures.Jpeg(), "../Grüße.png")).Headers.Location;
        using var response = await client.GetAsync(path, Cancellation);
        Assert.Equal("image/jpeg", response.Content.Headers.ContentType?.ToString());
        Assert.Equal("inline", response.Content.Headers.ContentDisposition?.DispositionType);
        Assert.Equal("Grüße.jpg", response.Content.Headers.ContentDisposition?.FileNameStar);
    }

    [Fact]
    public async Task Every_size_of_a_picture_is_cached_privately_and_for_ever_under_its_contents_hash()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        var asset = (await (await client.UploadAsync(Pictures.Png(700, 20))).Content.ReadFromJsonAsync<AssetInfo>(Cancellation))!;
        var urls = asset.Picture!.SourceSet.Split(", ").Select(s => s.Split(' ')[0]).Append(asset.Picture.Source).ToList();
        Assert.Equal(4, urls.Count);
        foreach (var url in urls)
        {
            using var first = await client.GetAsync(url, Cancellation);
            Assert.True(first.Headers.CacheControl is { Private: true, Public: false, MaxAge.TotalDays: >= 365 }, url);
            Assert.Contains("immutable", first.Headers.CacheControl.ToString(), StringComparison.Ordinal);
            Assert.False(first.Headers.ETag!.IsWeak);
            using var again = new HttpRequestMessage(HttpMethod.Get, url) { Headers = { IfNoneMatch = { first.Headers.ETag } } };
            using var second = await client.SendAsync(again, Cancellation);
            Assert.Equal(HttpStatusCode.NotModified, second.StatusCode);
        }

        // What an address does not name may be another content one day.
        foreach (var url in (string[])[asset.Path, asset.Path + "?w=320", asset.Path + "?v=0123456789abcdef", asset.Path + "?w=320&v=" + asset.ContentHash[..16]])
        {
            using var asked = await client.GetAsync(url, Cancellation);
            Assert.Equal("no-cache, private", asked.Headers.CacheControl?.ToString());
        }
    }

    [Fact]
    public async Task A_size_that_there_is_not_is_the_whole_picture()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        var asset = (await (await client.UploadAsync(Pictures.Png(400, 20))).Content.ReadFromJsonAsync<AssetInfo>(Cancellation))!;
        foreach (var width in (int[])[640, 1, -1, 100_000])
            Assert.Equal(asset.ContentHash, Convert.ToHexStringLower(SHA256.HashData(await client.GetByteArrayAsync($"{asset.Path}?w={width}", Cancellation))));
    }

    [Fact]
    public async Task A_size_whose_content_is_gone_is_the_whole_picture_and_not_kept_for_it()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        var asset = (await (await client.UploadAsync(Pictures.Png(400, 20))).Content.ReadFromJsonAsync<AssetInfo>(Cancellation))!;
        var smaller = asset.Picture!.SourceSet.Split(", ")[0].Split(' ')[0];
        Assert.Contains("w=320", smaller, StringComparison.Ordinal);
        File.Delete(Path.Combine(host.Directory, host.Files().Single(f => !f.EndsWith(asset.ContentHash, StringComparison.Ordinal))));
        using var response = await client.GetAsync(smaller, Cancellation);
        Assert.Equal("image/png", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal("no-cache, private", response.Headers.CacheControl?.ToString());
        Assert.Equal(asset.ContentHash, Convert.ToHexStringLower(SHA256.HashData(await response.Content.ReadAsByteArrayAsync(Cancellation))));
    }

    [Theory]
    [InlineData(10, 19, HttpStatusCode.PartialContent)]
    [InlineData(90, null, HttpStatusCode.PartialContent)]
    [InlineData(100, 200, HttpStatusCode.RequestedRangeNotSatisfiable)]
    public async Task A_part_of_a_file_is_served_alone(int from, int? to, HttpStatusCode status)
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        var content = Uploads.NewText(100);
        using var request = new HttpRequestMessage(HttpMethod.Get, (await client.UploadAsync(content)).Headers.Location);
        request.Headers.Range = new RangeHeaderValue(from, to);
        using var response = await client.SendAsync(request, Cancellation);
        Assert.Equal(status, response.StatusCode);
        if (status == HttpStatusCode.PartialContent)
            Assert.Equal(content[from..((to ?? 99) + 1)], await response.Content.ReadAsByteArrayAsync(Cancellation));
    }

    [Fact]
    public async Task Asking_for_the_head_tells_the_size_and_sends_nothing()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        using var request = new HttpRequestMessage(HttpMethod.Head, (await client.UploadAsync(Uploads.NewText(100))).Headers.Location);
        using var response = await client.SendAsync(request, Cancellation);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(100, response.Content.Headers.ContentLength);
    }

    [Fact]
    public async Task Somebody_elses_file_and_no_file_look_alike()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var ann = host.ClientOf(Ann);
        using var bob = host.ClientOf(Bob);
        var path = (await ann.UploadAsync(Uploads.NewText())).Headers.Location!.OriginalString;
        var nothing = $"/media/assets/{Guid.CreateVersion7(TimeProvider.System.GetUtcNow())}";
        Assert.Equal(await BodyAsync(bob.GetAsync(nothing, Cancellation)), await BodyAsync(bob.GetAsync(path, Cancellation)));
        Assert.Equal(await BodyAsync(bob.DeleteAsync(nothing, Cancellation)), await BodyAsync(bob.DeleteAsync(path, Cancellation)));
        Assert.Equal(await BodyAsync(bob.PostAsync(nothing + "/delete", null, Cancellation)), await BodyAsync(bob.PostAsync(path + "/delete", null, Cancellation)));
        Assert.Equal(HttpStatusCode.OK, (await ann.GetAsync(path, Cancellation)).StatusCode);
        using var anonymous = host.Anonymous();
        Assert.Equal(HttpStatusCode.Unauthorized, (await anonymous.GetAsync(path, Cancellation)).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await anonymous.DeleteAsync(path, Cancellation)).StatusCode);

        static async Task<string> BodyAsync(Task<HttpResponseMessage> sent)
        {
            using var response = await sent;
            Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
            Assert.True(response.Headers.CacheControl?.NoStore);
            var body = await response.Content.ReadAsStringAsync(Cancellation);
            return System.Text.RegularExpressions.Regex.Replace(body, "\"traceId\":\"[^\"]*\"", "");
        }
    }

    [Fact]
    public async Task A_file_whose_content_is_gone_is_an_error_and_no_empty_file()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        var path = (await client.UploadAsync(Uploads.NewText())).Headers.Location;
        File.Delete(Path.Combine(host.Directory, host.Files().Single()));
        Assert.Equal("storage_unavailable", await UploadAssetTests.RefusedAsync(client.GetAsync(path, Cancellation), HttpStatusCode.ServiceUnavailable));
    }

    [Fact]
    public async Task Other_modules_find_an_asset_of_its_owner_only()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        var path = (await client.UploadAsync(Uploads.NewText())).Headers.Location!.OriginalString;
        var id = Guid.Parse(path.Split('/')[^1]);
        await using var scope = host.Services.CreateAsyncScope();
        var media = scope.ServiceProvider.GetRequiredService<IMediaApi>();
        Assert.Equal(path, (await media.FindAsync(Ann, id, Cancellation)).Value.Path);
        Assert.Equal(ErrorKind.NotFound, (await media.FindAsync(Bob, id, Cancellation)).Error?.Kind);
        Assert.Equal(ErrorKind.NotFound, (await media.FindAsync(Ann, Bob, Cancellation)).Error?.Kind);
    }
}
