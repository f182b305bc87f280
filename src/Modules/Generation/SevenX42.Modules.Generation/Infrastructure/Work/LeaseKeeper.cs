using Microsoft.Extensions.Logging;
using SevenX42.Modules.Generation.Infrastructure.Jobs;

namespace SevenX42.Modules.Generation.Infrastructure.Work;

/// <summary>
/// Keeps this process's leases and stores new text, all running jobs in one statement: a token costs no database work, a
/// generation a share of one statement a second.
/// </summary>
internal sealed partial class LeaseKeeper(
    JobStore jobs,
    RunningGenerations running,
    JobNotifications notifications,
    WorkerIdentity identity,
    GenerationOptions options,
    TimeProvider time,
    ILogger<LeaseKeeper> logger)
{
    private const int BatchSize = 100;

    /// <summary>How often it looks whether somebody has much new text.</summary>
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(250);

    private long _lastRound = time.GetTimestamp();
    private bool _failed;

    public async Task RunAsync(CancellationToken stoppingToken)
    {
        var tick = options.CheckpointInterval < Tick ? options.CheckpointInterval : Tick;
        using var timer = new PeriodicTimer(tick, time);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (!await timer.WaitForNextTickAsync(stoppingToken))
                    return;
                await BeatAsync(stoppingToken);
                _failed = false;
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // Streams go on; what is lost is found at the next beat.
                if (!_failed)
                    LogFailed(logger, e);
                _failed = true;
            }
        }
    }

    private async Task BeatAsync(CancellationToken cancellationToken)
    {
        var round = time.GetElapsedTime(_lastRound) >= options.CheckpointInterval;
        var due = new List<(GenerationAttempt Attempt, Checkpoint Checkpoint, long Version, int Length)>();
        foreach (var attempt in running.All)
        {
            var version = attempt.Record.Version;
            var length = attempt.Record.Length;
            var changed = version != attempt.StoredVersion && !attempt.IsFinishing
                && (round || Math.Abs(length - attempt.StoredLength) >= options.CheckpointCharacters);
            if (changed)
            {
                var (content, snapshot) = attempt.Record.Snapshot();
                due.Add((attempt, new Checkpoint(attempt.Job.Id, attempt.Job.Attempt, content), snapshot, length));
            }
            else if (time.GetElapsedTime(attempt.LastBeat) >= options.Heartbeat)
            {
                due.Add((attempt, new Checkpoint(attempt.Job.Id, attempt.Job.Attempt, Content: null), attempt.StoredVersion, attempt.StoredLength));
            }
        }

        foreach (var batch in due.Chunk(BatchSize))
        {
            var beatAt = time.GetTimestamp();
            var beats = await jobs.BeatAsync([.. batch.Select(b => b.Checkpoint)], options.Lease, cancellationToken);
            var kept = beats.ToDictionary(b => (b.Id, b.Attempt), b => b.CancelRequested);
            foreach (var (attempt, checkpoint, version, length) in batch)
            {
                if (kept.TryGetValue((checkpoint.Id, checkpoint.Attempt), out var cancelled))
                {
                    (attempt.StoredVersion, attempt.StoredLength, attempt.LastBeat) = (version, length, beatAt);
                    if (cancelled)
                        attempt.Stop(StopReason.Cancelled);
                }
                else if (!attempt.IsFinishing)
                {
                    attempt.Stop(StopReason.LeaseLost);
                }
            }
        }

        if (!round)
            return;
        _lastRound = time.GetTimestamp();

        // Without signals a stop would wait for the next heartbeat, which is too long for somebody who pressed a button.
        if (!notifications.IsListening && running.Count > 0)
        {
            foreach (var id in await jobs.FindCancelledAsync(identity.Id, cancellationToken))
                running.Stop(id, StopReason.Cancelled);
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Leases can't be extended now")]
    private static partial void LogFailed(ILogger logger, Exception exception);
}
