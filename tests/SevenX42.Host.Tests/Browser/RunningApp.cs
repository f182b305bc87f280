using SevenX42.Testing;

namespace SevenX42.Host.Tests.Browser;

/// <summary>The application that the browsers of a class visit: every test comes as somebody new.</summary>
public sealed class RunningApp(PostgresServer postgres) : IAsyncLifetime
{
    private AppHost? _host;

    public AppHost Host => _host!;

    public Uri Address => Host.Address;

    public async ValueTask InitializeAsync()
    {
        _host = await AppHost.StartAsync(
            await postgres.CreateDatabaseAsync(),
            [
                // Everybody comes from the same address here.
                new("RateLimits:CommandsPerMinute", "100000"),
                new("RateLimits:QueriesPerMinute", "100000"),
            ]);
    }

    public async ValueTask DisposeAsync()
    {
        if (_host is not null)
            await _host.DisposeAsync();
    }
}
