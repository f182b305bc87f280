using Xunit;

namespace SevenX42.Testing;

/// <summary>The application that the tests of a class share, as a class fixture: every test comes as somebody new.</summary>
public sealed class RunningApp(PostgresServer postgres) : IAsyncLifetime
{
    private AppHost? _host;

    /// <summary>The application.</summary>
    public AppHost Host => _host!;

    /// <summary>Where it listens.</summary>
    public Uri Address => Host.Address;

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        _host = await AppHost.StartAsync(
            await postgres.CreateDatabaseAsync(),
            [
                // Everybody comes from the same address.
                new("RateLimits:CommandsPerMinute", "100000"),
                new("RateLimits:QueriesPerMinute", "100000"),
            ]);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_host is not null)
            await _host.DisposeAsync();
    }
}
