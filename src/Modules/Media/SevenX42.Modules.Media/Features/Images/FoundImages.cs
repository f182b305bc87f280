using Microsoft.EntityFrameworkCore;
using SevenX42.Modules.Media.Domain;
using SevenX42.Modules.Media.Infrastructure;

namespace SevenX42.Modules.Media.Features.Images;

/// <summary>The pictures that a search finds, for lists as for steps from one to the next.</summary>
internal static class FoundImages
{
    /// <summary>A person's pictures with these words, or all of them; in no order yet.</summary>
    /// <returns><see langword="null"/> for a search that finds nothing: one for nothing but signs, which is not one for everything.</returns>
    public static IQueryable<Asset>? In(MediaDbContext context, Guid ownerId, string query)
    {
        var words = ImageWords.Query(query);
        if (words.Length == 0 && !string.IsNullOrWhiteSpace(query))
            return null;
        var images = words.Length == 0
            ? context.Assets
            : context.Assets.FromSql($"SELECT * FROM media.assets WHERE owner_id = {ownerId} AND search @@ to_tsquery('simple', {words})");
        return images.Where(a => a.OwnerId == ownerId && a.DeletedAt == null && a.Kind == AssetKind.Image);
    }
}
