using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Observability;

/// <summary>What leaves the process for a collector, and that nothing does when none is configured.</summary>
public sealed class TelemetryTests(PostgresServer postgres) : IAsyncLifetime
{
    private readonly ConcurrentQueue<(string Path, string Body)> _received = new();
    private WebApplication _collector = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        _collector = builder.Build();
        _collector.Run(async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body, context.RequestAborted);
            // Protobuf keeps strings as they are: enough to see what is in it.
            _received.Enqueue((context.Request.Path, Encoding.Latin1.GetString(body.ToArray())));
            context.Response.StatusCode = StatusCodes.Status200OK;
        });
        await _collector.StartAsync(Cancel);
    }

    public async ValueTask DisposeAsync() => await _collector.DisposeAsync();

    [Fact]
    public async Task Traces_and_metrics_go_to_the_configured_collector()
    {
        var address = _collector.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        await using (var app = await AppHost.StartAsync(await postgres.CreateDatabaseAsync(), new Dictionary<string, string?>
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = address,
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
            ["OTEL_SERVICE_NAME"] = "7x42-under-test",
        }))
        {
            using var http = app.CreateClient();
            await http.GetStringAsync(app.Address, Cancel);
        }

        // What was gathered is sent at the end at the latest.
        await Eventually.TrueAsync(() => _received.Any(r => r.Path == "/v1/traces") && _received.Any(r => r.Path == "/v1/metrics"));
        Assert.Contains(_received, r => r.Path == "/v1/traces" && r.Body.Contains("7x42-under-test", StringComparison.Ordinal) && r.Body.Contains("postgresql", StringComparison.Ordinal));
        Assert.Contains(_received, r => r.Path == "/v1/metrics" && r.Body.Contains("http.server.request.duration", StringComparison.Ordinal));
    }
}
