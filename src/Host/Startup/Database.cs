using Microsoft.Extensions.Options;
using Npgsql;
using SevenX42.Persistence;
using SevenX42.Postgres;

namespace SevenX42.Host.Startup;

/// <summary>
/// Where the data is: the configured PostgreSQL, or, when none is configured, one of our own under the data directory.
/// </summary>
internal static class Database
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

    /// <summary>Applies every module's migrations when that is automatic: embedded, or in development.</summary>
    public static async Task MigrateIfAutomaticAsync(this WebApplication app, CancellationToken cancellationToken)
    {
        var automatic = app.Configuration.GetValue<bool?>("Database:AutoMigrate")
            ?? (app.Configuration.GetValue<bool>(EmbeddedKey) || app.Environment.IsDevelopment());
        if (automatic)
            await app.Services.MigrateAsync(cancellationToken);
    }

    /// <summary>Applies every module's migrations, one module after the other.</summary>
    public static async Task MigrateAsync(this IServiceProvider services, CancellationToken cancellationToken)
    {
        foreach (var database in services.GetServices<IModuleDatabase>())
            await database.MigrateAsync(cancellationToken);
    }
}
