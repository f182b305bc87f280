using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace SevenX42.Host.Tests.Startup;

/// <summary>What a database does about TLS.</summary>
public enum DatabaseTls
{
    /// <summary>It does not speak it.</summary>
    None,

    /// <summary>It lets nobody in without.</summary>
    Wanted,

    /// <summary>It has a certificate that nobody trusts.</summary>
    Unknown,
}

/// <summary>As much of PostgreSQL as somebody meets who is not let in: the protocol's first messages, for one connection.</summary>
internal sealed class DoorOfPostgres : IAsyncDisposable
{
    private const int TlsRequest = 80877103;

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly DatabaseTls _tls;
    private readonly Task _serving;

    public DoorOfPostgres(DatabaseTls tls)
    {
        _tls = tls;
        _listener.Start();
        _serving = ServeAsync();
    }

    public string ConnectionString => string.Create(
        CultureInfo.InvariantCulture, $"Host=127.0.0.1;Port={((IPEndPoint)_listener.LocalEndpoint).Port};Username=a;Password=b;Database=c;Pooling=false;GSS Encryption Mode=Disable");

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        await _serving;
    }

    private async Task ServeAsync()
    {
        using var client = await _listener.AcceptTcpClientAsync();
        await using var stream = client.GetStream();
        try
        {
            if (await ReadCodeAsync(stream) == TlsRequest)
            {
                await stream.WriteAsync(_tls is DatabaseTls.Unknown ? "S"u8.ToArray() : "N"u8.ToArray());
                if (_tls is DatabaseTls.Unknown)
                    await HandshakeAsync(stream);
                return;
            }

            // Severity, code and message of an error, each ended by a zero.
            var error = Encoding.ASCII.GetBytes(
                "SFATAL\0VFATAL\0C28000\0Mno pg_hba.conf entry for host \"127.0.0.1\", user \"a\", database \"c\", no encryption\0\0");
            await stream.WriteAsync((byte[])[(byte)'E', .. BitConverter.GetBytes(IPAddress.HostToNetworkOrder(error.Length + 4)), .. error]);
        }
        catch (Exception e) when (e is IOException or System.Security.Authentication.AuthenticationException)
        {
            // The client has gone, as it should.
        }
    }

    // Its length, what it is, and the rest.
    private static async Task<int> ReadCodeAsync(NetworkStream stream)
    {
        var head = new byte[8];
        await stream.ReadExactlyAsync(head);
        var rest = new byte[IPAddress.NetworkToHostOrder(BitConverter.ToInt32(head)) - head.Length];
        await stream.ReadExactlyAsync(rest);
        return IPAddress.NetworkToHostOrder(BitConverter.ToInt32(head, 4));
    }

    private static async Task HandshakeAsync(NetworkStream stream)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = new CertificateRequest("CN=postgres.test", key, HashAlgorithmName.SHA256).CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        await using var tls = new SslStream(stream, leaveInnerStreamOpen: true);
        await tls.AuthenticateAsServerAsync(certificate);
        await tls.ReadExactlyAsync(new byte[1]);
    }
}
