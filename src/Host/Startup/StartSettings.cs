using System.Net;
using Microsoft.Extensions.Options;
using Npgsql;
using SevenX42.Host.Observability;
using SevenX42.Host.Realtime;

namespace SevenX42.Host.Startup;

/// <summary>What has to be known before there are services, and is refused before anything is started.</summary>
/// <param name="Role">What this process does.</param>
/// <param name="Urls">Addresses of the application.</param>
/// <param name="Management">The address of health and metrics.</param>
/// <param name="KnownNetworks">Proxies whose forwarded headers are believed.</param>
/// <param name="AllowedOrigins">Origins of the same site that may call the API with credentials.</param>
internal sealed record StartSettings(
    AppRole Role, IReadOnlyList<string> Urls, ManagementPort Management, IReadOnlyList<IPNetwork> KnownNetworks, string[] AllowedOrigins)
{
    private const string DefaultUrl = "http://localhost:5042";
    private const string Connections = "ConnectionStrings";
    private const string Postgres = "Postgres";

    /// <summary>Reads them.</summary>
    /// <exception cref="OptionsValidationException">One of them means nothing; the message says which, and what to write.</exception>
    public static StartSettings Read(IConfiguration configuration)
    {
        CheckConnectionStrings(configuration.GetSection(Connections));
        return new(
            ReadRole(configuration["Role"]),
            ReadUrls(configuration["Urls"]),
            ReadManagement(configuration["Management:Url"]),
            [.. ReadList(configuration, "ForwardedHeaders:KnownNetworks").Select(ReadNetwork)],
            [.. ReadList(configuration, "Cors:AllowedOrigins").Select(ReadOrigin)]);
    }

    // A process that serves pages shows what another one generates only if both write and read the same log.
    private static AppRole ReadRole(string? value) => value switch
    {
        null or "" => AppRole.All,
        _ when value.Equals(nameof(AppRole.All), StringComparison.OrdinalIgnoreCase) => AppRole.All,
        _ when value.Equals(nameof(AppRole.Web), StringComparison.OrdinalIgnoreCase) || value.Equals(nameof(AppRole.Worker), StringComparison.OrdinalIgnoreCase) =>
            throw Refuse("Role", "Role must be All: Web and Worker are processes of their own, which need a channel log that they share, and this version has none."),
        _ => throw Refuse("Role", "Role must be All."),
    };

    private static string[] ReadUrls(string? value)
    {
        var urls = (value is { Length: > 0 } ? value : DefaultUrl).Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        foreach (var url in urls)
        {
            if (!IsAddress(url))
                throw Refuse("Urls", $"Urls: '{url}' is no address to listen on; write {DefaultUrl}.");
        }

        return urls;
    }

    private static ManagementPort ReadManagement(string? value)
    {
        var url = value ?? ManagementPort.DefaultUrl;
        return string.IsNullOrWhiteSpace(url) || IsAddress(url)
            ? new ManagementPort(url)
            : throw Refuse("Management:Url", $"Management:Url: '{url}' is no address to listen on; write {ManagementPort.DefaultUrl}, or nothing for none.");
    }

    private static IPNetwork ReadNetwork(string value) => IPNetwork.TryParse(value, out var network)
        ? network
        : throw Refuse("ForwardedHeaders:KnownNetworks", $"ForwardedHeaders:KnownNetworks: '{value}' is no network; write it as 10.0.0.0/8.");

    private static string ReadOrigin(string value) => OriginPolicy.IsOrigin(value)
        ? value
        : throw Refuse("Cors:AllowedOrigins", $"Cors:AllowedOrigins: '{value}' is no origin; write scheme://host[:port].");

    private static void CheckConnectionStrings(IConfigurationSection connections)
    {
        foreach (var connection in connections.GetChildren().Where(c => c.Key.StartsWith(Postgres, StringComparison.OrdinalIgnoreCase)))
        {
            if (!IsConnectionString(connection.Value))
            {
                // Not what it is: there may be a password in it.
                throw Refuse(
                    connection.Path, $"{connection.Path} is no connection string; write it as Host=db;Database=app;Username=app;Password=secret.");
            }

            if (!string.IsNullOrWhiteSpace(connection.Value) && string.IsNullOrWhiteSpace(connections[Postgres]))
            {
                throw Refuse(
                    connection.Path, $"{connection.Path} needs {Connections}:{Postgres} beside it, for the modules that have no role of their own.");
            }
        }
    }

    private static bool IsConnectionString(string? value)
    {
        try
        {
            return string.IsNullOrWhiteSpace(value) || new NpgsqlConnectionStringBuilder(value).Host is { Length: > 0 };
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            return false;
        }
    }

    private static bool IsAddress(string url)
    {
        try
        {
            var address = BindingAddress.Parse(url);
            return address.Scheme is "http" or "https" && address.Port is >= 0 and <= IPEndPoint.MaxPort;
        }
        catch (FormatException)
        {
            return false;
        }
    }

    private static string[] ReadList(IConfiguration configuration, string key) => configuration.GetSection(key).Get<string[]>() ?? [];

    private static OptionsValidationException Refuse(string key, string sentence) => new(key, typeof(StartSettings), [sentence]);
}
