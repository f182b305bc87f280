using MediatR;
using Microsoft.EntityFrameworkCore;
using SevenX42.Contracts.Media;
using SevenX42.Modules.Media.Domain;
using SevenX42.Modules.Media.Features.Assets;
using SevenX42.Modules.Media.Infrastructure;

namespace SevenX42.Modules.Media.Features.Images;

/// <summary>A page of somebody's pictures, the newest first.</summary>
/// <param name="OwnerId">Whose.</param>
/// <param name="Query">Words that have to be in the prompt, or in the name of an upload; the last may be the beginning of one. Empty for all.</param>
/// <param name="After">The last picture of the page before; <see langword="null"/> for the first page.</param>
internal sealed record ListImages(Guid OwnerId, string Query, Guid? After) : IMediaQuery<ImagePage>;

/// <summary>A page of pictures.</summary>
/// <param name="Images">The newest first.</param>
/// <param name="After">Where the next page begins; <see langword="null"/> when there is none.</param>
internal sealed record ImagePage(IReadOnlyList<ListedImage> Images, Guid? After);

/// <summary>A picture in a list.</summary>
internal sealed record ListedImage(
    AssetInfo Asset, string FileName, string? Prompt, string? NegativePrompt, long? Seed, string? Model, Guid? ConversationId, DateTimeOffset CreatedAt);

internal sealed class ListImagesHandler(MediaDbContext context) : IRequestHandler<ListImages, Result<ImagePage>>
{
    private const int PageSize = 40;

    public async Task<Result<ImagePage>> Handle(ListImages request, CancellationToken cancellationToken)
    {
        var words = ImageWords.Query(request.Query);
        // Nothing but signs finds nothing, and not everything.
        if (words.Length == 0 && !string.IsNullOrWhiteSpace(request.Query))
            return new ImagePage([], null);
        var images = words.Length == 0
            ? context.Assets
            : context.Assets.FromSql($"SELECT * FROM media.assets WHERE owner_id = {request.OwnerId} AND search @@ to_tsquery('simple', {words})");
        images = images.Where(a => a.OwnerId == request.OwnerId && a.DeletedAt == null && a.Kind == AssetKind.Image);
        if (request.After is { } after)
            images = images.Where(a => a.Id < after);
        var found = await images.AsNoTracking().Include(a => a.Variants).OrderByDescending(a => a.Id).Take(PageSize + 1).ToListAsync(cancellationToken);
        return new ImagePage(
            [
                .. found.Take(PageSize).Select(a => new ListedImage(
                    AssetUrls.Describe(a), a.FileName, a.Prompt, a.NegativePrompt, a.Seed, a.Model, a.ConversationId, a.CreatedAt)),
            ],
            found.Count > PageSize ? found[PageSize - 1].Id : null);
    }
}
