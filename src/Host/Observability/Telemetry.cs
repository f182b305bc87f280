using Npgsql;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace SevenX42.Host.Observability;

/// <summary>Metrics and traces: Prometheus on the management port, OTLP when <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> is set.</summary>
internal static class Telemetry
{
    /// <summary>Prefix of the application's own meters and activity sources.</summary>
    private const string OwnSources = "SevenX42.*";

    public static IServiceCollection AddTelemetry(this IServiceCollection services, IConfiguration configuration)
    {
        var otlp = !string.IsNullOrWhiteSpace(configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]);
        services.AddOpenTelemetry()
            .WithMetrics(metrics =>
            {
                metrics
                    .AddMeter(OwnSources)
                    .AddMeter("Npgsql")
                    .AddAspNetCoreInstrumentation()
                    .AddHttpClientInstrumentation()
                    .AddRuntimeInstrumentation()
                    .AddPrometheusExporter();
                if (otlp)
                    metrics.AddOtlpExporter();
            })
            .WithTracing(traces =>
            {
                if (!otlp)
                    return;
                traces
                    .AddSource(OwnSources)
                    .AddNpgsql()
                    .AddAspNetCoreInstrumentation()
                    .AddHttpClientInstrumentation()
                    .AddOtlpExporter();
            });
        return services;
    }
}
