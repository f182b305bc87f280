namespace SevenX42.Host.Startup;

/// <summary>
/// The <c>health</c> command: asks the application that runs beside it, with the same configuration, whether it is ready. So an
/// image without a shell can tell how it is.
/// </summary>
internal static class HealthCommand
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    /// <summary>Runs the command when <paramref name="args"/> ask for it; starts nothing of the application.</summary>
    /// <returns>The exit code, 0 for ready and 1 for not; <see langword="null"/> when something else is asked for.</returns>
    public static async Task<int?> TryRunAsync(string[] args)
    {
        if (args is not ["health", .. var rest])
            return null;
        var settings = StartSettings.Read(WebApplication.CreateEmptyBuilder(new() { Args = rest }).Configuration
            .AddEnvironmentVariables().AddCommandLine(rest).Build());
        var url = new Uri(Reachable(settings.Management.Url ?? settings.Urls[0]), "/health/ready");
        using var http = new HttpClient { Timeout = Limit };
        try
        {
            using var response = await http.GetAsync(url);
            Console.WriteLine(await response.Content.ReadAsStringAsync());
            return response.IsSuccessStatusCode ? 0 : 1;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            await Console.Error.WriteLineAsync($"Nothing answers at {url}: {e.Message}");
            return 1;
        }
    }

    /// <summary>Where an address that is listened on can be asked: "every interface" is none.</summary>
    internal static Uri Reachable(string url)
    {
        var address = BindingAddress.Parse(url);
        var host = address.Host is "+" or "*" or "0.0.0.0" or "[::]" ? "localhost" : address.Host;
        return new UriBuilder(address.Scheme, host, address.Port).Uri;
    }
}
