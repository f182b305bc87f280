using Microsoft.Extensions.Options;
using SevenX42.Modules.Media.Domain;
using SevenX42.Modules.Media.Infrastructure;
using SevenX42.Modules.Media.Infrastructure.Blobs;

namespace SevenX42.Modules.Media.Tests.Blobs;

/// <summary>What an object store does with more than the contract: settings, and the faults that a network adds.</summary>
public sealed class S3BlobStoreTests : BlobStoreTests
{
    private const string Prefix = "media/of-7x42/";

    private MediaOptions _options = null!;
    private S3Server _server = null!;

    [Fact]
    public async Task A_content_is_stored_by_one_request_under_the_prefix()
    {
        await PublishAsync(Content);
        Assert.Equal([$"PUT /blobs/{Prefix}{Hash}"], _server.Requests);
        Assert.Equal([Prefix + Hash], _server.Keys);
        Assert.Equal(Content, _server.Content(Prefix + Hash));
    }

    [Theory]
    [InlineData(true, "(s3.invalid:80)")]
    [InlineData(false, "(blobs.s3.invalid:80)")]
    public async Task The_bucket_stands_in_the_path_or_before_the_hosts_name(bool pathStyle, string asked)
    {
        // A name that nobody ever has: which one was looked for is told by the fault.
        using var store = Other(s3 => (s3.Endpoint, s3.PathStyle) = ("http://s3.invalid", pathStyle));
        var fault = await Assert.ThrowsAsync<BlobStoreException>(() => store.OpenAsync(Hash, Cancellation));
        Assert.Contains(asked, fault.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("key", "InvalidAccessKeyId")]
    [InlineData("secret", "SignatureDoesNotMatch")]
    [InlineData("region", "AuthorizationHeaderMalformed")]
    [InlineData("bucket", "NoSuchBucket")]
    public async Task Wrong_settings_are_a_store_that_cannot_be_used(string what, string refusal)
    {
        const string wrong = "surely-not-this-one";
        using var store = Other(s3 =>
        {
            s3.AccessKey = what == "key" ? wrong : s3.AccessKey;
            s3.SecretKey = what == "secret" ? wrong : s3.SecretKey;
            s3.Region = what == "region" ? wrong : s3.Region;
            s3.Bucket = what == "bucket" ? wrong : s3.Bucket;
        });
        await using var upload = await store.BeginAsync(Cancellation);
        await upload.WriteAsync(Content, Cancellation);
        await upload.CompleteAsync(Cancellation);
        var refused = await Assert.ThrowsAsync<BlobStoreException>(() => upload.PublishAsync(Cancellation));
        Assert.Contains(_server.Refusals, r => r.StartsWith(refusal, StringComparison.Ordinal));
        Assert.DoesNotContain(what == "secret" ? wrong : S3Server.SecretKey, refused.ToString(), StringComparison.Ordinal);
        Assert.Empty(_server.Keys);
        await Assert.ThrowsAsync<BlobStoreException>(async () => await store.ListAsync(Time.GetUtcNow(), Cancellation).ToListAsync(Cancellation));
        // That a file is gone must not be read from a store that nobody may look into; of a bucket and a file that are missing, a store
        // says the same.
        if (what != "bucket")
            await Assert.ThrowsAsync<BlobStoreException>(() => store.OpenAsync(Hash, Cancellation));
    }

    [Theory]
    [InlineData(S3Fault.Error)]
    [InlineData(S3Fault.Forbidden)]
    [InlineData(S3Fault.Cut)]
    [InlineData(S3Fault.Hang)]
    internal async Task A_store_that_is_away_is_said_so_by_every_operation_and_holds_nothing_half(S3Fault fault)
    {
        byte[] content = [.. "there"u8];
        var there = await PublishAsync(content);
        _server.Fault = fault;
        using var store = Other(s3 => s3.Timeout = TimeSpan.FromMilliseconds(200));
        await using (var upload = await store.BeginAsync(Cancellation))
        {
            await upload.WriteAsync(Content, Cancellation);
            await upload.CompleteAsync(Cancellation);
            await Assert.ThrowsAsync<BlobStoreException>(() => upload.PublishAsync(Cancellation));
        }

        await Assert.ThrowsAsync<BlobStoreException>(() => store.OpenAsync(there, Cancellation));
        await Assert.ThrowsAsync<BlobStoreException>(() => store.DeleteAsync(there, Cancellation));
        await Assert.ThrowsAsync<BlobStoreException>(async () => await store.ListAsync(Time.GetUtcNow(), Cancellation).ToListAsync(Cancellation));
        _server.Fault = S3Fault.None;
        Assert.Equal([Prefix + there], _server.Keys);
        Assert.Empty(Parts());
        Assert.Equal(content, await ReadAsync(there));
    }

    [Fact]
    public async Task A_store_that_nobody_serves_is_said_so()
    {
        using var store = Other(s3 => s3.Endpoint = "http://127.0.0.1:1");
        await Assert.ThrowsAsync<BlobStoreException>(() => store.OpenAsync(Hash, Cancellation));
    }

    [Fact]
    public async Task Whoever_stops_waiting_is_not_told_that_the_store_is_away()
    {
        _server.Fault = S3Fault.Hang;
        using var impatient = new CancellationTokenSource();
        var opening = Store.OpenAsync(Hash, impatient.Token);
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => opening);
    }

    [Fact]
    public async Task An_object_that_ends_early_is_an_error_and_no_short_file()
    {
        var content = new byte[200_000];
        await PublishAsync(content, 50_000);
        _server.Fault = S3Fault.Cut;
        _server.Faulty = ["GET"];
        await using var read = (await Store.OpenAsync(HashOf(content), Cancellation))!;
        await Assert.ThrowsAnyAsync<IOException>(() => read.CopyToAsync(Stream.Null, Cancellation));
    }

    [Fact]
    public async Task A_body_that_is_shorter_than_promised_does_not_look_like_the_end()
    {
        await using var read = new S3ObjectStream(
            10, Timeout.InfiniteTimeSpan, (from, _) => Task.FromResult<Stream>(new MemoryStream(new byte[7 - from])));
        await Assert.ThrowsAsync<EndOfStreamException>(() => read.CopyToAsync(Stream.Null, Cancellation));
        Assert.Equal(7, read.Position);
    }

    [Fact]
    public async Task A_fault_that_passes_is_tried_again_and_nobody_hears_of_it()
    {
        (_server.Fault, _server.Faults) = (S3Fault.SlowDown, 1);
        await PublishAsync(Content);
        Assert.Single(_server.Refusals);
        Assert.Equal(Content, await ReadAsync(Hash));
    }

    [Theory]
    [InlineData("Media:S3:Endpoint", "s3.example.com", "Endpoint")]
    [InlineData("Media:S3:Bucket", "", "Bucket")]
    [InlineData("Media:S3:Region", "", "Region")]
    [InlineData("Media:S3:AccessKey", "", "AccessKey")]
    [InlineData("Media:S3:SecretKey", "", "SecretKey")]
    [InlineData("Media:S3:Prefix", "/media", "Prefix")]
    [InlineData("Media:S3:Prefix", "me dia", "Prefix")]
    [InlineData("Media:S3:Timeout", "00:00:00", "Timeout")]
    public void Settings_that_mean_nothing_are_refused_without_telling_the_secret(string key, string value, string named)
    {
        var options = Settings();
        typeof(S3Options).GetProperty(key.Split(':')[^1])!.SetValue(
            options.S3, key.EndsWith("Timeout", StringComparison.Ordinal) ? TimeSpan.Parse(value, System.Globalization.CultureInfo.InvariantCulture) : value);
        var result = new S3OptionsValidator().Validate(null, options);
        Assert.True(result.Failed);
        Assert.Contains($"Media:S3:{named}", result.FailureMessage, StringComparison.Ordinal);
        Assert.DoesNotContain(S3Server.SecretKey, result.FailureMessage, StringComparison.Ordinal);
    }

    [Fact]
    public void Settings_as_they_should_be_are_taken()
    {
        var validator = new S3OptionsValidator();
        Assert.True(validator.Validate(null, Settings()).Succeeded);
        Assert.True(validator.Validate(null, new MediaOptions()).Succeeded);
        Assert.True(validator.Validate(null, new MediaOptions { S3 = new() { Bucket = "blobs" } }).Succeeded);
    }

    private protected override async Task<IBlobStore> CreateStoreAsync(MediaOptions options)
    {
        _server = await S3Server.StartAsync();
        _options = Settings();
        _options.Directory = options.Directory;
        return new S3BlobStore(Options.Create(_options), Incoming(_options));
    }

    private protected override async ValueTask DisposeStoreAsync()
    {
        ((S3BlobStore)Store).Dispose();
        await _server.DisposeAsync();
    }

    private MediaOptions Settings() => new()
    {
        Directory = MediaDirectory,
        S3 = new()
        {
            Endpoint = _server.Endpoint,
            Bucket = S3Server.Bucket,
            Region = S3Server.Region,
            AccessKey = S3Server.AccessKey,
            SecretKey = S3Server.SecretKey,
            PathStyle = true,
            Prefix = Prefix,
        },
    };

    private S3BlobStore Other(Action<S3Options> change)
    {
        var options = Settings();
        change(options.S3);
        return new S3BlobStore(Options.Create(options), Incoming(options));
    }
}
