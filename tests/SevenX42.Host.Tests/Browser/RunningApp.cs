using SevenX42.Testing;

namespace SevenX42.Host.Tests.Browser;

/// <summary>One application and one Chromium for all tests in a browser; they run one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class BrowserTests : ICollectionFixture<RunningApp>, ICollectionFixture<Chromium>
{
    public const string Name = "In a browser";
}

/// <summary>The application that browsers visit: every test comes as somebody new.</summary>
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
                // Still slow enough to be watched; what has to be slower says so itself.
                new("Generation:DemoTokensPerSecond", "200"),
            ]);
    }

    public async ValueTask DisposeAsync()
    {
        if (_host is not null)
            await _host.DisposeAsync();
    }
}
