using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Xml.Linq;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;

namespace SevenX42.Modules.Media.Tests.Blobs;

/// <summary>What the server does instead of answering.</summary>
internal enum S3Fault
{
    None,

    /// <summary>500 <c>InternalError</c>.</summary>
    Error,

    /// <summary>503 <c>SlowDown</c>.</summary>
    SlowDown,

    /// <summary>No answer at all.</summary>
    Hang,

    /// <summary>The connection is cut in the middle of an object that is read, and before the headers of every other answer.</summary>
    Cut,

    /// <summary>Of an object that is read a half comes, and then nothing more.</summary>
    Stall,

    /// <summary>403 <c>AccessDenied</c>.</summary>
    Forbidden,
}

/// <summary>
/// An object store with the operations that blobs need, which believes nobody: every request has to be signed with AWS Signature
/// Version 4 (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html), and the body has to be what was signed.
/// </summary>
internal sealed class S3Server : IAsyncDisposable
{
    public const string AccessKey = "AKIDEXAMPLE";
    public const string SecretKey = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    public const string Region = "eu-test-1";
    public const string Bucket = "blobs";

    /// <summary>Keys of one page of a listing.</summary>
    private const int PageSize = 3;

    private static readonly XNamespace Xml = "http://s3.amazonaws.com/doc/2006-03-01/";

    private readonly ConcurrentDictionary<string, (byte[] Content, DateTimeOffset At)> _objects = new(StringComparer.Ordinal);
    private readonly WebApplication _app;
    private readonly CancellationTokenSource _stop = new();

    private S3Server(WebApplication app) => _app = app;

    public string Endpoint => _app.Urls.Single();

    /// <summary>Settings of an application that stores its files here.</summary>
    public (string Key, string Value)[] Settings =>
    [
        ("Media:S3:Endpoint", Endpoint), ("Media:S3:Bucket", Bucket), ("Media:S3:Region", Region), ("Media:S3:AccessKey", AccessKey),
        ("Media:S3:SecretKey", SecretKey), ("Media:S3:Timeout", "00:00:01"),
    ];

    /// <summary>What is wrong with it now.</summary>
    public S3Fault Fault { get; set; }

    /// <summary>Methods that the fault concerns; all of them when there is none.</summary>
    public string[] Faulty { get; set; } = [];

    /// <summary>Of how many requests since its start something is wrong with it; of all of them when that is not said.</summary>
    public int Faults { get; set; } = int.MaxValue;

    /// <summary>Method and path of every request.</summary>
    public ConcurrentQueue<string> Requests { get; } = [];

    /// <summary>Why requests were refused.</summary>
    public ConcurrentQueue<string> Refusals { get; } = [];

    public IReadOnlyList<string> Keys => [.. _objects.Keys.Order(StringComparer.Ordinal)];

    public static async Task<S3Server> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0").UseKestrelCore();
        var app = builder.Build();
        var server = new S3Server(app);
        app.Run(server.AnswerAsync);
        await app.StartAsync();
        return server;
    }

    public byte[] Content(string key) => _objects[key].Content;

    public void Put(string key, byte[] content, DateTimeOffset at) => _objects[key] = (content, at);

    public void Date(string key, DateTimeOffset at) => _objects[key] = (_objects[key].Content, at);

    public void Remove(string key) => _objects.TryRemove(key, out _);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _app.StopAsync();
        await _app.DisposeAsync();
        _stop.Dispose();
    }

    private async Task AnswerAsync(HttpContext http)
    {
        Requests.Enqueue($"{http.Request.Method} {http.Request.Path}");
        var fault = Requests.Count <= Faults && (Faulty.Length == 0 || Faulty.Contains(http.Request.Method)) ? Fault : S3Fault.None;
        using var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body);
        if (fault == S3Fault.Hang)
        {
            await HangAsync(http);
            return;
        }

        if (fault == S3Fault.Error)
            await RefuseAsync(http, 500, "InternalError", "We encountered an internal error. Please try again.");
        else if (fault == S3Fault.SlowDown)
            await RefuseAsync(http, 503, "SlowDown", "Please reduce your request rate.");
        else if (fault == S3Fault.Forbidden)
            await RefuseAsync(http, 403, "AccessDenied", "Access Denied");
        else if (fault == S3Fault.Cut && (http.Request.Method != "GET" || http.Request.Query.Count > 0))
            http.Abort();
        else if (Check(http, body.ToArray()) is var (status, code, message))
            await RefuseAsync(http, status, code, message);
        else
            await ServeAsync(http, body.ToArray(), fault);
    }

    private Task HangAsync(HttpContext http)
    {
        var gone = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, _stop.Token);
        return Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, gone.Token).ContinueWith(_ => gone.Dispose(), TaskScheduler.Default);
    }

    private async Task ServeAsync(HttpContext http, byte[] body, S3Fault fault)
    {
        var path = http.Request.Path.Value!.TrimStart('/');
        var (bucket, key) = path.Split('/', 2) is [var first, var rest] ? (first, rest) : (path, "");
        if (bucket != Bucket)
        {
            await RefuseAsync(http, 404, "NoSuchBucket", "The specified bucket does not exist");
            return;
        }

        switch (http.Request.Method)
        {
            case "PUT" when key.Length > 0 && http.Request.Query.Count == 0:
                Put(key, body, TimeProvider.System.GetUtcNow());
                http.Response.Headers.ETag = $"\"{Convert.ToHexStringLower(SHA256.HashData(body))[..32]}\"";
                break;
            case "DELETE" when key.Length > 0 && http.Request.Query.Count == 0:
                Remove(key);
                http.Response.StatusCode = 204;
                break;
            case "HEAD" or "GET" when key.Length > 0 && _objects.TryGetValue(key, out var found):
                await SendAsync(http, found.Content, found.At, fault);
                break;
            case "HEAD" or "GET" when key.Length > 0:
                await RefuseAsync(http, 404, "NoSuchKey", "The specified key does not exist.");
                break;
            case "GET" when http.Request.Query["list-type"] == "2":
                await ListAsync(http);
                break;
            default:
                await RefuseAsync(http, 501, "NotImplemented", "A header you provided implies functionality that is not implemented.");
                break;
        }
    }

    private async Task SendAsync(HttpContext http, byte[] content, DateTimeOffset at, S3Fault fault)
    {
        http.Response.Headers.LastModified = at.ToString("R", CultureInfo.InvariantCulture);
        var from = 0;
        if (http.Request.Headers.Range.ToString() is { Length: > 0 } range)
        {
            from = int.Parse(range["bytes=".Length..^1], CultureInfo.InvariantCulture);
            http.Response.StatusCode = 206;
            http.Response.Headers.ContentRange = $"bytes {from}-{content.Length - 1}/{content.Length}";
        }

        http.Response.ContentLength = content.Length - from;
        if (http.Request.Method == "HEAD")
            return;
        var isHalf = fault is S3Fault.Cut or S3Fault.Stall;
        await http.Response.Body.WriteAsync(content.AsMemory(from, isHalf ? (content.Length - from) / 2 : content.Length - from));
        if (!isHalf)
            return;
        await http.Response.Body.FlushAsync();
        if (fault == S3Fault.Stall)
            await HangAsync(http);
        http.Abort();
    }

    private async Task ListAsync(HttpContext http)
    {
        var (prefix, after) = (http.Request.Query["prefix"].ToString(), http.Request.Query["continuation-token"].ToString());
        var rest = Keys.Where(k => k.StartsWith(prefix, StringComparison.Ordinal) && string.CompareOrdinal(k, after) > 0).ToList();
        var page = rest.Take(PageSize).ToList();
        var result = new XElement(
            Xml + "ListBucketResult",
            new XElement(Xml + "Name", Bucket),
            new XElement(Xml + "Prefix", prefix),
            new XElement(Xml + "KeyCount", page.Count),
            new XElement(Xml + "MaxKeys", PageSize),
            new XElement(Xml + "IsTruncated", rest.Count > page.Count),
            rest.Count > page.Count ? new XElement(Xml + "NextContinuationToken", page[^1]) : null,
            page.Select(key => new XElement(
                Xml + "Contents",
                new XElement(Xml + "Key", key),
                new XElement(Xml + "LastModified", _objects[key].At.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture)),
                new XElement(Xml + "Size", _objects[key].Content.Length),
                new XElement(Xml + "StorageClass", "STANDARD"))));
        http.Response.ContentType = "application/xml";
        await http.Response.WriteAsync(result.ToString());
    }

    private async Task RefuseAsync(HttpContext http, int status, string code, string message)
    {
        Refusals.Enqueue($"{code}: {message}");
        http.Response.StatusCode = status;
        http.Response.ContentType = "application/xml";
        if (http.Request.Method != "HEAD")
            await http.Response.WriteAsync(new XElement("Error", new XElement("Code", code), new XElement("Message", message)).ToString());
    }

    private static (int Status, string Code, string Message)? Check(HttpContext http, byte[] body)
    {
        const string scheme = "AWS4-HMAC-SHA256 ";
        var request = http.Request;
        var authorization = request.Headers.Authorization.ToString();
        if (!authorization.StartsWith(scheme, StringComparison.Ordinal))
            return (403, "AccessDenied", "Anonymous.");
        var parts = authorization[scheme.Length..].Split(',', StringSplitOptions.TrimEntries).Select(p => p.Split('=', 2)).ToDictionary(p => p[0], p => p[1]);
        var date = request.Headers["x-amz-date"].ToString();
        if (!DateTimeOffset.TryParseExact(date, "yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at)
            || (TimeProvider.System.GetUtcNow() - at).Duration() > TimeSpan.FromMinutes(15))
        {
            return (403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.");
        }

        if (parts["Credential"].Split('/') is not [var key, var day, var region, "s3", "aws4_request"] || day != date[..8])
            return (400, "AuthorizationHeaderMalformed", "The credential is malformed.");
        if (key != AccessKey)
            return (403, "InvalidAccessKeyId", "The access key Id you provided does not exist in our records.");
        if (region != Region)
            return (400, "AuthorizationHeaderMalformed", $"The region '{region}' is wrong; expecting '{Region}'");
        var signed = parts["SignedHeaders"].Split(';');
        var required = request.Headers.Keys.Select(n => n.ToLowerInvariant()).Where(n => n is "host" || n.StartsWith("x-amz-", StringComparison.Ordinal));
        if (required.Except(signed).FirstOrDefault() is { } unsigned)
            return (403, "AccessDenied", $"There were headers present in the request which were not signed: {unsigned}");

        // The body is signed with its hash; unsigned and chunked bodies are not what stores other than Amazon's can be relied on to take.
        var claimed = request.Headers["x-amz-content-sha256"].ToString();
        if (claimed != Convert.ToHexStringLower(SHA256.HashData(body)))
            return (400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.");

        var target = http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var (path, query) = target.Split('?', 2) is [var before, var after] ? (before, after) : (target, "");
        var canonical = string.Join('\n',
        [
            request.Method,
            path,
            string.Join('&', query.Split('&', StringSplitOptions.RemoveEmptyEntries).Select(p => p.Contains('=', StringComparison.Ordinal) ? p : p + "=").Order(StringComparer.Ordinal)),
            .. signed.Select(name => $"{name}:{Canonical(request.Headers[name])}"),
            "",
            parts["SignedHeaders"],
            claimed,
        ]);
        var toSign = $"AWS4-HMAC-SHA256\n{date}\n{day}/{region}/s3/aws4_request\n{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)))}";
        var signingKey = new[] { day, region, "s3", "aws4_request" }
            .Aggregate(Encoding.UTF8.GetBytes("AWS4" + SecretKey), (secret, text) => HMACSHA256.HashData(secret, Encoding.UTF8.GetBytes(text)));
        var expected = Convert.ToHexStringLower(HMACSHA256.HashData(signingKey, Encoding.UTF8.GetBytes(toSign)));
        return parts["Signature"] == expected
            ? null
            : (403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.");
    }

    private static string Canonical(StringValues values) => string.Join(
        ',', values.Select(v => string.Join(' ', v!.Split(' ', StringSplitOptions.RemoveEmptyEntries))));
}
