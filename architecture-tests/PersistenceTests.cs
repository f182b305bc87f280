using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Migrations.Operations;
using SevenX42.ArchitectureTests.Subjects;

namespace SevenX42.ArchitectureTests;

/// <summary>
/// One DbContext, one schema and one migration history per module, read from the model itself: the design-time factory
/// makes it without a database.
/// </summary>
internal static partial class PersistenceRules
{
    /// <summary>Before the next one nobody had tables that take long to be read.</summary>
    private const string LastWhileTablesWereSmall = "20261127131237_Images";

    public static Verdict ModulesHaveOneContext(IEnumerable<Binary> modules) => Verdict.On(modules, module =>
    {
        var contexts = module.Load().GetTypes().Where(t => t is { IsAbstract: false } && t.IsSubclassOf(typeof(DbContext))).Select(t => t.Name).ToList();
        var factories = Factories(module).Count();
        return contexts is [var only] && only == module.Module + "DbContext" && factories == 1
            ? []
            : [$"{module.Name}: has {factories} design-time factories and the contexts {string.Join(", ", contexts)}"];
    });

    public static Verdict TablesStandInTheModulesSchema(IEnumerable<Binary> modules) => OnModels(modules, (schema, model) =>
        model.GetEntityTypes().Where(e => e.GetTableName() is not null && e.GetSchema() != schema).Select(e => $"{e.GetSchema()}.{e.GetTableName()}")
            .Concat(model.GetEntityTypes().Where(e => e.GetViewName() is not null && e.GetViewSchema() != schema).Select(e => $"{e.GetViewSchema()}.{e.GetViewName()}"))
            .Concat(model.GetSequences().Where(s => s.Schema != schema).Select(s => $"{s.Schema}.{s.Name}"))
            .Select(table => $"maps {table}, which is not of the schema {schema}"));

    public static Verdict HistoryStandsInTheModulesSchema(IEnumerable<Binary> modules) => OnContexts(modules, (schema, context) =>
    {
        var options = RelationalOptionsExtension.Extract(context.GetService<IDbContextOptions>());
        return options.MigrationsHistoryTableSchema == schema
            ? []
            : [$"keeps its migration history in the schema {options.MigrationsHistoryTableSchema ?? "public"}"];
    });

    public static Verdict MigrationsAreComplete(IEnumerable<Binary> modules) => OnContexts(modules, (_, context) =>
    {
        if (!context.Database.GetMigrations().Any())
            return ["has no migration"];
        return context.Database.HasPendingModelChanges() ? ["has changed since its last migration"] : [];
    });

    public static Verdict MigrationsTouchTheModulesSchemaOnly(IEnumerable<Binary> modules) => OnContexts(modules, (schema, context) =>
    {
        var migrations = context.GetService<IMigrationsAssembly>();
        return migrations.Migrations.SelectMany(m => Operations(migrations.CreateMigration(m.Value, context.Database.ProviderName!)))
            .Where(o => o.Schema != schema)
            .Select(o => $"migrates {o.Schema}.{o.What}");
    });

    /// <summary>
    /// An index on a table that is there already keeps nobody from writing while it is made, and a migration that makes one does nothing else:
    /// what is outside of a transaction has to be repeatable.
    /// </summary>
    public static Verdict IndexesKeepNobodyWaiting(IEnumerable<Binary> modules) => Verdict.On(
        modules.SelectMany(Factories).SelectMany(factory =>
        {
            using var context = Create(factory);
            var migrations = context.GetService<IMigrationsAssembly>();
            return migrations.Migrations.Where(m => string.CompareOrdinal(m.Key, LastWhileTablesWereSmall) > 0)
                .Select(m => (Context: context.GetType().Name, m.Key, migrations.CreateMigration(m.Value, context.Database.ProviderName!).UpOperations))
                .ToList();
        }),
        migration => Locks(migration.UpOperations).Select(problem => $"{migration.Context}: {migration.Key} {problem}"));

    /// <summary>
    /// While replicas are replaced, those of the release before work on the schema of the next one. What they can't live with says so by
    /// its name, which is all that they see of it.
    /// </summary>
    public static Verdict WhatOldReleasesCanNotLiveWithIsCalledBreaking(IEnumerable<Binary> modules) => OnContexts(modules, (_, context) =>
    {
        var migrations = context.GetService<IMigrationsAssembly>();
        return migrations.Migrations.Where(m => !m.Key.Contains("_Breaking", StringComparison.Ordinal)).SelectMany(m =>
            Breaking(migrations.CreateMigration(m.Value, context.Database.ProviderName!).UpOperations).Select(o => $"{m.Key} has a {o.GetType().Name}"));
    });

    /// <summary>Raw SQL that reads or writes another module's tables.</summary>
    public static Verdict SqlStaysInTheModulesSchema(IEnumerable<Binary> modules, IReadOnlyCollection<string> schemas) => Verdict.On(
        modules.SelectMany(m => m.Types.Select(type => (Module: m, Type: type))),
        x => x.Type.AllMethods().SelectMany(m => m.Instructions()).Select(i => i.Operand).OfType<string>()
            .SelectMany(text => QualifiedTable().Matches(text))
            .Select(match => match.Groups["schema"].Value)
            .Where(schema => schemas.Contains(schema) && schema != Schema(x.Module))
            .Select(schema => $"{x.Type.Display()}: names a table of {schema}"));

    private static IEnumerable<(string? Schema, string What)> Operations(Migration migration)
    {
        foreach (var operation in migration.UpOperations.Concat(migration.DownOperations))
        {
            var type = operation.GetType();
            if (operation is EnsureSchemaOperation or DropSchemaOperation)
                yield return ((string?)type.GetProperty("Name")!.GetValue(operation), type.Name);
            else if (type.GetProperty("Schema") is { } schema)
                yield return ((string?)schema.GetValue(operation), $"{type.GetProperty("Table")?.GetValue(operation) ?? type.GetProperty("Name")?.GetValue(operation)}");
        }
    }

    private static IEnumerable<string> Locks(IReadOnlyList<MigrationOperation> operations)
    {
        var made = Made(operations);
        var sql = operations.OfType<SqlOperation>().ToList();
        foreach (var index in operations.OfType<CreateIndexOperation>().Where(i => !made.Contains($"{i.Schema}.{i.Table}")))
            yield return $"makes {index.Name} and lets nobody write to {index.Table} meanwhile";
        foreach (var (operation, index) in sql.SelectMany(o => CreateIndex().Matches(o.Sql).Select(match => (o, match))))
        {
            if (!index.Groups["concurrently"].Success && !made.Contains(index.Groups["table"].Value.Replace("\"", "", StringComparison.Ordinal)))
                yield return $"makes an index and lets nobody write to {index.Groups["table"].Value} meanwhile";
            else if (index.Groups["concurrently"].Success && !operation.SuppressTransaction)
                yield return "makes an index concurrently in a transaction, which PostgreSQL refuses";
        }

        if (sql.Exists(o => o.SuppressTransaction) && operations.Any(o => o is not SqlOperation { SuppressTransaction: true }))
            yield return "does in one migration what is in a transaction and what is not";
    }

    private static IEnumerable<MigrationOperation> Breaking(IReadOnlyList<MigrationOperation> operations)
    {
        var made = Made(operations);
        return operations.Where(o => IsBreaking(o) && !(o is CreateIndexOperation index && made.Contains($"{index.Schema}.{index.Table}")));
    }

    // Of a table that is new, old releases know nothing.
    private static HashSet<string> Made(IReadOnlyList<MigrationOperation> operations) =>
        operations.OfType<CreateTableOperation>().Select(t => $"{t.Schema}.{t.Name}").ToHashSet(StringComparer.Ordinal);

    // What is read is gone or called otherwise, or what is written is refused.
    private static bool IsBreaking(MigrationOperation operation) => operation switch
    {
        DropTableOperation or DropColumnOperation or DropSequenceOperation or DropSchemaOperation => true,
        RenameTableOperation or RenameColumnOperation or RenameSequenceOperation => true,
        AddCheckConstraintOperation or AddUniqueConstraintOperation or AddForeignKeyOperation => true,
        CreateIndexOperation index => index is { IsUnique: true, Filter: null },
        AddColumnOperation column => column is { IsNullable: false, DefaultValue: null, DefaultValueSql: null, ComputedColumnSql: null },
        AlterColumnOperation { OldColumn: var old } column => column.ClrType != old.ClrType || (old.IsNullable && !column.IsNullable)
            || (column.MaxLength ?? int.MaxValue) < (old.MaxLength ?? int.MaxValue),
        SqlOperation { Sql: var sql } => BreakingSql().IsMatch(sql)
            || DroppedColumn().Matches(sql).Any(m => !sql.Contains($"ADD COLUMN {m.Groups["name"].Value} ", StringComparison.OrdinalIgnoreCase)),
        _ => false,
    };

    private static Verdict OnModels(IEnumerable<Binary> modules, Func<string, IModel, IEnumerable<string>> inspect) =>
        OnContexts(modules, (schema, context) => inspect(schema, context.GetService<IDesignTimeModel>().Model));

    private static Verdict OnContexts(IEnumerable<Binary> modules, Func<string, DbContext, IEnumerable<string>> inspect) => Verdict.On(
        modules.SelectMany(m => Factories(m).Select(factory => (Schema: Schema(m), Factory: factory))),
        x =>
        {
            using var context = Create(x.Factory);
            return inspect(x.Schema, context).Select(problem => $"{context.GetType().Name}: {problem}").ToList();
        });

    private static string Schema(Binary module) => module.Module!.ToLowerInvariant();

    private static IEnumerable<Type> Factories(Binary module) => module.Load().GetTypes()
        .Where(t => t.GetInterfaces().Any(i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IDesignTimeDbContextFactory<>)));

    private static DbContext Create(Type factory)
    {
        var create = factory.GetMethod("CreateDbContext", BindingFlags.Public | BindingFlags.Instance, [typeof(string[])])!;
        return (DbContext)create.Invoke(Activator.CreateInstance(factory, nonPublic: true), [Array.Empty<string>()])!;
    }

    [GeneratedRegex("""\b(?:from|join|update|into|table|only|using)\s+"?(?<schema>[a-z]+)"?\s*\.\s*"?[a-z_]+""", RegexOptions.IgnoreCase)]
    private static partial Regex QualifiedTable();

    [GeneratedRegex("""\bcreate\s+(?:unique\s+)?index\s+(?<concurrently>concurrently\s+)?(?:if\s+not\s+exists\s+)?\S+\s+on\s+(?:only\s+)?(?<table>[\w."]+)""", RegexOptions.IgnoreCase)]
    private static partial Regex CreateIndex();

    [GeneratedRegex(@"\b(?:drop\s+(?:table|view|schema|sequence|function|type)|rename|set\s+not\s+null)\b", RegexOptions.IgnoreCase)]
    private static partial Regex BreakingSql();

    [GeneratedRegex(@"\bdrop\s+column\s+(?:if\s+exists\s+)?(?<name>\w+)", RegexOptions.IgnoreCase)]
    private static partial Regex DroppedColumn();
}

public sealed class PersistenceTests
{
    private static readonly string[] Schemas = [.. Repository.Modules.Select(m => m.ToLowerInvariant())];

    [Fact]
    public void A_module_has_one_context() => PersistenceRules.ModulesHaveOneContext(Product.Modules).Holds(atLeast: 4);

    [Fact]
    public void A_second_context_is_caught() => PersistenceRules.ModulesHaveOneContext(
        [Context(""), Offender.Compile("SevenX42.Modules.Twice", Code("") + "class OtherDbContext(DbContextOptions options) : DbContext(options);")])
        .Catches("SevenX42.Modules.Twice");

    [Fact]
    public void A_modules_tables_stand_in_its_schema() => PersistenceRules.TablesStandInTheModulesSchema(Product.Modules).Holds(atLeast: 4);

    [Theory]
    [InlineData("""model.Entity<Thing>().ToTable("users", "identity");""")]
    [InlineData("""model.Entity<Thing>().ToTable((string?)null).ToView("users", "identity");""")]
    [InlineData("""model.HasDefaultSchema("public"); model.Entity<Thing>();""")]
    [InlineData("""model.HasSequence("numbers", "chat");""")]
    public void A_table_in_another_schema_is_caught(string model) =>
        PersistenceRules.TablesStandInTheModulesSchema([Context(model)]).Catches("PlantedDbContext");

    [Fact]
    public void A_table_in_the_modules_own_schema_is_spared() =>
        PersistenceRules.TablesStandInTheModulesSchema([Context("model.Entity<Thing>();")]).Holds();

    [Fact]
    public void A_modules_migration_history_stands_in_its_schema() => PersistenceRules.HistoryStandsInTheModulesSchema(Product.Modules).Holds(atLeast: 4);

    [Theory]
    [InlineData("")]
    [InlineData(""", n => n.MigrationsHistoryTable("__migrations", "chat")""")]
    public void A_migration_history_elsewhere_is_caught(string npgsql) =>
        PersistenceRules.HistoryStandsInTheModulesSchema([Context("", npgsql)]).Catches("PlantedDbContext");

    [Fact]
    public void A_model_equals_its_last_migration() => PersistenceRules.MigrationsAreComplete(Product.Modules).Holds(atLeast: 4);

    [Fact]
    public void A_model_without_migration_or_ahead_of_it_is_caught()
    {
        PersistenceRules.MigrationsAreComplete([Context("model.Entity<Thing>();")]).Catches("PlantedDbContext");
        PersistenceRules.MigrationsAreComplete([Context("model.Entity<Thing>();", migration: "")]).Catches("PlantedDbContext");
        PersistenceRules.MigrationsAreComplete([Context("", migration: "")]).Holds();
    }

    [Fact]
    public void Migrations_touch_the_modules_schema_only() => PersistenceRules.MigrationsTouchTheModulesSchemaOnly(Product.Modules).Holds(atLeast: 4);

    [Theory]
    [InlineData("""builder.DropTable("users", "identity");""")]
    [InlineData("""builder.EnsureSchema("chat");""")]
    [InlineData("""builder.AddColumn<int>("x", "messages", schema: "chat");""")]
    public void A_migration_of_another_schema_is_caught(string migration) =>
        PersistenceRules.MigrationsTouchTheModulesSchemaOnly([Context("", migration: """builder.DropTable("things", "planted");""" + migration)]).Catches("PlantedDbContext");

    [Fact]
    public void An_index_on_a_table_in_use_keeps_nobody_waiting() => PersistenceRules.IndexesKeepNobodyWaiting(Product.Modules).Holds(atLeast: 5);

    [Theory]
    [InlineData("""builder.CreateIndex("ix_things", "things", "id", "planted");""")]
    [InlineData("""builder.Sql("CREATE UNIQUE INDEX ix_things ON planted.things (id)");""")]
    [InlineData("""builder.Sql("CREATE INDEX CONCURRENTLY ix_things ON planted.things (id)");""")]
    [InlineData("""builder.Sql("CREATE INDEX CONCURRENTLY ix_things ON planted.things (id)", suppressTransaction: true); builder.Sql("DELETE FROM planted.things");""")]
    [InlineData("""builder.AddColumn<int>("x", "things", schema: "planted"); builder.Sql("SELECT 1", suppressTransaction: true);""")]
    public void An_index_that_keeps_people_waiting_is_caught(string migration) =>
        PersistenceRules.IndexesKeepNobodyWaiting([Context("", migration: migration)]).Catches("PlantedDbContext");

    [Theory]
    [InlineData("""builder.Sql("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_things ON planted.things (id)", suppressTransaction: true);""")]
    [InlineData("""builder.CreateTable("news", t => new { Id = t.Column<int>() }, "planted"); builder.CreateIndex("ix_news", "news", "Id", "planted"); builder.Sql("CREATE INDEX ix_news_id ON planted.news (id)");""")]
    public void An_index_on_a_new_table_or_made_concurrently_is_spared(string migration) =>
        PersistenceRules.IndexesKeepNobodyWaiting([Context("", migration: migration)]).Holds();

    [Fact]
    public void A_migration_that_the_release_before_can_not_live_with_is_called_breaking() =>
        PersistenceRules.WhatOldReleasesCanNotLiveWithIsCalledBreaking(Product.Modules).Holds(atLeast: 4);

    [Theory]
    [InlineData("""builder.DropTable("things", "planted");""")]
    [InlineData("""builder.DropColumn("x", "things", "planted");""")]
    [InlineData("""builder.RenameColumn("x", "things", "y", "planted");""")]
    [InlineData("""builder.AddColumn<int>("x", "things", schema: "planted");""")]
    [InlineData("""builder.AlterColumn<int>("x", "things", schema: "planted", nullable: false, oldClrType: typeof(int), oldNullable: true);""")]
    [InlineData("""builder.AlterColumn<string>("x", "things", schema: "planted", maxLength: 10, oldClrType: typeof(string));""")]
    [InlineData("""builder.CreateIndex("ix", "things", "x", "planted", unique: true);""")]
    [InlineData("""builder.Sql("ALTER TABLE planted.things DROP COLUMN x");""")]
    [InlineData("""builder.Sql("ALTER TABLE planted.things ALTER COLUMN x SET NOT NULL");""")]
    public void A_migration_that_breaks_the_release_before_is_caught_unless_it_says_so(string migration)
    {
        PersistenceRules.WhatOldReleasesCanNotLiveWithIsCalledBreaking([Context("", migration: migration)]).Catches("PlantedDbContext");
        PersistenceRules.WhatOldReleasesCanNotLiveWithIsCalledBreaking([Context("", migration: migration, name: "30000101000000_BreakingThings")]).Holds();
    }

    [Theory]
    [InlineData("""builder.AddColumn<int>("x", "things", schema: "planted", nullable: true);""")]
    [InlineData("""builder.AddColumn<int>("x", "things", schema: "planted", defaultValue: 0);""")]
    [InlineData("""builder.AlterColumn<string>("x", "things", schema: "planted", maxLength: 20, oldClrType: typeof(string), oldMaxLength: 10);""")]
    [InlineData("""builder.CreateIndex("ix", "things", "x", "planted"); builder.DropIndex("iy", "things", "planted");""")]
    [InlineData("""builder.CreateTable("news", t => new { Id = t.Column<int>() }, "planted"); builder.CreateIndex("ix", "news", "Id", "planted", unique: true);""")]
    [InlineData("""builder.Sql("ALTER TABLE planted.things DROP COLUMN x; ALTER TABLE planted.things ADD COLUMN x tsvector GENERATED ALWAYS AS ('') STORED");""")]
    public void A_migration_that_adds_is_spared(string migration) =>
        PersistenceRules.WhatOldReleasesCanNotLiveWithIsCalledBreaking([Context("", migration: migration)]).Holds();

    [Fact]
    public void Raw_sql_stays_in_the_modules_schema() => PersistenceRules.SqlStaysInTheModulesSchema(Product.Modules, Schemas).Holds(atLeast: 40);

    [Fact]
    public void Raw_sql_on_another_schema_is_caught() => PersistenceRules.SqlStaysInTheModulesSchema(
        [
            Offender.Module("""
                class Own { public string Sql => "SELECT * FROM planted.things t JOIN other.x ON x.id = t.id"; }
                class Name { public string EventName => "chat.answer-requested.v1"; }
                class Reads { public string Sql => "SELECT * FROM \"identity\".\"users\""; }
                class Writes { public async Task<string> Sql() { await Task.Yield(); return "UPDATE chat.messages SET text = ''"; } }
                class Joins { public string Sql => "SELECT 1 FROM planted.things t\nJOIN  generation.jobs j ON j.id = t.id"; }
                """),
        ],
        Schemas).Catches("Reads", "Writes", "Joins");

    private static Binary Context(
        string model, string npgsql = ", n => n.MigrationsHistoryTable(\"__migrations\", \"planted\")", string? migration = null, string name = "30000101000000_Initial") =>
        Offender.Module(Code(model, npgsql, migration, name));

    private static string Code(string model, string npgsql = "", string? migration = null, string name = "30000101000000_Initial") => $$"""
        using Microsoft.EntityFrameworkCore;
        using Microsoft.EntityFrameworkCore.Design;
        using Microsoft.EntityFrameworkCore.Infrastructure;
        using Microsoft.EntityFrameworkCore.Migrations;
        class Thing { public int Id { get; set; } }
        class PlantedDbContext(DbContextOptions options) : DbContext(options)
        {
            protected override void OnModelCreating(ModelBuilder model)
            {
                model.HasDefaultSchema("planted");
                {{model}}
            }
        }
        class PlantedFactory : IDesignTimeDbContextFactory<PlantedDbContext>
        {
            public PlantedDbContext CreateDbContext(string[] args) =>
                new(new DbContextOptionsBuilder().UseNpgsql("Host=localhost"{{npgsql}}).Options);
        }

        """ + (migration is null ? "" : $$"""
        [DbContext(typeof(PlantedDbContext)), Migration("{{name}}")]
        class Initial : Migration
        {
            protected override void Up(MigrationBuilder builder) { {{migration}} }
            protected override void Down(MigrationBuilder builder) { }
        }
        [DbContext(typeof(PlantedDbContext))]
        class Snapshot : ModelSnapshot
        {
            protected override void BuildModel(ModelBuilder model) => model.HasDefaultSchema("planted");
        }

        """);
}
