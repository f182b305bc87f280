using System.Net;
using Microsoft.Extensions.Options;
using Npgsql;
using SevenX42.Host.Observability;
using SevenX42.Host.Realtime;
using SevenX42.Realtime;

namespace SevenX42.Host.Startup;

/// <summary>What has to be known before there are services, and is refused before anything is started.</summary>
/// <param name="Role">What this process does.</param>
/// <param name="Redis">Connection string of the Redis that all processes share; <see langword="null"/> where there is one process.</param>
/// <param name="Urls">Addresses of the application.</param>
/// <param name="Management">The address of health and metrics.</param>
/// <param name="KnownNetworks">Proxies whose forwarded headers are believed.</param>
/// <param name="AllowedOrigins">Origins of the same site that may call the API with credentials.</param>
internal sealed record StartSettings(
    AppRole Role,
    string? Redis,
    IReadOnlyList<string> Urls,
    ManagementPort Management,
    IReadOnlyList<IPNetwork> KnownNetworks,
    string[] AllowedOrigins)
{
    private const string DefaultUrl = "http://localhost:5042";
    private const string Connections = "ConnectionStrings";
    private const string Postgres = "Postgres";

    /// <summary>Reads them.</summary>
    /// <exception cref="OptionsValidationException">One of them means nothing; the message says which, and what to write.</exception>
    public static StartSettings Read(IConfiguration configuration)
    {
        var connections = configuration.GetSection(Connections);
        CheckConnectionStrings(connections);
        var redis = ReadRedis(connections["Redis"]);
        return new(
            ReadRole(configuration["Role"], isShared: redis is not null && !string.IsNullOrWhiteSpace(connections[Postgres])),
            redis,
            ReadUrls(configuration["Urls"]),
            ReadManagement(configuration["Management:Url"]),
            [.. ReadList(configuration, "ForwardedHeaders:KnownNetworks").Select(ReadNetwork)],
            [.. ReadList(configuration, "Cors:AllowedOrigins").Select(ReadOrigin)]);
    }

    // A process that serves pages shows what another one generates only if both have the same database, and the same log.
    private static AppRole ReadRole(string? value, bool isShared)
    {
        if (string.IsNullOrEmpty(value))
            return AppRole.All;
        // By names alone: an enumeration would be parsed from numbers and lists, too.
        if (Enum.GetNames<AppRole>().FirstOrDefault(name => name.Equals(value, StringComparison.OrdinalIgnoreCase)) is not { } known)
            throw Refuse("Role", "Role must be All, Web or Worker.");
        var role = Enum.Parse<AppRole>(known);
        return role is AppRole.All || isShared
            ? role
            : throw Refuse(
                "Role",
                $"Role {known} needs {Connections}:Postgres and {Connections}:Redis: Web and Worker are processes of their own, "
                + "which need a database and a channel log that they share.");
    }

    private static string? ReadRedis(string? value)
    {
        if (string.IsNullOrWhiteSpace(value))
            return null;
        // Not what it is: there may be a password in it.
        return RedisConnectionString.IsValid(value)
            ? value
            : throw Refuse($"{Connections}:Redis", $"{Connections}:Redis is no connection string; write it as redis:6379,password=secret,ssl=true.");
    }

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
