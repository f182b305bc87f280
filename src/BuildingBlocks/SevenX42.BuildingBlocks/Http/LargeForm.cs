using Microsoft.AspNetCore.Http.Metadata;

namespace SevenX42.Http;

/// <summary>
/// Marks an endpoint whose form may bring files. Such a form lies on the disk until it is read, so that a process takes in only a few at once.
/// </summary>
/// <param name="MaxRequestBodySize">Largest body, in bytes.</param>
public sealed record LargeForm(long? MaxRequestBodySize) : IRequestSizeLimitMetadata;
