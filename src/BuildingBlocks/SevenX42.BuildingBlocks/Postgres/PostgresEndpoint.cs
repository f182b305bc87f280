using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Npgsql;

namespace SevenX42.Postgres;

/// <summary>Where the embedded server listens: a Unix socket nobody else can reach, or loopback where there are none.</summary>
internal sealed record PostgresEndpoint(string ConnectionString, IReadOnlyList<string> ServerArguments)
{
    // sun_path holds 107 bytes and a zero on Linux, 103 on macOS.
    private const int LongestSocketPath = 100;
    private const string SocketName = ".s.PGSQL.5432";

    public static PostgresEndpoint Choose(string root, UnprivilegedUser? user)
    {
        if (OperatingSystem.IsWindows())
            return Loopback();
        var folder = Path.Combine(root, "run");
        if (Encoding.UTF8.GetByteCount(folder) + SocketName.Length + 1 > LongestSocketPath)
        {
            var name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(root)))[..16];
            folder = Path.Combine(Path.GetTempPath(), $"7x42-{name}");
        }

        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        user?.Own(folder);
        return new PostgresEndpoint(
            new NpgsqlConnectionStringBuilder { Host = folder, Port = 5432 }.ConnectionString,
            ["-c", "listen_addresses=", "-c", $"unix_socket_directories={folder}", "-c", "unix_socket_permissions=0700"]);
    }

    private static PostgresEndpoint Loopback()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        var port = ((IPEndPoint)probe.LocalEndpoint).Port;
        return new PostgresEndpoint(
            new NpgsqlConnectionStringBuilder { Host = "127.0.0.1", Port = port }.ConnectionString,
            ["-c", "listen_addresses=127.0.0.1", "-c", string.Create(CultureInfo.InvariantCulture, $"port={port}")]);
    }
}
