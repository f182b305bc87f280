using Microsoft.AspNetCore.StaticAssets;

namespace SevenX42.Host.Shell;

/// <summary>
/// Addresses of style sheet, script and icon that carry the fingerprint of their content, so that a browser keeps them for
/// ever and still gets the next version with the next page.
/// </summary>
internal sealed class AssetUrls(EndpointDataSource endpoints)
{
    private readonly Lazy<Dictionary<string, string>> _fingerprinted = new(() => endpoints.Endpoints
        .Select(endpoint => endpoint.Metadata.GetMetadata<StaticAssetDescriptor>())
        .OfType<StaticAssetDescriptor>()
        .Select(asset => (asset.Route, Label: asset.Properties.FirstOrDefault(p => p.Name == "label")?.Value))
        .Where(asset => asset.Label is not null)
        .GroupBy(asset => asset.Label!)
        .ToDictionary(group => group.Key, group => group.First().Route));

    /// <summary>The address of an asset by its path below the web root.</summary>
    public string this[string path] => "/" + _fingerprinted.Value.GetValueOrDefault(path, path);
}
