using System.Globalization;
using System.Text;
using Npgsql;

namespace SevenX42.Host.Tests.Access;

/// <summary>Looks into everything that a database holds, whichever module it belongs to.</summary>
internal static class Stored
{
    // What a request may change without doing anything: when somebody was last seen, and from where.
    private const string Row = "(to_jsonb(t) - '{last_seen_at,expires_at,address}'::text[])";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>The tables that have a row with this text anywhere in it.</summary>
    public static async Task<IReadOnlyList<string>> FindAsync(string database, string text)
    {
        await using var source = NpgsqlDataSource.Create(database);
        List<string> found = [];
        foreach (var table in await TablesAsync(source))
        {
            await using var command = source.CreateCommand($"SELECT EXISTS (SELECT FROM {table} t WHERE to_jsonb(t)::text ILIKE $1)");
            command.Parameters.AddWithValue($"%{text}%");
            if ((bool)(await command.ExecuteScalarAsync(Cancel))!)
                found.Add(table);
        }

        return found;
    }

    /// <summary>A text that is another one whenever a row is another one; of those rows only that mention one of these texts.</summary>
    public static async Task<string> FingerprintAsync(string database, params string[] mentioning)
    {
        await using var source = NpgsqlDataSource.Create(database);
        var all = new StringBuilder();
        foreach (var table in (await TablesAsync(source)).Where(t => !t.EndsWith("box", StringComparison.Ordinal)))
        {
            await using var command = source.CreateCommand(
                $"SELECT string_agg({Row}::text, E'\n' ORDER BY {Row}::text) FROM {table} t WHERE cardinality($1) = 0 OR to_jsonb(t)::text ILIKE ANY ($1)");
            command.Parameters.AddWithValue(mentioning.Select(m => $"%{m}%").ToArray());
            all.AppendLine(CultureInfo.InvariantCulture, $"{table}: {await command.ExecuteScalarAsync(Cancel)}");
        }

        return all.ToString();
    }

    private static async Task<IReadOnlyList<string>> TablesAsync(NpgsqlDataSource source)
    {
        await using var command = source.CreateCommand(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1");
        await using var reader = await command.ExecuteReaderAsync(Cancel);
        List<string> tables = [];
        while (await reader.ReadAsync(Cancel))
            tables.Add(reader.GetString(0));
        Assert.True(tables.Count > 8, "There are no tables to look into.");
        return tables;
    }
}
