using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Npgsql;
using SevenX42.Messaging;

namespace SevenX42.Persistence;

/// <summary>Registers a module's database: one DbContext, one schema, one migration history, one outbox and inbox.</summary>
public static class ModulePersistence
{
    /// <summary>Name of the migration history table in every module's schema.</summary>
    public const string HistoryTable = "__migrations";

    /// <summary>
    /// Adds <typeparamref name="TContext"/> on the connection string <c>Postgres_{schema}</c>, or <c>Postgres</c> when the
    /// module has no role of its own.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="schema">The module's schema.</param>
    public static IServiceCollection AddModuleDbContext<TContext>(this IServiceCollection services, string schema)
        where TContext : DbContext
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<PostgresDataSources>();
        services.AddSingleton<OutboxQueue<TContext>>();
        services.AddSingleton<OutboxInterceptor<TContext>>();
        services.AddDbContextPool<TContext>((provider, options) => options
            .UseModuleSchema(provider.GetRequiredService<PostgresDataSources>().For(schema), schema)
            .AddInterceptors(provider.GetRequiredService<OutboxInterceptor<TContext>>()));
        services.AddSingleton<IModuleDatabase>(provider => new ModuleDatabase<TContext>(provider, schema));
        services.AddSingleton<OutboxDispatcher<TContext>>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<OutboxDispatcher<TContext>>());
        return services;
    }

    /// <summary>The options that every module's context shares; also for design-time factories.</summary>
    public static DbContextOptionsBuilder UseModuleSchema(this DbContextOptionsBuilder options, NpgsqlDataSource dataSource, string schema) =>
        options
            .UseNpgsql(dataSource, npgsql => npgsql.MigrationsHistoryTable(HistoryTable, schema))
            // What is not in a transaction can be repeated here: see ConcurrentIndexes.
            .ConfigureWarnings(static warnings => warnings.Ignore(RelationalEventId.NonTransactionalMigrationOperationWarning))
            .UseSnakeCaseNamingConvention();
}

/// <summary>The database of one module, for the <c>migrate</c> command, health and tests.</summary>
public interface IModuleDatabase
{
    /// <summary>The module's schema.</summary>
    string Schema { get; }

    /// <summary>Applies pending migrations. Processes that do so at once take turns.</summary>
    /// <returns>What this call applied.</returns>
    Task<IReadOnlyList<string>> MigrateAsync(CancellationToken cancellationToken);

    /// <summary>Migrations that this binary knows and the database lacks.</summary>
    Task<IReadOnlyList<string>> GetPendingMigrationsAsync(CancellationToken cancellationToken);

    /// <summary>Migrations that the database has and this binary does not know: a newer release's, which may run beside this one.</summary>
    /// <exception cref="NewerSchemaException">One of them says that this binary can't serve what it leaves behind.</exception>
    Task<IReadOnlyList<string>> GetNewerMigrationsAsync(CancellationToken cancellationToken);

    /// <summary>Whether the model has changed since the last migration was written.</summary>
    bool HasPendingModelChanges();
}

/// <summary>The database is further than this binary can serve; the message says so.</summary>
public sealed class NewerSchemaException(string message) : Exception(message);

internal sealed class ModuleDatabase<TContext>(IServiceProvider services, string schema) : IModuleDatabase
    where TContext : DbContext
{
    /// <summary>Behind its time in the name of a migration that releases before it can't live with.</summary>
    private const string BreakingMark = "_Breaking";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan TurnInterval = TimeSpan.FromMilliseconds(100);

    public string Schema => schema;

    // EF Core locks the history, which on an empty database has to be made first.
    public async Task<IReadOnlyList<string>> MigrateAsync(CancellationToken cancellationToken)
    {
        await using var scope = services.CreateAsyncScope();
        var database = scope.ServiceProvider.GetRequiredService<TContext>().Database;
        database.SetCommandTimeout(Patience);
        await database.OpenConnectionAsync(cancellationToken);
        try
        {
            await TakeTurnAsync(database, cancellationToken);
            List<string> pending = [.. await database.GetPendingMigrationsAsync(cancellationToken)];
            // With nothing to apply it would still build the model that the last migration stands for, at every start.
            if (pending.Count > 0)
                await database.MigrateAsync(cancellationToken);
            await database.ExecuteSqlAsync($"SELECT pg_advisory_unlock(hashtextextended('migrate/' || {schema}, 0))", cancellationToken);
            return pending;
        }
        finally
        {
            await database.CloseConnectionAsync();
        }
    }

    // Asked for again and again: whoever waits for a lock holds a snapshot, and an index that is made concurrently waits until nobody holds one
    // that is older. The two would wait for each other.
    private async Task TakeTurnAsync(DatabaseFacade database, CancellationToken cancellationToken)
    {
        var time = services.GetRequiredService<TimeProvider>();
        var began = time.GetTimestamp();
        while (!await database.SqlQuery<bool>($"SELECT pg_try_advisory_lock(hashtextextended('migrate/' || {schema}, 0)) AS \"Value\"").SingleAsync(cancellationToken))
        {
            if (time.GetElapsedTime(began) > Patience)
                throw new TimeoutException($"Another process has been migrating the schema {schema} for {Patience.TotalMinutes:0} minutes.");
            await Task.Delay(TurnInterval, time, cancellationToken);
        }
    }

    public async Task<IReadOnlyList<string>> GetNewerMigrationsAsync(CancellationToken cancellationToken)
    {
        await using var scope = services.CreateAsyncScope();
        var database = scope.ServiceProvider.GetRequiredService<TContext>().Database;
        List<string> newer = [.. (await database.GetAppliedMigrationsAsync(cancellationToken)).Except(database.GetMigrations())];
        return newer.Find(name => name.Contains(BreakingMark, StringComparison.Ordinal)) is not { } breaking
            ? newer
            : throw new NewerSchemaException(
                $"The schema {schema} was migrated by a newer release ({breaking}), and this one can't serve it any more. Start that release.");
    }

    public async Task<IReadOnlyList<string>> GetPendingMigrationsAsync(CancellationToken cancellationToken)
    {
        await using var scope = services.CreateAsyncScope();
        return [.. await scope.ServiceProvider.GetRequiredService<TContext>().Database.GetPendingMigrationsAsync(cancellationToken)];
    }

    public bool HasPendingModelChanges()
    {
        using var scope = services.CreateScope();
        return scope.ServiceProvider.GetRequiredService<TContext>().Database.HasPendingModelChanges();
    }
}

/// <summary>One connection pool per distinct connection string, shared by the modules that use the same.</summary>
public sealed class PostgresDataSources(IConfiguration configuration) : IAsyncDisposable
{
    private readonly Dictionary<string, NpgsqlDataSource> _byConnectionString = [];
    private readonly Lock _lock = new();

    /// <summary>The data source of a module.</summary>
    /// <exception cref="InvalidOperationException">No connection string is configured.</exception>
    public NpgsqlDataSource For(string schema)
    {
        var connectionString = configuration.GetConnectionString($"Postgres_{schema}")
            ?? configuration.GetConnectionString("Postgres")
            ?? throw new InvalidOperationException("No database: set ConnectionStrings__Postgres.");
        lock (_lock)
        {
            if (!_byConnectionString.TryGetValue(connectionString, out var dataSource))
                _byConnectionString[connectionString] = dataSource = new NpgsqlDataSourceBuilder(WithoutKerberos(connectionString)).Build();
            return dataSource;
        }
    }

    // Unless it is required: looking for its library, which small images don't have, is an error on the console of every start.
    private static string WithoutKerberos(string connectionString)
    {
        var builder = new NpgsqlConnectionStringBuilder(connectionString);
        if (builder.GssEncryptionMode is GssEncryptionMode.Prefer)
            builder.GssEncryptionMode = GssEncryptionMode.Disable;
        return builder.ConnectionString;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var dataSource in _byConnectionString.Values)
            await dataSource.DisposeAsync();
    }
}
