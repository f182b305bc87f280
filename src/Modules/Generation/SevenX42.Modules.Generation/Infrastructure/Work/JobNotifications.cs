using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using SevenX42.Persistence;

namespace SevenX42.Modules.Generation.Infrastructure.Work;

/// <summary>
/// Hears other processes' signals through PostgreSQL's LISTEN: new work, and generations to stop. Hints only; what is lost
/// is found by polling.
/// </summary>
internal sealed partial class JobNotifications(
    PostgresDataSources sources,
    WorkerIdentity identity,
    WorkSignal work,
    RunningGenerations running,
    TimeProvider time,
    ILogger<JobNotifications> logger) : BackgroundService
{
    public const string Channel = "sevenx42_generation";

    private static readonly TimeSpan ProbeInterval = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan ReconnectDelay = TimeSpan.FromSeconds(1);

    private volatile bool _listening;

    /// <summary>Whether signals arrive now.</summary>
    public bool IsListening => _listening;

    public static string WorkPayload(WorkerIdentity sender) => $"{sender.Origin} work";

    public static string CancelPayload(WorkerIdentity sender, Guid generationId) => $"{sender.Origin} cancel {generationId}";

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await ListenAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is NpgsqlException or IOException or TimeoutException or InvalidOperationException)
            {
                LogDeaf(logger, e);
            }
            finally
            {
                _listening = false;
            }

            await Task.Delay(ReconnectDelay, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ListenAsync(CancellationToken stoppingToken)
    {
        await using var connection = await sources.For(GenerationModule.Schema).OpenConnectionAsync(stoppingToken);
        connection.Notification += OnNotification;
        try
        {
            await using (var listen = new NpgsqlCommand($"LISTEN {Channel}", connection))
                await listen.ExecuteNonQueryAsync(stoppingToken);
            _listening = true;
            work.Set();
            while (true)
            {
                // A connection that died silently looks like a quiet one, so it is asked now and then.
                if (!await connection.WaitAsync(ProbeInterval, stoppingToken))
                {
                    await using var probe = new NpgsqlCommand("SELECT 1", connection) { CommandTimeout = 5 };
                    await probe.ExecuteScalarAsync(stoppingToken);
                }
            }
        }
        finally
        {
            connection.Notification -= OnNotification;
        }
    }

    private void OnNotification(object sender, NpgsqlNotificationEventArgs notification)
    {
        var parts = notification.Payload.Split(' ');
        if (parts[0] == identity.Origin)
            return;
        if (parts is [_, "cancel", var id] && Guid.TryParse(id, out var generationId))
            running.Stop(generationId, StopReason.Cancelled);
        else
            work.Set();
    }

    [LoggerMessage(1, LogLevel.Warning, "Signals from other processes don't arrive now; polling goes on")]
    private static partial void LogDeaf(ILogger logger, Exception exception);
}
