using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Microsoft.Extensions.Options;
using SevenX42.Modules.Media.Domain;
using SevenX42.Modules.Media.Infrastructure;
using SevenX42.Modules.Media.Infrastructure.Blobs;
using SevenX42.Testing;

namespace SevenX42.Modules.Media.Tests.Blobs;

/// <summary>
/// The contract, of an object store: of the tests' own, or of any other whose address <c>S3_TESTS_ENDPOINT</c> names. That one has to
/// have the bucket already; everything in it is left as it was.
/// <code>
/// S3_TESTS_ENDPOINT=http://localhost:8333 S3_TESTS_BUCKET=tests S3_TESTS_ACCESS_KEY=… S3_TESTS_SECRET_KEY=… \
///   dotnet test tests/SevenX42.Modules.Media.Tests --filter FullyQualifiedName~S3ContractTests
/// </code>
/// </summary>
public sealed class S3ContractTests : BlobStoreContract
{
    private readonly string _root = $"7x42-tests/{Guid.CreateVersion7(TimeProvider.System.GetUtcNow()):N}/";
    private S3Server? _own;
    private S3Options _settings = null!;
    private AmazonS3Client _client = null!;

    private protected override async Task<IBlobStore> CreateStoreAsync(MediaOptions options)
    {
        _settings = options.S3 = await SettingsAsync();
        _settings.Prefix = _root + "media/";
        _client = new AmazonS3Client(new BasicAWSCredentials(_settings.AccessKey, _settings.SecretKey), new AmazonS3Config
        {
            ServiceURL = _settings.Endpoint,
            AuthenticationRegion = _settings.Region,
            ForcePathStyle = true,
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        });
        return new S3BlobStore(Options.Create(options), Incoming(options));
    }

    private protected override async ValueTask DisposeStoreAsync()
    {
        foreach (var left in await ListAsync(_root))
            await _client.DeleteObjectAsync(_settings.Bucket, left.Key, CancellationToken.None);
        _client.Dispose();
        ((S3BlobStore)Store).Dispose();
        if (_own is not null)
            await _own.DisposeAsync();
    }

    private protected override async Task<IReadOnlyList<string>> StoredAsync() =>
        [.. (await ListAsync(_settings.Prefix)).Select(o => o.Key[_settings.Prefix.Length..])];

    private protected override async Task<DateTimeOffset> AgeAsync()
    {
        var objects = await ListAsync(_root);
        if (_own is not null)
        {
            objects.ForEach(o => _own.Date(o.Key, Time.GetUtcNow().AddHours(-2)));
            return Time.GetUtcNow().AddHours(-1);
        }

        // Nobody else's store can be told what time it was: by its own clock, which tells seconds, the next has to begin.
        var (newest, now) = (objects.Max(o => Moment(o)), DateTimeOffset.MinValue);
        await Eventually.TrueAsync(async () =>
        {
            await PutAsync(_root + "clock");
            now = Moment((await ListAsync(_root + "clock")).Single());
            return now > newest;
        });
        return now;
    }

    private protected override async Task AddStrangersAsync(string hash)
    {
        foreach (var stranger in (string[])[_settings.Prefix + "README", _settings.Prefix + "older/" + hash, _root + hash, _root + "elsewhere/" + hash])
            await PutAsync(stranger);
    }

    private static DateTimeOffset Moment(S3Object found) => new(found.LastModified!.Value.ToUniversalTime());

    private async Task<S3Options> SettingsAsync()
    {
        if (Environment.GetEnvironmentVariable("S3_TESTS_ENDPOINT") is { Length: > 0 } endpoint)
        {
            return new()
            {
                Endpoint = endpoint,
                Bucket = Named("BUCKET"),
                AccessKey = Named("ACCESS_KEY"),
                SecretKey = Named("SECRET_KEY"),
                Region = Environment.GetEnvironmentVariable("S3_TESTS_REGION") is { Length: > 0 } region ? region : "us-east-1",
            };
        }

        _own = await S3Server.StartAsync();
        return new()
        {
            Endpoint = _own.Endpoint,
            Bucket = S3Server.Bucket,
            AccessKey = S3Server.AccessKey,
            SecretKey = S3Server.SecretKey,
            Region = S3Server.Region,
        };

        static string Named(string what) => Environment.GetEnvironmentVariable($"S3_TESTS_{what}") is { Length: > 0 } value
            ? value
            : throw new InvalidOperationException($"S3_TESTS_ENDPOINT needs S3_TESTS_{what} beside it.");
    }

    private async Task PutAsync(string key) => await _client.PutObjectAsync(
        new PutObjectRequest { BucketName = _settings.Bucket, Key = key, ContentBody = "not ours", UseChunkEncoding = false }, Cancellation);

    private async Task<List<S3Object>> ListAsync(string prefix)
    {
        var objects = new List<S3Object>();
        var request = new ListObjectsV2Request { BucketName = _settings.Bucket, Prefix = prefix };
        ListObjectsV2Response page;
        do
        {
            page = await _client.ListObjectsV2Async(request, CancellationToken.None);
            objects.AddRange(page.S3Objects ?? []);
            request.ContinuationToken = page.NextContinuationToken;
        }
        while (page.IsTruncated == true);
        return objects;
    }
}
