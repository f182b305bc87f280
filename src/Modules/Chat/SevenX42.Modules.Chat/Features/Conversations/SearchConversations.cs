using MediatR;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.EntityFrameworkCore;
using SevenX42.Http;
using SevenX42.Modules.Chat.Domain;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Features.Conversations;

/// <summary>Searches the owner's titles and messages for what holds all words; the last may be the beginning of one. The newest first.</summary>
internal sealed record SearchConversations(string Query) : IChatQuery<SearchVm>;

internal sealed class SearchConversationsHandler(ChatDbContext context, ICurrentUser user) : IRequestHandler<SearchConversations, Result<SearchVm>>
{
    private const int MostHits = 30;

    public async Task<Result<SearchVm>> Handle(SearchConversations request, CancellationToken cancellationToken)
    {
        var query = new SearchQuery(request.Query);
        if (query.IsEmpty || user.Id is not { } owner)
            return new SearchVm(request.Query, HasMore: false, []);
        var words = query.ToTsQuery();
        // Which conversations first, without their texts; of each the newest message that was found.
        var hits = await context.Database.SqlQuery<Hit>($"""
            WITH found AS (
                SELECT conversation_id AS id, max(number) AS number, max(created_at) AS at FROM chat.messages
                WHERE owner_id = {owner} AND search @@ to_tsquery('simple', {words}) GROUP BY conversation_id
                UNION ALL
                SELECT id, 0, updated_at FROM chat.conversations WHERE owner_id = {owner} AND search @@ to_tsquery('simple', {words})),
            newest AS (
                SELECT c.id, c.title, max(f.number) AS number, max(f.at) AS at
                FROM found f JOIN chat.conversations c ON c.id = f.id AND c.deleted_at IS NULL AND NOT c.is_studio
                GROUP BY c.id ORDER BY max(f.at) DESC, c.id DESC LIMIT {MostHits + 1})
            SELECT n.id, n.title, n.number, coalesce(left(m.content, 200000), '') AS text
            FROM newest n LEFT JOIN chat.messages m ON m.conversation_id = n.id AND m.number = n.number
            ORDER BY n.at DESC, n.id DESC
            """).ToListAsync(cancellationToken);
        return new SearchVm(request.Query, hits.Count > MostHits, [.. hits.Take(MostHits).Select(h => new SearchHitVm(
            h.Id, new MarkupString(Excerpt.Whole(h.Title, query)), h.Number, new MarkupString(Excerpt.Around(h.Text, query))))]);
    }

    private sealed record Hit(Guid Id, string Title, int Number, string Text);
}

internal static class SearchConversationsEndpoint
{
    private const int LongestQuery = 200;

    public static async Task<IResult> Get(string? q, ISender sender, HttpContext http)
    {
        // The query stands in the result beside private text: compressed, its length would tell how much of one is in the other.
        http.Features.Get<IHttpsCompressionFeature>()?.Mode = HttpsCompressionMode.DoNotCompress;
        var query = q ?? "";
        var result = await sender.Send(new SearchConversations(query.Length > LongestQuery ? query[..LongestQuery] : query));
        return result.IsSuccess
            ? Html.Page<SearchResults>("Search", new Dictionary<string, object?> { ["Model"] = result.Value })
            : result.Error.ToResult();
    }
}

/// <summary>Results of a search.</summary>
/// <param name="Query">What was searched for.</param>
/// <param name="HasMore">Whether there are more than these.</param>
/// <param name="Hits">The newest.</param>
public sealed record SearchVm(string Query, bool HasMore, IReadOnlyList<SearchHitVm> Hits);

/// <summary>A conversation that was found.</summary>
/// <param name="ConversationId">The conversation.</param>
/// <param name="Title">Its title, escaped, in which the hits are marked.</param>
/// <param name="Number">The message's number; 0 when the title alone was found.</param>
/// <param name="Snippet">Escaped text around the hits, which are marked.</param>
public sealed record SearchHitVm(Guid ConversationId, MarkupString Title, int Number, MarkupString Snippet);
