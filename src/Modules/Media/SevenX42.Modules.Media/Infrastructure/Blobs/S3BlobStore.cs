using System.Net;
using System.Runtime.CompilerServices;
using Amazon;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Microsoft.Extensions.Options;
using SevenX42.Modules.Media.Domain;

namespace SevenX42.Modules.Media.Infrastructure.Blobs;

/// <summary>
/// Blobs as objects of an S3-compatible store, each under its hash. A content comes in as a file, so that its hash and length are
/// known before anything is sent: one request then stores it whole or not at all, and nothing half-sent is ever there to clean up.
/// </summary>
internal sealed class S3BlobStore(IOptions<MediaOptions> options, IncomingFiles incoming) : IBlobStore, IDisposable
{
    private readonly AmazonS3Client _client = Connect(options.Value.S3);
    private readonly string _bucket = options.Value.S3.Bucket;
    private readonly string _prefix = options.Value.S3.Prefix;
    private readonly TimeSpan _longestRead = options.Value.S3.Timeout;

    public Task<IBlobUpload> BeginAsync(CancellationToken cancellationToken) => Task.FromResult<IBlobUpload>(new Upload(this, incoming.Begin()));

    public async Task<Stream?> OpenAsync(string hash, CancellationToken cancellationToken)
    {
        var key = KeyOf(hash);
        var length = await GuardedAsync(
            async () =>
            {
                try
                {
                    return (long?)(await _client.GetObjectMetadataAsync(_bucket, key, cancellationToken)).ContentLength;
                }
                catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.NotFound)
                {
                    return null;
                }
            },
            cancellationToken);
        return length is { } known ? new S3ObjectStream(known, _longestRead, (from, token) => ReadAsync(key, from, token)) : null;
    }

    public Task DeleteAsync(string hash, CancellationToken cancellationToken)
    {
        var key = KeyOf(hash);
        return GuardedAsync(() => _client.DeleteObjectAsync(_bucket, key, cancellationToken), cancellationToken);
    }

    public async IAsyncEnumerable<string> ListAsync(
        DateTimeOffset publishedBefore, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var request = new ListObjectsV2Request { BucketName = _bucket, Prefix = _prefix };
        ListObjectsV2Response page;
        do
        {
            page = await GuardedAsync(() => _client.ListObjectsV2Async(request, cancellationToken), cancellationToken);
            foreach (var found in page.S3Objects ?? [])
            {
                var hash = found.Key[_prefix.Length..];
                if (BlobHash.Is(hash) && found.LastModified?.ToUniversalTime() < publishedBefore.UtcDateTime)
                    yield return hash;
            }

            request.ContinuationToken = page.NextContinuationToken;
        }
        while (page.IsTruncated == true);
    }

    public Task<int> DiscardAbandonedAsync(DateTimeOffset untouchedSince, CancellationToken cancellationToken) =>
        Task.FromResult(incoming.DiscardAbandoned(untouchedSince, cancellationToken));

    public void Dispose() => _client.Dispose();

    private static AmazonS3Client Connect(S3Options options)
    {
        var config = new AmazonS3Config
        {
            Timeout = options.Timeout,
            MaxErrorRetry = 2,
            ForcePathStyle = options.PathStyle,
            // Stores other than Amazon's know neither the checksums that were added later nor the framing they are sent in. Bodies are
            // signed with their SHA-256 instead, which every store checks.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        };
        if (options.Endpoint.Length > 0)
            (config.ServiceURL, config.AuthenticationRegion) = (options.Endpoint, options.Region);
        else
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(options.Region);
        // Without a key the SDK finds the one of the machine or the service account.
        return options.AccessKey.Length > 0
            ? new AmazonS3Client(new BasicAWSCredentials(options.AccessKey, options.SecretKey), config)
            : new AmazonS3Client(config);
    }

    private string KeyOf(string hash)
    {
        BlobHash.Check(hash);
        return _prefix + hash;
    }

    private async Task<Stream> ReadAsync(string key, long from, CancellationToken cancellationToken)
    {
        var request = new GetObjectRequest { BucketName = _bucket, Key = key };
        if (from > 0)
            request.ByteRange = new ByteRange($"bytes={from}-");
        return (await GuardedAsync(() => _client.GetObjectAsync(request, cancellationToken), cancellationToken)).ResponseStream;
    }

    private static async Task<T> GuardedAsync<T>(Func<Task<T>> work, CancellationToken cancellationToken)
    {
        try
        {
            return await work();
        }
        // A time limit of the client's own is a cancellation that nobody asked for.
        catch (Exception e) when (e is AmazonServiceException or AmazonClientException or HttpRequestException or IOException or TimeoutException
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw new BlobStoreException("The object store can't be used now.", e);
        }
    }

    private sealed class Upload(S3BlobStore store, IncomingFile file) : IBlobUpload
    {
        public Task WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) => file.WriteAsync(bytes, cancellationToken);

        public Task<string> CompleteAsync(CancellationToken cancellationToken) => file.CompleteAsync();

        public Stream Read() => file.Read();

        public async Task PublishAsync(CancellationToken cancellationToken)
        {
            var key = store.KeyOf(file.Hash);
            await using var content = file.Read();
            await GuardedAsync(
                () => store._client.PutObjectAsync(
                    new PutObjectRequest
                    {
                        BucketName = store._bucket,
                        Key = key,
                        InputStream = content,
                        AutoCloseStream = false,
                        UseChunkEncoding = false,
                        DisablePayloadSigning = false,
                        // What is fetched past this application is a file, and nothing that a browser opens.
                        ContentType = "application/octet-stream",
                    },
                    cancellationToken),
                cancellationToken);
        }

        public ValueTask DisposeAsync() => file.DisposeAsync();
    }
}
