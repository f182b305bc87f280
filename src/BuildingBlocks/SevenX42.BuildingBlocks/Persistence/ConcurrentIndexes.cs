using Microsoft.EntityFrameworkCore.Migrations;

namespace SevenX42.Persistence;

/// <summary>
/// Indexes on tables that are in use: made while people go on writing, which takes longer and is not part of a transaction. EF Core commits
/// what a migration did before, so a migration that makes such indexes does nothing else: when it breaks off, it can be repeated.
/// </summary>
public static class ConcurrentIndexes
{
    /// <summary>Makes an index, unless it is there. What a try that broke off has left, which answers no query, makes way.</summary>
    /// <param name="migration">The migration.</param>
    /// <param name="schema">The module's schema.</param>
    /// <param name="name">The index.</param>
    /// <param name="definition">The rest of the statement: <c>table (column, …) WHERE …</c>.</param>
    /// <param name="unique">Whether no two rows may be the same.</param>
    public static void CreateIndexConcurrently(this MigrationBuilder migration, string schema, string name, string definition, bool unique = false)
    {
        ArgumentNullException.ThrowIfNull(migration);
        migration.Sql(
            $"""
            DO $$ BEGIN
                IF EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('{schema}.{name}') AND NOT indisvalid) THEN
                    DROP INDEX {schema}.{name};
                END IF;
            END $$
            """,
            suppressTransaction: true);
        migration.Sql($"CREATE {(unique ? "UNIQUE " : "")}INDEX CONCURRENTLY IF NOT EXISTS {name} ON {schema}.{definition}", suppressTransaction: true);
    }

    /// <summary>Drops an index, if it is there.</summary>
    /// <param name="migration">The migration.</param>
    /// <param name="schema">The module's schema.</param>
    /// <param name="name">The index.</param>
    public static void DropIndexConcurrently(this MigrationBuilder migration, string schema, string name)
    {
        ArgumentNullException.ThrowIfNull(migration);
        migration.Sql($"DROP INDEX CONCURRENTLY IF EXISTS {schema}.{name}", suppressTransaction: true);
    }
}
