using Microsoft.Extensions.Options;
using Npgsql;
using SevenX42.Persistence;
using SevenX42.Postgres;

namespace SevenX42.Host.Startup;

/// <summary>
/// Where the data is: the configured PostgreSQL, or, when none is configured, one of our own under the data directory.
/// </summary>
internal static partial class Database
{
    /// <summary>Whether this process runs its own PostgreSQL: one machine, nothing configured.</summary>
    public const string EmbeddedKey = "Embedded";

    /// <summary>Starts the embedded PostgreSQL when no connection string is configured.</summary>
    /// <returns>The server to dispose after the application, or <see langword="null"/>.</returns>
    /// <exception cref="EmbeddedPostgresException">It can't start; the message says what to do.</exception>
    public static async Task<EmbeddedPostgres?> StartEmbeddedIfNeededAsync(
        this WebApplicationBuilder builder, CancellationToken cancellationToken)
    {
        var dataDirectory = Path.GetFullPath(builder.Configuration["DataDirectory"] ?? ".data", builder.Environment.ContentRootPath);
        builder.Configuration["DataDirectory"] = dataDirectory;
        if (!string.IsNullOrWhiteSpace(builder.Configuration.GetConnectionString("Postgres")))
            return null;

        using var logging = LoggerFactory.Create(l => l.AddConfiguration(builder.Configuration.GetSection("Logging")).AddConsole());
        var postgres = await EmbeddedPostgres.StartAsync(
            new EmbeddedPostgresOptions { Directory = Path.Combine(dataDirectory, "postgres") },
            logging.CreateLogger<EmbeddedPostgres>(),
            cancellationToken);
        builder.Configuration["ConnectionStrings:Postgres"] = postgres.ConnectionString;
        builder.Configuration[EmbeddedKey] = "true";
        return postgres;
    }

    /// <summary>
    /// Applies every module's migrations when that is automatic (embedded, or in development), and sees whether the database can be
    /// served. One that refuses ends the start; one that does not answer is waited for, and readiness says so.
    /// </summary>
    /// <exception cref="NewerSchemaException">A newer release has made it what this one can't serve.</exception>
    public static async Task PrepareDatabaseAsync(this WebApplication app, CancellationToken cancellationToken)
    {
        var automatic = app.Configuration.GetValue<bool?>("Database:AutoMigrate")
            ?? (app.Configuration.GetValue<bool>(EmbeddedKey) || app.Environment.IsDevelopment());
        if (automatic)
            await app.Services.MigrateAsync(cancellationToken);
        try
        {
            await app.Services.CheckAsync(app.Logger, cancellationToken);
        }
        catch (Exception e) when (!automatic && StartupFailure.MayPass(e))
        {
            LogAway(app.Logger, e);
        }
    }

    /// <summary>Applies every module's migrations, one module after the other.</summary>
    public static async Task MigrateAsync(this IServiceProvider services, CancellationToken cancellationToken)
    {
        foreach (var database in services.GetServices<IModuleDatabase>())
            await database.MigrateAsync(cancellationToken);
    }

    // While releases change, old and new replicas work side by side, and an old one that restarts has to come back.
    private static async Task CheckAsync(this IServiceProvider services, ILogger logger, CancellationToken cancellationToken)
    {
        foreach (var database in services.GetServices<IModuleDatabase>())
        {
            // Asked itself: to EF Core, a database that does not exist has no migrations.
            await using (var connection = await services.GetRequiredService<PostgresDataSources>().For(database.Schema).OpenConnectionAsync(cancellationToken))
            {
            }

            if (await database.GetNewerMigrationsAsync(cancellationToken) is { Count: > 0 } newer)
                LogNewer(logger, database.Schema, string.Join(", ", newer));
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "PostgreSQL does not answer; nothing is ready until it does. Check ConnectionStrings__Postgres: host and port")]
    private static partial void LogAway(ILogger logger, Exception exception);

    [LoggerMessage(2, LogLevel.Warning, "The schema {Schema} was migrated by a newer release ({Migrations}); this one serves beside it until it is replaced")]
    private static partial void LogNewer(ILogger logger, string schema, string migrations);
}
