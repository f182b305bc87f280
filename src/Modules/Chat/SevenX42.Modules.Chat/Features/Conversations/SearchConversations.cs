using System.Net;
using MediatR;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.EntityFrameworkCore;
using SevenX42.Http;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Features.Conversations;

/// <summary>Searches the owner's titles and messages. The last word may be the beginning of one.</summary>
internal sealed record SearchConversations(string Query) : IChatQuery<SearchVm>;

internal sealed class SearchConversationsHandler(ChatDbContext context, ICurrentUser user) : IRequestHandler<SearchConversations, Result<SearchVm>>
{
    private const int MostHits = 30;
    private const int MostWords = 12;

    public async Task<Result<SearchVm>> Handle(SearchConversations request, CancellationToken cancellationToken)
    {
        var words = Words(request.Query).Take(MostWords).ToList();
        if (words.Count == 0 || user.Id is not { } owner)
            return new SearchVm(request.Query, []);
        var query = string.Join(" & ", words.Select((word, i) => i == words.Count - 1 ? $"{word}:*" : word));

        // U+0002 and U+0003 mark the hits; they can't be in a message, and become tags only after everything is escaped.
        var hits = await context.Database.SqlQuery<Hit>($"""
            SELECT c.id, c.title, m.number,
                   ts_headline('simple', left(m.content, 20000), to_tsquery('simple', {query}),
                       'StartSel=' || chr(2) || ',StopSel=' || chr(3) || ',MaxWords=24,MinWords=8,MaxFragments=1') AS snippet
            FROM (
                SELECT DISTINCT ON (conversation_id) conversation_id, number, content
                FROM (SELECT conversation_id, number, content FROM chat.messages
                      WHERE owner_id = {owner} AND search @@ to_tsquery('simple', {query})
                      ORDER BY created_at DESC LIMIT 200) found
                ORDER BY conversation_id, number DESC) m
            JOIN chat.conversations c ON c.id = m.conversation_id AND c.deleted_at IS NULL
            UNION ALL
            SELECT c.id, c.title, 0 AS number, '' AS snippet FROM chat.conversations c
            WHERE c.owner_id = {owner} AND c.deleted_at IS NULL AND c.search @@ to_tsquery('simple', {query})
            LIMIT 100
            """).ToListAsync(cancellationToken);
        return new SearchVm(request.Query, [.. hits
            .GroupBy(h => h.Id)
            .Select(g => g.OrderByDescending(h => h.Number).First())
            .Take(MostHits)
            .Select(h => new SearchHitVm(h.Id, h.Title, h.Number, Mark(h.Snippet)))]);
    }

    // Letters and digits only: nothing in a word can be an operator of the query language.
    private static string[] Words(string query)
    {
        var plain = new string([.. query.Select(c => char.IsLetterOrDigit(c) ? char.ToLowerInvariant(c) : ' ')]);
        return plain.Split(' ', StringSplitOptions.RemoveEmptyEntries);
    }

    private static MarkupString Mark(string snippet) => new(
        WebUtility.HtmlEncode(snippet).Replace("\u0002", "<mark>", StringComparison.Ordinal).Replace("\u0003", "</mark>", StringComparison.Ordinal));

    private sealed record Hit(Guid Id, string Title, int Number, string Snippet);
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
public sealed record SearchVm(string Query, IReadOnlyList<SearchHitVm> Hits);

/// <summary>A conversation that was found.</summary>
/// <param name="ConversationId">The conversation.</param>
/// <param name="Title">Its title.</param>
/// <param name="Number">The message's number; 0 when the title was found.</param>
/// <param name="Snippet">Escaped text around the hits, which are marked.</param>
public sealed record SearchHitVm(Guid ConversationId, string Title, int Number, MarkupString Snippet);
