using System.Globalization;
using SevenX42.Contracts.Media;
using SevenX42.Modules.Media.Domain;

namespace SevenX42.Modules.Media.Features.Assets;

/// <summary>Under which addresses an asset is served, and what a view is told of it.</summary>
internal static class AssetUrls
{
    private const int VersionLength = 16;

    /// <summary>What stands in an address for a content: it never has another one, so it may be cached for ever.</summary>
    public static string VersionOf(string contentHash) => contentHash[..VersionLength];

    /// <summary>What others are told of an asset, whose variants have to be loaded.</summary>
    public static AssetInfo Describe(Asset asset)
    {
        var path = $"/media/assets/{asset.Id}";
        return new AssetInfo(asset.Id, asset.MediaType, asset.Bytes, asset.ContentHash, path, Picture(asset, path));
    }

    private static PictureInfo? Picture(Asset asset, string path)
    {
        if (asset is not { Kind: AssetKind.Image, Width: { } width, Height: { } height, Preview: { } preview })
            return null;
        var source = $"{path}?v={VersionOf(asset.ContentHash)}";
        var sizes = asset.Variants.OrderBy(v => v.Width)
            .Select(v => string.Create(CultureInfo.InvariantCulture, $"{path}?w={v.Width}&v={VersionOf(v.ContentHash)} {v.Width}w"))
            .Append(string.Create(CultureInfo.InvariantCulture, $"{source} {width}w"));
        return new PictureInfo(width, height, source, string.Join(", ", sizes), $"data:{MediaTypes.WebP};base64,{Convert.ToBase64String(preview)}");
    }
}
