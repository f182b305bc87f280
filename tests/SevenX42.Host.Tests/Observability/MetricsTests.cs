using System.Globalization;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Observability;

/// <summary>What a scrape of the management port finds.</summary>
// Alone, for a process's meters are one, whichever host they are of.
[Collection(nameof(Alone))]
public sealed class MetricsTests(PostgresServer postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Times_are_told_finely_enough_to_see_what_people_wait_for()
    {
        var management = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{HostProcess.FreePort()}");
        await using var app = await AppHost.StartAsync(await postgres.CreateDatabaseAsync(), [new("Management:Url", management)]);
        using var browser = new ChatBrowser(app);
        await browser.FinishedAsync(await browser.BeginAsync("Hello"));
        using var http = new HttpClient();

        var lines = (await http.GetStringAsync(new Uri($"{management}/metrics"), Cancel)).Split('\n');

        foreach (var name in (string[])["queued", "first_token"])
        {
            var bounds = lines.Where(l => l.StartsWith($"sevenx42_generation_{name}_seconds_bucket{{", StringComparison.Ordinal))
                .Select(l => l.Split("le=\"")[1].Split('"')[0]).ToHashSet();
            Assert.Superset(new HashSet<string> { "0.01", "0.1", "1", "10", "60" }, bounds);
        }
    }

    [Fact]
    public async Task The_gauge_that_replicas_are_scaled_on_says_how_many_sockets_are_open_here()
    {
        var management = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{HostProcess.FreePort()}");
        await using var app = await AppHost.StartAsync(
            await postgres.CreateDatabaseAsync(), [new("Management:Url", management), new("RateLimits:CommandsPerMinute", "1000")]);
        using var browser = new ChatBrowser(app);
        await browser.BeginAsync("Hello");
        using var http = new HttpClient();

        await using var first = await RealtimeClient.ConnectAsync(app.Address, await browser.RealtimeTokenAsync());
        await using var second = await RealtimeClient.ConnectAsync(app.Address, await browser.RealtimeTokenAsync());
        await Eventually.TrueAsync(async () => await ScrapeAsync() == "2");
        await first.DisposeAsync();
        await Eventually.TrueAsync(async () => await ScrapeAsync() == "1");

        async Task<string?> ScrapeAsync()
        {
            var text = await http.GetStringAsync(new Uri($"{management}/metrics"), Cancel);
            Assert.Contains("# TYPE sevenx42_realtime_connections gauge\n", text, StringComparison.Ordinal);
            // Name, labels, value, time.
            return text.Split('\n').Single(l => l.StartsWith("sevenx42_realtime_connections{", StringComparison.Ordinal)).Split("} ")[1].Split(' ')[0];
        }
    }
}
