using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using SevenX42.Host;
using SevenX42.Host.Observability;
using SevenX42.Host.Startup;

namespace SevenX42.Testing;

/// <summary>
/// The real application in this process: the real chain, modules and Kestrel on a free port, on a fresh database. What a
/// test configures is configuration; what it replaces is time or the outside world, never a part of ours.
/// </summary>
public sealed class AppHost : IAsyncDisposable
{
    private readonly ApplicationHost _host;

    private readonly DirectoryInfo _data;

    private AppHost(ApplicationHost host, Uri address, DirectoryInfo data) => (_host, Address, _data) = (host, address, data);

    /// <summary>Where it listens: <c>http://127.0.0.1:port</c>.</summary>
    public Uri Address { get; }

    /// <summary>The application's services, for looking into what is stored.</summary>
    public IServiceProvider Services => _host.App.Services;

    /// <summary>Starts the application.</summary>
    /// <param name="connectionString">A database of <see cref="PostgresServer"/>, or one that an earlier instance left.</param>
    /// <param name="settings">Configuration keys and values.</param>
    /// <param name="services">Replaces services of the outside world.</param>
    public static async Task<AppHost> StartAsync(
        string connectionString,
        IEnumerable<KeyValuePair<string, string?>>? settings = null,
        Action<IServiceCollection>? services = null)
    {
        var data = Directory.CreateTempSubdirectory("7x42-test-");
        var host = await CreateAsync(connectionString, data, settings, services);
        try
        {
            await host.App.PrepareDatabaseAsync(CancellationToken.None);
            await host.App.StartAsync();
        }
        catch
        {
            await host.DisposeAsync();
            data.Delete(recursive: true);
            throw;
        }

        var management = host.App.Services.GetRequiredService<ManagementPort>();
        var address = host.App.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single(a => !management.Is(a));
        return new AppHost(host, new Uri(address), data);
    }

    /// <summary>Gives an empty database every module's schema.</summary>
    internal static async Task MigrateAsync(string connectionString)
    {
        var data = Directory.CreateTempSubdirectory("7x42-test-");
        await using (var host = await CreateAsync(connectionString, data))
            await host.App.Services.MigrateAsync(CancellationToken.None);
        data.Delete(recursive: true);
    }

    private static Task<ApplicationHost> CreateAsync(
        string connectionString,
        DirectoryInfo data,
        IEnumerable<KeyValuePair<string, string?>>? settings = null,
        Action<IServiceCollection>? services = null) =>
        ApplicationHost.CreateAsync(
            ["--environment", "Development", "--contentRoot", Repository.HostDirectory],
            builder =>
            {
                builder.Logging.ClearProviders();
                builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
                {
                    ["Urls"] = "http://127.0.0.1:0",
                    ["Management:Url"] = "",
                    ["ConnectionStrings:Postgres"] = connectionString,
                    ["DataDirectory"] = data.FullName,
                    ["Identity:Guests"] = "true",
                    // One for all, so that a second instance on the same database reads the keys of the first.
                    ["Identity:KeyEncryptionSecret"] = "tests-and-nothing-but-tests-f3a9c1e7b5d2",
                    ["Identity:RateLimits:SignInsPerMinute"] = "100000",
                    ["Identity:RateLimits:SignUpsPerHour"] = "100000",
                    ["Identity:RateLimits:GuestsPerHour"] = "100000",
                    ["Generation:Discovery"] = "false",
                    // Still slow enough to be watched; what has to be slower says so itself.
                    ["Generation:DemoTokensPerSecond"] = "400",
                });
                builder.Configuration.AddInMemoryCollection(settings ?? []);
                services?.Invoke(builder.Services);
            });

    /// <summary>A browser-like client: keeps cookies, does not follow redirects.</summary>
    public HttpClient CreateClient() =>
        new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = true, CookieContainer = new() }) { BaseAddress = Address };

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        _data.Delete(recursive: true);
    }
}
