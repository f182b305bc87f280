using AngleSharp.Html.Dom;
using Npgsql;

namespace SevenX42.Faults.Tests;

/// <summary>A row of <c>chat.messages</c>.</summary>
internal sealed record StoredMessage(Guid Id, Guid ConversationId, Guid? ParentId, string Role, string Status, string Text);

/// <summary>A row of <c>generation.jobs</c>.</summary>
internal sealed record StoredJob(Guid AnswerId, string Purpose, string Status, int Attempts, int Crashes, string Error = "");

/// <summary>What is stored after a run.</summary>
/// <param name="Messages">Every message and answer.</param>
/// <param name="Jobs">Every generation.</param>
/// <param name="Html">What a page that is opened now shows of each answer.</param>
internal sealed record Stored(IReadOnlyList<StoredMessage> Messages, IReadOnlyList<StoredJob> Jobs, IReadOnlyDictionary<Guid, string> Html)
{
    private static readonly string[] Ended = ["completed", "stopped", "interrupted", "failed"];

    /// <summary>Whether a status is one that nothing follows.</summary>
    public static bool IsEnd(string status) => Ended.Contains(status, StringComparer.OrdinalIgnoreCase);

    public static async Task<Stored> ReadAsync(Database database, IReadOnlyDictionary<Guid, string> html)
    {
        await using var connection = await database.OpenAsync();
        var messages = await QueryAsync(
            connection,
            "SELECT id, conversation_id, parent_id, role, status, content FROM chat.messages",
            r => new StoredMessage(r.GetGuid(0), r.GetGuid(1), r.IsDBNull(2) ? null : r.GetGuid(2), r.GetString(3), r.GetString(4), r.GetString(5)));
        var jobs = await QueryAsync(
            connection,
            "SELECT answer_id, purpose, status, attempt, crashes, error_code || error_message FROM generation.jobs",
            r => new StoredJob(r.GetGuid(0), r.GetString(1), r.GetString(2), r.GetInt32(3), r.GetInt32(4), r.GetString(5)));
        return new Stored(messages, jobs, html);
    }

    /// <summary>What there is of the answers to a message, for whoever looks for what keeps them.</summary>
    public static async Task<string> OfMessageAsync(Database database, Guid messageId)
    {
        await using var connection = await database.OpenAsync();
        await using var command = new NpgsqlCommand(
            """
            SELECT concat_ws('; ', 'stored: ' || a.status, 'job: ' || (to_jsonb(j) - '{text,reasoning,roles,contents,prefix}'::text[])::text,
                (SELECT 'events: ' || string_agg((to_jsonb(e) - 'payload')::text, ', ')
                 FROM (SELECT * FROM chat.outbox UNION ALL SELECT * FROM generation.outbox) e WHERE e.payload LIKE '%' || a.id || '%'))
            FROM chat.messages a LEFT JOIN generation.jobs j ON j.answer_id = a.id WHERE a.parent_id = $1
            """,
            connection)
        {
            Parameters = { new() { Value = messageId } },
        };
        return await command.ExecuteScalarAsync() as string ?? "nothing is stored";
    }

    /// <summary>What a page shows of each of its answers.</summary>
    public static IEnumerable<KeyValuePair<Guid, string>> AnswersOf(IHtmlDocument page) =>
        page.QuerySelectorAll("article[data-role=assistant]").Select(article => KeyValuePair.Create(
            Guid.Parse(article.GetAttribute("data-message")!),
            string.Concat(article.QuerySelectorAll("[data-blocks] > [data-block]").Select(b => b.InnerHtml))));

    private static async Task<List<T>> QueryAsync<T>(NpgsqlConnection connection, string sql, Func<NpgsqlDataReader, T> read)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync();
        List<T> rows = [];
        while (await reader.ReadAsync())
            rows.Add(read(reader));
        return rows;
    }
}
