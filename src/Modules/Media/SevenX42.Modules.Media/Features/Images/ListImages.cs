using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.EntityFrameworkCore;
using SevenX42.Contracts.Media;
using SevenX42.Http;
using SevenX42.Modules.Media.Domain;
using SevenX42.Modules.Media.Features.Assets;
using SevenX42.Modules.Media.Infrastructure;

namespace SevenX42.Modules.Media.Features.Images;

/// <summary>A page of somebody's pictures, the newest first.</summary>
/// <param name="OwnerId">Whose.</param>
/// <param name="Query">Words that have to be in the prompt, or in the name of an upload; the last may be the beginning of one. Empty for all.</param>
/// <param name="After">The last picture of the page before; <see langword="null"/> for the first page.</param>
/// <param name="To">How far the first page goes at least, where more than it is shown already; bounded.</param>
internal sealed record ListImages(Guid OwnerId, string Query, Guid? After, Guid? To = null) : IMediaQuery<GalleryVm>;

internal sealed class ListImagesHandler(MediaDbContext context) : IRequestHandler<ListImages, Result<GalleryVm>>
{
    private const int PageSize = 40;
    private const int MostAgain = 10 * PageSize;

    public async Task<Result<GalleryVm>> Handle(ListImages request, CancellationToken cancellationToken)
    {
        if (FoundImages.In(context, request.OwnerId, request.Query) is not { } images)
            return new GalleryVm(request.Query, request.After, [], null);
        if (request.After is { } after)
            images = images.Where(a => a.Id < after);
        var size = request.To is { } to
            ? Math.Max(PageSize, await images.Where(a => a.Id >= to).Take(MostAgain).CountAsync(cancellationToken))
            : PageSize;
        var found = await images.AsNoTracking().Include(a => a.Variants).OrderByDescending(a => a.Id).Take(size + 1).ToListAsync(cancellationToken);
        return new GalleryVm(request.Query, request.After, [.. found.Take(size).Select(ImageVm.Of)], found.Count > size ? found[size - 1].Id : null);
    }
}

/// <summary><c>GET /images</c>, the page, and <c>GET /images/grid</c>, a part of its pictures for a page that is there.</summary>
internal static class ListImagesEndpoint
{
    /// <param name="q">Words to be found.</param>
    /// <param name="after">The last picture of the part before.</param>
    /// <param name="deleted">A picture that was deleted just now, by a browser without scripts: the way back is shown.</param>
    /// <param name="user">Who asks; whoever is nobody yet has no pictures.</param>
    /// <param name="sender">The mediator.</param>
    /// <param name="http">The request.</param>
    public static async Task<IResult> Page(string? q, Guid? after, Guid? deleted, ICurrentUser user, ISender sender, HttpContext http)
    {
        var result = await ListAsync(q, after, to: null, user, sender, http);
        return result.IsSuccess
            ? Html.Page<Gallery>("Images", new Dictionary<string, object?> { ["Model"] = result.Value, ["Deleted"] = deleted })
            : result.Error.ToResult();
    }

    /// <param name="q">Words to be found.</param>
    /// <param name="after">The last picture of the part before.</param>
    /// <param name="to">The last picture that is shown, when all of them are asked for again.</param>
    /// <param name="user">Who asks; whoever is nobody yet has no pictures.</param>
    /// <param name="sender">The mediator.</param>
    /// <param name="http">The request.</param>
    public static async Task<IResult> Grid(string? q, Guid? after, Guid? to, ICurrentUser user, ISender sender, HttpContext http)
    {
        var result = await ListAsync(q, after, after is null ? to : null, user, sender, http);
        if (!result.IsSuccess)
            return result.Error.ToResult();
        var parameters = new Dictionary<string, object?> { ["Model"] = result.Value };
        return after is null ? Html.Fragment<ImageGrid>(parameters) : Html.Fragment<ImageCells>(parameters);
    }

    private static async Task<Result<GalleryVm>> ListAsync(string? q, Guid? after, Guid? to, ICurrentUser user, ISender sender, HttpContext http)
    {
        var query = GalleryVm.QueryOf(q);
        // The query stands beside private prompts: compressed, its length would tell how much of one is in the other.
        if (query.Length > 0)
            http.Features.Get<IHttpsCompressionFeature>()?.Mode = HttpsCompressionMode.DoNotCompress;
        return user.Id is { } owner ? await sender.Send(new ListImages(owner, query, after, to)) : new GalleryVm(query, after, [], null);
    }
}

/// <summary>A part of the pictures that were found.</summary>
/// <param name="Query">What was searched for; empty for nothing.</param>
/// <param name="Before">The last picture of the part before; <see langword="null"/> when this is the first.</param>
/// <param name="Images">The newest first.</param>
/// <param name="After">Where the next part begins; <see langword="null"/> when there is none.</param>
public sealed record GalleryVm(string Query, Guid? Before, IReadOnlyList<ImageVm> Images, Guid? After)
{
    private const int LongestQuery = 200;

    /// <summary>The search that an address names: as much of it as the field takes.</summary>
    public static string QueryOf(string? q) => q is null ? "" : q.Length > LongestQuery ? q[..LongestQuery] : q;

    /// <summary>Whether it is a search; one for spaces is none.</summary>
    public bool IsSearch => !string.IsNullOrWhiteSpace(Query);

    /// <summary>The part of a query string that keeps the search, and <paramref name="more"/> after it; empty when there is nothing to keep.</summary>
    public static string Search(string query, string more = "")
    {
        var parts = new[] { string.IsNullOrWhiteSpace(query) ? "" : $"q={Uri.EscapeDataString(query)}", more }.Where(p => p.Length > 0);
        return string.Join('&', parts) is { Length: > 0 } search ? "?" + search : "";
    }
}

/// <summary>A picture and where it comes from.</summary>
/// <param name="Asset">The picture.</param>
/// <param name="FileName">What it is saved as.</param>
/// <param name="Prompt">What a model was asked for; <see langword="null"/> of an upload.</param>
/// <param name="NegativePrompt">What it was asked to leave out.</param>
/// <param name="Seed">The seed it began with.</param>
/// <param name="Model">The model's id.</param>
/// <param name="ConversationId">The conversation it was made in, once that is known to be there.</param>
/// <param name="CreatedAt">When it was stored.</param>
public sealed record ImageVm(
    AssetInfo Asset, string FileName, string? Prompt, string? NegativePrompt, long? Seed, string? Model, Guid? ConversationId, DateTimeOffset CreatedAt)
{
    // Read out for each picture; the whole prompt is said where it is looked at.
    private const int LongestAlt = 200;
    private const int LongestTitle = 60;

    /// <summary>The picture in a few words, for those who don't see it.</summary>
    public string Alt => Beginning(LongestAlt);

    /// <summary>The picture in fewer words.</summary>
    public string Title => Beginning(LongestTitle);

    // The conversation of a message that may not be stored may not be there.
    internal static ImageVm Of(Asset asset) => new(
        AssetUrls.Describe(asset), asset.FileName, asset.Prompt, asset.NegativePrompt, asset.Seed, asset.Model,
        asset.UnconfirmedSince is null ? asset.ConversationId : null, asset.CreatedAt);

    // Not half a character at the end.
    private string Beginning(int longest)
    {
        var text = string.IsNullOrWhiteSpace(Prompt) ? FileName : Prompt;
        return text.Length <= longest ? text : $"{text.AsSpan(0, char.IsHighSurrogate(text[longest - 1]) ? longest - 1 : longest)}…";
    }
}
