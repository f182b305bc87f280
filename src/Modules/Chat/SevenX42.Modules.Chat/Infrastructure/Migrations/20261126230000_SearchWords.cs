using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace SevenX42.Modules.Chat.Infrastructure.Migrations
{
    /// <summary>
    /// Searches words: what stands between signs, so that node.js is found by each of its parts and as a whole. The columns leave the
    /// model and stay in the tables, where versions before this one read them.
    /// </summary>
    public partial class SearchWords : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            // The same signs as in the class SearchWords.
            migrationBuilder.Sql(
                """
                CREATE FUNCTION chat.searchable(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
                    SELECT regexp_replace($1, '[\u0001-\u002F\u003A-\u0040\u005B-\u0060\u007B-\u00A9\u00AB-\u00B4\u00B6-\u00B9\u00BB-\u00BF\u00D7\u00F7'
                        '\u060C\u061B\u061F\u06D4\u0964\u0965\u2000-\u206F\u20A0-\u20CF\u2190-\u2BFF\u3000-\u3004\u3008-\u3020\u3030\u30FB'
                        '\uFE00-\uFE0F\uFE30-\uFE4F\uFF01-\uFF0F\uFF1A-\uFF20\uFF3B-\uFF40\uFF5B-\uFF65\U0001F000-\U0001FAFF]+', ' ', 'g')
                $$
                """);
            Search(migrationBuilder, "to_tsvector('simple', chat.searchable(title))", "to_tsvector('simple', chat.searchable(left(content, 200000)))");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            Search(migrationBuilder, "to_tsvector('simple', title)", "to_tsvector('simple', left(content, 200000))");
            migrationBuilder.Sql("DROP FUNCTION chat.searchable(text)");
        }

        private static void Search(MigrationBuilder migrationBuilder, string ofTitles, string ofMessages)
        {
            foreach (var (table, expression) in new[] { ("conversations", ofTitles), ("messages", ofMessages) })
            {
                migrationBuilder.Sql(
                    $"""
                    ALTER TABLE chat.{table} DROP COLUMN search;
                    ALTER TABLE chat.{table} ADD COLUMN search tsvector GENERATED ALWAYS AS ({expression}) STORED;
                    CREATE INDEX ix_{table}_search ON chat.{table} USING gin (owner_id, search);
                    """);
            }
        }
    }
}
