using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace SevenX42.Realtime;

/// <summary>Redis answers, and will go on refusing until its configuration is changed; the message says what to change.</summary>
public sealed class RedisRefusedException(string message, Exception innerException) : Exception(message, innerException);

/// <summary>
/// Connects before anything is served. A Redis that refuses what is configured ends the start; one that does not answer is
/// waited for while the process runs.
/// </summary>
internal sealed partial class RedisStart(IChannelLog log, RedisConnections connections, TimeProvider time, ILogger<RedisStart> logger)
    : IHostedService
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan HandshakeLimit = TimeSpan.FromSeconds(2);

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(Limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        Exception away;
        try
        {
            await log.GetPositionAsync(RedisNames.StartChannel, either.Token);
            return;
        }
        catch (ChannelLogUnavailableException e)
        {
            away = e;
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            away = e;
        }
        finally
        {
            connections.IsPatient = false;
        }

        if ((Explain(away) ?? await ExplainSilenceAsync(cancellationToken)) is { } sentence)
            throw new RedisRefusedException(sentence, away);
        LogAway(away);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>The sentence for what Redis said; <see langword="null"/> when it said nothing, which may pass.</summary>
    internal static string? Explain(Exception exception)
    {
        var causes = new List<Exception>();
        for (var cause = exception; cause is not null; cause = cause.InnerException)
            causes.Add(cause);
        var text = string.Join('\n', causes.Select(c => c.Message));
        return causes switch
        {
            _ when Says("NOAUTH") || Says("WRONGPASS") => "Redis refuses the user or password of ConnectionStrings__Redis.",
            _ when Says("NOPERM") || Says("The user executing the script") =>
                "Redis does not let the user of ConnectionStrings__Redis do what is needed. Give it EVALSHA, SCRIPT, INFO, TIME, PUBLISH, "
                + "SUBSCRIBE and the commands of strings, hashes, sorted sets, streams and expiry on the keys and channels that begin with "
                + "ChannelLog__Redis__KeyPrefix.",
            _ when causes.OfType<AuthenticationException>().FirstOrDefault() is { } handshake =>
                $"The TLS of the Redis in ConnectionStrings__Redis is not accepted: {handshake.Message.TrimEnd('.')}. "
                + "Use the name in its certificate as the host, and have this machine trust who issued it.",
            _ => null,
        };

        bool Says(string code) => text.Contains(code, StringComparison.Ordinal);
    }

    /// <summary>
    /// The sentence when one of the two speaks TLS and the other does not: then neither understands that the other said anything.
    /// </summary>
    private async Task<string?> ExplainSilenceAsync(CancellationToken cancellationToken)
    {
        var (options, hasCertificate) = (connections.Options, false);
        using var limit = new CancellationTokenSource(HandshakeLimit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            using var client = new TcpClient();
            await (options.EndPoints[0] switch
            {
                IPEndPoint endPoint => client.ConnectAsync(endPoint, either.Token),
                DnsEndPoint { Port: var port, Host: var host } => client.ConnectAsync(host, port > 0 ? port : options.Ssl ? 6380 : 6379, either.Token),
                _ => throw new SocketException(),
            });
            if (options.Ssl)
            {
                var answer = new byte[1];
                await client.GetStream().WriteAsync("PING\r\n"u8.ToArray(), either.Token);
                return await client.GetStream().ReadAsync(answer, either.Token) == 1 && answer[0] is (byte)'+' or (byte)'-'
                    ? "The Redis in ConnectionStrings__Redis does not speak TLS. Remove ssl=true, or name the port where it does."
                    : null;
            }

            // To show a certificate is enough; whatever it is, nothing more is said.
            using var tls = new SslStream(client.GetStream(), leaveInnerStreamOpen: false, (_, _, _, _) => !(hasCertificate = true));
            await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "redis" }, either.Token);
            return null;
        }
        catch (Exception e) when (e is SocketException or IOException or AuthenticationException or OperationCanceledException)
        {
            return hasCertificate ? "The Redis in ConnectionStrings__Redis speaks TLS. Add ssl=true, or name the port where it does not." : null;
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Redis does not answer; nothing live comes until it does. Check ConnectionStrings__Redis: host and port")]
    private partial void LogAway(Exception exception);
}
