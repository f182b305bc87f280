using Microsoft.Extensions.Options;
using SevenX42.Contracts.Identity;

namespace SevenX42.Host.Realtime;

/// <summary>
/// Closes the sockets of sessions that have ended, on this replica, within seconds: one query for all that are open,
/// rather than one each, and no message between replicas that could get lost.
/// </summary>
internal sealed partial class SessionRevocation(
    RealtimeClients clients,
    IServiceScopeFactory scopes,
    IOptions<RealtimeOptions> options,
    TimeProvider time,
    ILogger<SessionRevocation> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var failing = false;
        using var timer = new PeriodicTimer(options.Value.RevocationInterval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await RevokeAsync(stoppingToken);
                failing = false;
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                if (!failing)
                    LogFailed(e);
                failing = true;
            }
        }
    }

    private async Task RevokeAsync(CancellationToken cancellationToken)
    {
        var open = clients.Snapshot().ToLookup(c => c.Identity.SessionId);
        if (open.Count == 0)
            return;
        await using var scope = scopes.CreateAsyncScope();
        var ended = await scope.ServiceProvider.GetRequiredService<IIdentityApi>()
            .FindEndedSessionsAsync([.. open.Select(session => session.Key)], cancellationToken);
        if (ended.Count == 0)
            return;
        clients.RememberAsEnded(ended);
        foreach (var session in ended)
        {
            foreach (var client in open[session])
                client.SignOut();
            LogEnded(session, open[session].Count());
        }
    }

    [LoggerMessage(1, LogLevel.Information, "Session {SessionId} has ended; {Count} of its connections are closed")]
    private partial void LogEnded(Guid sessionId, int count);

    [LoggerMessage(2, LogLevel.Error, "Which sessions have ended can't be told now")]
    private partial void LogFailed(Exception exception);
}
