using System.Diagnostics;
using Microsoft.Extensions.Logging;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Domain.Images;
using SevenX42.Modules.Generation.Infrastructure.Images;
using SevenX42.Modules.Generation.Infrastructure.Jobs;
using SevenX42.Modules.Generation.Infrastructure.Providers;
using SevenX42.Persistence;
using SevenX42.Realtime;

namespace SevenX42.Modules.Generation.Infrastructure.Work;

/// <summary>What every attempt of a process shares.</summary>
internal sealed record AttemptServices(
    JobStore Jobs,
    IChannelLog Log,
    ProviderRegistry Providers,
    PictureStore Pictures,
    PreviewStore Previews,
    ShownPictures Shown,
    GenerationOptions Options,
    GenerationMetrics Metrics,
    TimeProvider Time,
    ILogger<GenerationAttempt> Logger);

/// <summary>
/// One claim of one job, from the claim to the end, the release or the loss of its lease. Its runner fills the record; the log's writer
/// and the lease keeper take it from there.
/// </summary>
#pragma warning disable CA1001 // The runner is disposed where it has run.
internal sealed partial class GenerationAttempt
#pragma warning restore CA1001
{
    /// <summary>How long the last events may hold up the final state.</summary>
    private static readonly TimeSpan FlushLimit = TimeSpan.FromSeconds(2);

    /// <summary>How long a log that is away is waited for before the end is left to the sweeper.</summary>
    private static readonly TimeSpan AnnounceLimit = TimeSpan.FromSeconds(30);

    /// <summary>How long a stopping process waits for a database that does not answer.</summary>
    private static readonly TimeSpan ReleaseLimit = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan MaxStoreDelay = TimeSpan.FromSeconds(2);

    private readonly AttemptServices _services;
    private readonly TimeProvider _time;
    private readonly AttemptStop _stop = new();
    private readonly Runner _runner;
    private readonly long _started;

    public GenerationAttempt(ClaimedJob job, AttemptServices services)
    {
        (Job, _services, _time) = (job, services, services.Time);
        _runner = job.IsImage ? new ImageRunner(job, services, _stop) : new TextRunner(job, services, _stop);
        _started = _time.GetTimestamp();
        LastBeat = _started;
        StoredVersion = Record.Version;
    }

    public ClaimedJob Job { get; }

    /// <summary>Completes when the attempt is over and nothing of it runs.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    /// <summary>Whether the end is being stored: the lease is kept, but its loss is found by the store itself.</summary>
    public bool IsFinishing { get; private set; }

    /// <summary>The record's version at the last checkpoint. Of the lease keeper.</summary>
    public long StoredVersion { get; set; }

    /// <summary>Length of everything at the last checkpoint. Of the lease keeper.</summary>
    public int StoredLength { get; set; }

    /// <summary>When the lease was last extended. Of the lease keeper.</summary>
    public long LastBeat { get; set; }

    public IAttemptRecord Record => _runner.Record;

    /// <summary>Whether so many attempts died that there is to be no other.</summary>
    private bool IsLast => Job.Crashes >= _services.Options.MaxAttempts;

    private GenerationFailure WorkersDied => Job.IsImage ? ImageFailures.WorkersDied(Job.Crashes) : Failures.WorkersDied(Job.Crashes);

    /// <summary>Begins the work.</summary>
    public void Start(Action<GenerationAttempt> over) => Completion = Task.Run(async () =>
    {
        try
        {
            await RunAsync();
        }
        catch (Exception e)
        {
            // Neither the job nor its channel could be told. The lease runs out by itself, and the job is begun again.
            LogAbandoned(_services.Logger, e, Job.Id, Job.Attempt);
        }
        finally
        {
            over(this);
        }
    });

    /// <summary>Makes the attempt stop; the first reason counts. The upstream request is closed at once.</summary>
    public void Stop(StopReason reason) => _stop.Stop(reason);

    private async Task RunAsync()
    {
        using var activity = GenerationMetrics.Activities.StartActivity("generation.attempt");
        activity?.SetTag("generation.id", Job.Id).SetTag("conversation.id", Job.ConversationId).SetTag("generation.attempt", Job.Attempt);
        using var logging = _services.Logger.BeginScope(new Dictionary<string, object>
        {
            ["GenerationId"] = Job.Id,
            ["ConversationId"] = Job.ConversationId,
            ["UserId"] = Job.UserId,
            ["Attempt"] = Job.Attempt,
        });
        LogClaimed(_services.Logger, Job.Id, Job.Model, Job.Attempt);
        if (Job.Attempt == 1)
            _services.Metrics.Claimed(Job.Age);
        var writer = new LogWriter(_services.Log, Job, Record, () => Stop(StopReason.LeaseLost), _time, _services.Logger);
        using (_runner)
        await using (writer)
        {
            // Says who works on it now, and keeps whoever did before from writing on.
            Record.Begin(Job.Attempt);
            writer.Wake();
            try
            {
                var end = await GenerateAsync(writer);
                activity?.SetTag("generation.status", end.Status).SetTag("error.code", end.Failure?.Code);
                await FinishAsync(writer, end);
            }
            catch (OperationCanceledException) when (_stop.Left.IsCancellationRequested)
            {
                // The lease is another's, or runs out because the process stops without a database.
                LogLost(_services.Logger, Job.Id, Job.Attempt);
            }
            catch (Exception e)
            {
                // A fault of ours. Counted as an attempt that died, so that a poison job ends after a few.
                activity?.SetStatus(ActivityStatusCode.Error);
                LogFault(_services.Logger, e, Job.Id, Job.Attempt);
                await ReleaseAsync(writer, crashed: true);
            }
        }
    }

    private async Task<End> GenerateAsync(LogWriter writer)
    {
        if (Job.Attempt > 1)
            await _runner.ResumeAsync(writer.Wake);
        // Whoever did the last of it died before they could say so: nobody has to be asked, nor be there.
        if (_runner.IsDone)
            return End.Completed;
        if (Job.CancelRequested)
            Stop(StopReason.Cancelled);
        if (_stop.Reason is not StopReason.None)
            return _runner.EndOf(_stop.Reason);
        if (IsLast)
        {
            _services.Metrics.DeadLettered();
            LogDeadLetter(_services.Logger, Job.Id, Job.Crashes);
            return _runner.Broken(WorkersDied);
        }

        var (limits, missing) = _runner.Prepare();
        if (limits is null)
            return _runner.Broken(missing!);
        var provider = ModelId.Parse(Job.Model).Provider;
        using var total = new Deadline(_time, () => Stop(StopReason.TotalTimeout));
        total.Set(limits.Total);
        for (var tries = 1; ; tries++)
        {
            var (end, failure) = await _runner.TryAsync(writer.Wake);
            if (end is not null)
                return end;
            if (limits.Retry.NextDelay(failure!, tries, Random.Shared.NextDouble()) is not { } delay)
                return _runner.Broken(failure!);
            _services.Metrics.Retried(provider, failure!.Code);
            LogRetry(_services.Logger, Job.Id, failure.Code, delay.TotalMilliseconds);
            Record.Wait(failure.Code, delay);
            writer.Wake();
            await Task.Delay(delay, _time, _stop.Stopped).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_stop.Reason is not StopReason.None)
                return _runner.EndOf(_stop.Reason);
        }
    }

    private async Task FinishAsync(LogWriter writer, End end)
    {
        _stop.Abandoned.ThrowIfCancellationRequested();
        if (end == End.GivenBack)
        {
            await ReleaseAsync(writer, crashed: false);
            return;
        }

        // Of what broke off, half a character is not worth keeping: whoever goes on goes on before it.
        if (end.Status == GenerationStatus.Completed)
            Record.Complete();
        writer.Wake();
        var flushed = await writer.FlushAsync(FlushLimit, CancellationToken.None);
        _stop.Abandoned.ThrowIfCancellationRequested();
        IsFinishing = true;
        var (content, _) = Record.Snapshot();
        var (code, message) = (end.Failure?.Code ?? "", end.Failure?.Message ?? "");
        var outcome = new Outcome(end.Status, content, code, message, _runner.Usage.Input, _runner.Usage.Output);
        FinishResult result;
        try
        {
            result = await StoreAsync(outcome);
        }
        catch (Exception e) when (IsLast && e is not OperationCanceledException)
        {
            // It would never be, and the job would be claimed for ever.
            LogUnstorable(_services.Logger, e, Job.Id);
            Record.Clear(Job.Attempt);
            end = _runner.Broken(WorkersDied);
            (code, message, content) = (end.Failure!.Code, end.Failure.Message, Record.Snapshot().Content);
            outcome = new Outcome(end.Status, content, code, message, 0, 0);
            result = await StoreAsync(outcome);
        }

        if (result is FinishResult.Lost)
        {
            LogLost(_services.Logger, Job.Id, Job.Attempt);
            return;
        }

        _services.Metrics.Finished(ModelId.Parse(Job.Model).Provider, end.Status, code, outcome.InputTokens, outcome.OutputTokens);
        LogFinished(_services.Logger, Job.Id, end.Status, code, content.Text.Length, _time.GetElapsedTime(_started).TotalMilliseconds);
        if (JobChannels.Of(Job.Id, Job.Channel, Job.IsImage).Count > 0 && (flushed || await writer.FlushAsync(AnnounceLimit, _stop.Left)))
            await AnnounceAsync(outcome);
    }

    private async Task<FinishResult> StoreAsync(Outcome outcome)
    {
        for (var delay = TimeSpan.FromMilliseconds(100); ; delay = delay * 2 < MaxStoreDelay ? delay * 2 : MaxStoreDelay)
        {
            try
            {
                return await _services.Jobs.FinishAsync(Job, outcome, _stop.Abandoned);
            }
            catch (Exception e) when (DatabaseFaults.IsTransient(e))
            {
                // The database is away; the answer is complete and waits for it.
                LogStoreFailed(_services.Logger, e, Job.Id, delay.TotalMilliseconds);
                await Task.Delay(delay, _time, _stop.Left);
            }
        }
    }

    private async Task AnnounceAsync(Outcome outcome)
    {
        try
        {
            // The writer has written everything but what storing made void.
            var events = new List<NewChannelEvent>();
            Record.Take(events);
            events.Add(Transcript.DoneEvent(
                Job.Subject, Job.Id, outcome.Status, outcome.Content.Text.Length, outcome.ErrorCode, outcome.ErrorMessage));
            foreach (var channel in JobChannels.Of(Job.Id, Job.Channel, Job.IsImage))
                await _services.Log.AppendAsync(channel, events, new Fence(Job.Id.ToString(), long.MaxValue), _stop.Abandoned);
            await _services.Jobs.MarkAnnouncedAsync([Job.Id], _stop.Abandoned);
        }
        catch (Exception e) when (e is ChannelLogUnavailableException || DatabaseFaults.IsTransient(e))
        {
            // The sweeper announces it.
            LogNotAnnounced(_services.Logger, e, Job.Id);
        }
    }

    private async Task ReleaseAsync(LogWriter writer, bool crashed)
    {
        await writer.FlushAsync(FlushLimit, CancellationToken.None);
        IsFinishing = true;
        try
        {
            using var limit = new CancellationTokenSource(ReleaseLimit, _time);
            await _services.Jobs.ReleaseAsync(Job, Record.Snapshot().Content, crashed, limit.Token);
            LogReleased(_services.Logger, Job.Id, Job.Attempt, crashed);
        }
        catch (Exception e) when (DatabaseFaults.IsTransient(e) || e is OperationCanceledException)
        {
            // The lease runs out by itself.
            LogStoreFailed(_services.Logger, e, Job.Id, 0);
        }
    }

    [LoggerMessage(1, LogLevel.Debug, "Generation {GenerationId} with {Model} begins, attempt {Attempt}")]
    private static partial void LogClaimed(ILogger logger, Guid generationId, string model, int attempt);

    [LoggerMessage(2, LogLevel.Information, "Generation {GenerationId} is {Status} {Code} with {Length} characters in {ElapsedMs:0} ms")]
    private static partial void LogFinished(ILogger logger, Guid generationId, string status, string code, int length, double elapsedMs);

    [LoggerMessage(4, LogLevel.Information, "Generation {GenerationId} is tried again after {Code} in {DelayMs:0} ms")]
    private static partial void LogRetry(ILogger logger, Guid generationId, string code, double delayMs);

    [LoggerMessage(5, LogLevel.Warning, "Generation {GenerationId} is no longer this worker's; attempt {Attempt} writes nothing more")]
    private static partial void LogLost(ILogger logger, Guid generationId, int attempt);

    [LoggerMessage(6, LogLevel.Error, "Generation {GenerationId} threw in attempt {Attempt}")]
    private static partial void LogFault(ILogger logger, Exception exception, Guid generationId, int attempt);

    [LoggerMessage(7, LogLevel.Error, "Generation {GenerationId} is given up after {Crashes} attempts that died")]
    private static partial void LogDeadLetter(ILogger logger, Guid generationId, int crashes);

    [LoggerMessage(8, LogLevel.Warning, "The end of generation {GenerationId} can't be stored now, again in {DelayMs} ms")]
    private static partial void LogStoreFailed(ILogger logger, Exception exception, Guid generationId, double delayMs);

    [LoggerMessage(9, LogLevel.Warning, "The end of generation {GenerationId} is stored, but its channel does not have it yet")]
    private static partial void LogNotAnnounced(ILogger logger, Exception exception, Guid generationId);

    [LoggerMessage(10, LogLevel.Information, "Generation {GenerationId} is given back in attempt {Attempt}, crashed: {Crashed}")]
    private static partial void LogReleased(ILogger logger, Guid generationId, int attempt, bool crashed);

    [LoggerMessage(11, LogLevel.Error, "Attempt {Attempt} at generation {GenerationId} can't be ended; its lease runs out")]
    private static partial void LogAbandoned(ILogger logger, Exception exception, Guid generationId, int attempt);

    [LoggerMessage(12, LogLevel.Error, "What generation {GenerationId} came to can't be stored, so it ends without that")]
    private static partial void LogUnstorable(ILogger logger, Exception exception, Guid generationId);
}
