using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;
using SevenX42.Persistence;
using SevenX42.Realtime;

namespace SevenX42.Host.Observability;

/// <summary>
/// <c>/health/live</c> depends on nothing: a process that answers is alive. <c>/health/ready</c> is true when requests can
/// be served: the database answers, its schema is current, and the process is not shutting down. It says <c>Degraded</c>, which
/// is ready, while the channel log does not answer: every replica would have to be taken out for it, and each still serves.
/// </summary>
internal static class Health
{
    private const string Ready = "ready";

    public static IServiceCollection AddHealth(this IServiceCollection services)
    {
        // One, which remembers: checks are made anew for each question otherwise.
        services.AddSingleton<DatabaseHealth>();
        services.AddHealthChecks()
            .AddCheck<DatabaseHealth>("database", tags: [Ready], timeout: TimeSpan.FromSeconds(3))
            .AddCheck<ChannelLogHealth>("channel log", HealthStatus.Degraded, [Ready], TimeSpan.FromSeconds(3))
            .AddCheck<ShutdownHealth>("shutdown", tags: [Ready]);
        return services;
    }

    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        routes.MapHealthChecks("/health/live", new HealthCheckOptions { Predicate = _ => false }).AllowAnonymous();
        routes.MapHealthChecks("/health/ready", new HealthCheckOptions { Predicate = c => c.Tags.Contains(Ready) }).AllowAnonymous();
    }

    private sealed class DatabaseHealth(PostgresDataSources dataSources, IEnumerable<IModuleDatabase> databases) : IHealthCheck
    {
        private volatile bool _current;

        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            try
            {
                await using var command = dataSources.For("public").CreateCommand("SELECT 1");
                await command.ExecuteScalarAsync(cancellationToken);
                if (!_current)
                {
                    foreach (var database in databases)
                    {
                        if ((await database.GetPendingMigrationsAsync(cancellationToken)).Count > 0)
                            return HealthCheckResult.Unhealthy($"The schema {database.Schema} is older than this binary: run the migrate command.");
                    }

                    _current = true;
                }

                return HealthCheckResult.Healthy();
            }
            catch (NpgsqlException e)
            {
                return HealthCheckResult.Unhealthy("The database does not answer.", e);
            }
        }
    }

    // A log in memory always answers; one in Redis answers when Redis does.
    private sealed class ChannelLogHealth(IChannelLog log) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            try
            {
                await log.GetPositionAsync("health/ready", cancellationToken);
                return HealthCheckResult.Healthy();
            }
            catch (ChannelLogUnavailableException e)
            {
                return HealthCheckResult.Degraded("Redis does not answer. Check ConnectionStrings__Redis: host and port.", e);
            }
        }
    }

    private sealed class ShutdownHealth(IHostApplicationLifetime lifetime) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
            Task.FromResult(lifetime.ApplicationStopping.IsCancellationRequested
                ? HealthCheckResult.Unhealthy("Shutting down.")
                : HealthCheckResult.Healthy());
    }
}
