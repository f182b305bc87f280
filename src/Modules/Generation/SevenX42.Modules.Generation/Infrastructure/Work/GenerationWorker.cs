using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using SevenX42.Modules.Generation.Infrastructure.Jobs;

namespace SevenX42.Modules.Generation.Infrastructure.Work;

/// <summary>
/// Claims queued generations and runs them. Woken by signals of this process and of others, and by a slow poll that also
/// finds what dead workers left.
/// </summary>
internal sealed partial class GenerationWorker(
    AppRoleContext role,
    AttemptServices services,
    RunningGenerations running,
    LeaseKeeper keeper,
    QueueAnnouncer announcer,
    JobSweeper sweeper,
    WorkSignal signal,
    WorkerIdentity identity,
    WorkerName name,
    IHostApplicationLifetime lifetime,
    ILogger<GenerationWorker> logger) : BackgroundService
{
    /// <summary>How long handing over may take behind the time to drain: a database that hangs must not keep the process.</summary>
    public static readonly TimeSpan HandOverLimit = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    private readonly GenerationOptions _options = services.Options;
    private readonly TimeProvider _time = services.Time;

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        if (role.RunsWork)
            await name.TakeAsync(cancellationToken);
        await base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!role.RunsWork)
            return;

        // The web server drains its connections before hosted services are stopped: leases must not wait for that.
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, lifetime.ApplicationStopping);
        using var housekeeping = new CancellationTokenSource();
        var tasks = Task.WhenAll(
            keeper.RunAsync(housekeeping.Token), announcer.RunAsync(housekeeping.Token), sweeper.RunAsync(housekeeping.Token));
        await ClaimUntilAsync(stopping.Token);
        await HandOverAsync();
        await name.ReleaseAsync();
        await housekeeping.CancelAsync();
        await tasks;
    }

    private async Task ClaimUntilAsync(CancellationToken stoppingToken)
    {
        var recovered = !identity.IsStable;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await services.Providers.WaitUntilKnownAsync(stoppingToken);
                await name.HoldAsync(stoppingToken);
                if (!recovered)
                    await RecoverAsync(stoppingToken);
                recovered = true;
                if (await ClaimAsync(stoppingToken))
                    continue;
                await signal.WaitAsync(_options.PollInterval, _time, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                LogClaimFailed(logger, e);
                await Task.Delay(RetryDelay, _time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task RecoverAsync(CancellationToken stoppingToken)
    {
        if (await services.Jobs.ReleaseEarlierLifeAsync(identity.Id, stoppingToken) is var count and > 0)
            LogRecovered(logger, count, identity.Id);
    }

    /// <summary>Claims as many as there is room for.</summary>
    /// <returns>Whether there may be more to claim at once.</returns>
    private async Task<bool> ClaimAsync(CancellationToken stoppingToken)
    {
        var room = _options.MaxConcurrent - running.Count;
        if (room <= 0)
            return false;

        // Not cancelled on the way: a claim whose answer is lost would keep its jobs from everybody until the lease ends.
        var claimed = await services.Jobs.ClaimAsync(
            identity.Id, room, _options.Lease, services.Providers.Slots, CancellationToken.None);
        foreach (var job in claimed)
        {
            var attempt = new GenerationAttempt(job, services);
            running.Add(attempt);
            attempt.Start(Over);
        }

        announcer.Moved();
        return claimed.Count == room && !stoppingToken.IsCancellationRequested;
    }

    private void Over(GenerationAttempt attempt)
    {
        running.Remove(attempt);
        signal.Set();
    }

    /// <summary>Gives running generations back, so that another worker, or this one's next life, goes on at once.</summary>
    private async Task HandOverAsync()
    {
        var attempts = running.All.ToList();
        if (attempts.Count == 0)
            return;
        var completion = Task.WhenAll(attempts.Select(a => a.Completion));
        if (_options.DrainTime > TimeSpan.Zero)
            await completion.WaitAsync(_options.DrainTime, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var attempt in attempts)
            attempt.Stop(StopReason.Shutdown);
        await completion.WaitAsync(HandOverLimit, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        LogHandedOver(logger, attempts.Count(a => a.Completion.IsCompleted), attempts.Count);
    }

    [LoggerMessage(1, LogLevel.Warning, "Work can't be claimed now")]
    private static partial void LogClaimFailed(ILogger logger, Exception exception);

    [LoggerMessage(2, LogLevel.Information, "{Count} generations of the last life of {WorkerId} go on")]
    private static partial void LogRecovered(ILogger logger, int count, string workerId);

    [LoggerMessage(3, LogLevel.Information, "{Count} of {Running} running generations are finished or handed over")]
    private static partial void LogHandedOver(ILogger logger, int count, int running);
}
