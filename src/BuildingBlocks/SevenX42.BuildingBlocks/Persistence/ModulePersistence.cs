using Microsoft.EntityFrameworkCore;
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
            .UseSnakeCaseNamingConvention();
}

/// <summary>The database of one module, for the <c>migrate</c> command, health and tests.</summary>
public interface IModuleDatabase
{
    /// <summary>The module's schema.</summary>
    string Schema { get; }

    /// <summary>Applies pending migrations. Safe to call from several processes at once.</summary>
    Task MigrateAsync(CancellationToken cancellationToken);

    /// <summary>Migrations that this binary knows and the database lacks.</summary>
    Task<IReadOnlyList<string>> GetPendingMigrationsAsync(CancellationToken cancellationToken);

    /// <summary>Whether the model has changed since the last migration was written.</summary>
    bool HasPendingModelChanges();
}

internal sealed class ModuleDatabase<TContext>(IServiceProvider services, string schema) : IModuleDatabase
    where TContext : DbContext
{
    public string Schema => schema;

    // EF Core takes a lock in the database while it migrates, so replicas that start together wait for each other.
    public async Task MigrateAsync(CancellationToken cancellationToken)
    {
        await using var scope = services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<TContext>().Database.MigrateAsync(cancellationToken);
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
                _byConnectionString[connectionString] = dataSource = new NpgsqlDataSourceBuilder(connectionString).Build();
            return dataSource;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var dataSource in _byConnectionString.Values)
            await dataSource.DisposeAsync();
    }
}
