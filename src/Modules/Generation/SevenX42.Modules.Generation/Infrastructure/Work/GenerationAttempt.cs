using System.Diagnostics;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Generation.Domain;
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
    GenerationOptions Options,
    GenerationMetrics Metrics,
    TimeProvider Time,
    ILogger<GenerationAttempt> Logger);

/// <summary>
/// One claim of one job, from the claim to the end, the release or the loss of its lease. Reads the provider's stream into
/// the transcript; the log's writer and the lease keeper take it from there.
/// </summary>
#pragma warning disable CA1001 // Its token sources have no timer and no handle; a stop may come after the end, so they are never disposed.
internal sealed partial class GenerationAttempt
#pragma warning restore CA1001
{
    /// <summary>A title is a line; a model that writes an essay instead is cut off.</summary>
    private const int MaxTitleCharacters = 400;

    /// <summary>How long the last events may hold up the final state.</summary>
    private static readonly TimeSpan FlushLimit = TimeSpan.FromSeconds(2);

    /// <summary>How long a log that is away is waited for before the end is left to the sweeper.</summary>
    private static readonly TimeSpan AnnounceLimit = TimeSpan.FromSeconds(30);

    /// <summary>How long the rest of a stream (usage, the end mark) may take once the model has finished.</summary>
    private static readonly TimeSpan EpilogueLimit = TimeSpan.FromSeconds(2);

    /// <summary>How long a stopping process waits for a database that does not answer.</summary>
    private static readonly TimeSpan ReleaseLimit = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan MaxStoreDelay = TimeSpan.FromSeconds(2);

    private readonly AttemptServices _services;
    private readonly TimeProvider _time;
    private readonly Transcript _transcript;
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _abandon = new();
    private readonly CancellationTokenSource _leave = new();
    private readonly long _started;
    private int _reason;
    private UsageDetails? _usage;

    public GenerationAttempt(ClaimedJob job, AttemptServices services)
    {
        (Job, _services, _time) = (job, services, services.Time);
        _transcript = new Transcript(job.Subject, job.Id, job.Text, job.Reasoning);
        _started = _time.GetTimestamp();
        LastBeat = _started;
        StoredVersion = _transcript.Version;
    }

    public ClaimedJob Job { get; }

    /// <summary>Completes when the attempt is over and nothing of it runs.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    /// <summary>Whether the end is being stored: the lease is kept, but its loss is found by the store itself.</summary>
    public bool IsFinishing { get; private set; }

    /// <summary>The transcript's version at the last checkpoint. Of the lease keeper.</summary>
    public long StoredVersion { get; set; }

    /// <summary>Length of everything at the last checkpoint. Of the lease keeper.</summary>
    public int StoredLength { get; set; }

    /// <summary>When the lease was last extended. Of the lease keeper.</summary>
    public long LastBeat { get; set; }

    public Transcript Transcript => _transcript;

    /// <summary>Whether so many attempts died that there is to be no other.</summary>
    private bool IsLast => Job.Crashes >= _services.Options.MaxAttempts;

    private StopReason Reason => (StopReason)Volatile.Read(ref _reason);

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
    public void Stop(StopReason reason)
    {
        if (reason is StopReason.LeaseLost)
            _abandon.CancelAsync().Forget();
        if (reason is StopReason.LeaseLost or StopReason.Shutdown)
            _leave.CancelAsync().Forget();
        if (Interlocked.CompareExchange(ref _reason, (int)reason, (int)StopReason.None) == (int)StopReason.None)
            _stop.CancelAsync().Forget();
    }

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
        var writer = new LogWriter(_services.Log, Job, _transcript, () => Stop(StopReason.LeaseLost), _time, _services.Logger);
        await using (writer)
        {
            // Says who works on it now, and keeps whoever did before from writing on.
            _transcript.Start(Job.Attempt, Job.Text.Length, Job.Reasoning.Length);
            writer.Wake();
            try
            {
                var end = await GenerateAsync(writer);
                activity?.SetTag("generation.status", end.Status).SetTag("error.code", end.Failure?.Code);
                await FinishAsync(writer, end);
            }
            catch (OperationCanceledException) when (_leave.IsCancellationRequested)
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
        if (Job.CancelRequested)
            Stop(StopReason.Cancelled);
        if (Reason is not StopReason.None)
            return EndOf(Reason, null);
        if (IsLast)
        {
            _services.Metrics.DeadLettered();
            LogDeadLetter(_services.Logger, Job.Id, Job.Crashes);
            return Broken(Failures.WorkersDied(Job.Crashes));
        }

        var model = ModelId.Parse(Job.Model);
        if (_services.Providers.Find(model.Provider) is not { } provider)
            return Broken(Failures.UnknownModel(Job.Model));

        using var client = provider.CreateClient(model.Model);
        using var total = new Deadline(_time, () => Stop(StopReason.TotalTimeout));
        total.Set(provider.Limits.Total);
        for (var tries = 1; ; tries++)
        {
            var (end, failure) = await StreamAsync(client, provider, writer);
            if (end is not null)
                return end;
            if (provider.Limits.Retry.NextDelay(failure!, tries, Random.Shared.NextDouble()) is not { } delay)
                return Broken(failure!);
            _services.Metrics.Retried(provider.Name, failure!.Code);
            LogRetry(_services.Logger, Job.Id, failure.Code, delay.TotalMilliseconds);
            _transcript.Wait(failure.Code, delay);
            writer.Wake();
            await Task.Delay(delay, _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (Reason is not StopReason.None)
                return EndOf(Reason, provider);
        }
    }

    /// <summary>One request. Either an end, or a failure before any token, which may be tried again.</summary>
    private async Task<(End? End, GenerationFailure? Failure)> StreamAsync(IChatClient client, IModelProvider provider, LogWriter writer)
    {
        var limits = provider.Limits;
        var titleLength = 0;
        var (begun, hasThought) = (false, false);
        ChatFinishReason? finish = null;

        // What the answer already has is continued if the provider can; else the answer begins again, behind its prefix.
        var written = provider.ContinuesAssistantMessage ? Job.Text : Job.Prefix;
        var messages = Prompt.Build(Job, written, provider.ContinuesAssistantMessage);
        using var silence = new Deadline(
            _time, () => Stop(finish is not null ? StopReason.Finished : begun ? StopReason.IdleTimeout : StopReason.FirstTokenTimeout));
        silence.Set(limits.FirstToken);
        try
        {
            await foreach (var update in client.GetStreamingResponseAsync(messages, Prompt.Options(Job), _stop.Token))
            {
                foreach (var content in update.Contents)
                {
                    if (content is UsageContent { Details: var usage })
                    {
                        _usage = usage;
                        continue;
                    }

                    var (text, isReasoning) = content switch
                    {
                        TextReasoningContent { Text: { Length: > 0 } reasoning } => (reasoning, true),
                        TextContent { Text: { Length: > 0 } answer } => (answer, false),
                        _ => ("", false),
                    };
                    if (text.Length == 0)
                        continue;
                    if (!begun)
                    {
                        begun = true;
                        Begin(written, provider.Name);
                        silence.Set(limits.Idle);
                    }

                    // A paragraph of its own behind what was thought before.
                    if (isReasoning && !hasThought && _transcript.Snapshot().Reasoning.Length > 0)
                        text = "\n\n" + text;
                    hasThought |= isReasoning;
                    var length = isReasoning ? _transcript.AppendReasoning(text) : _transcript.AppendText(text);
                    writer.Wake();
                    silence.Postpone(limits.Idle);

                    // However long a model thinks about it, a title is a line.
                    if (Job.IsTitle && !isReasoning)
                        titleLength += text.Length;
                    if (length > limits.MaxOutputCharacters || titleLength > MaxTitleCharacters)
                        Stop(StopReason.OutputLimit);
                }

                if (finish is null && update.FinishReason is { } reason)
                {
                    finish = reason;
                    silence.Set(EpilogueLimit);
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The reason says why.
        }
        catch (Exception) when (finish is not null)
        {
            // The model had finished; what broke was the epilogue.
        }
        catch (Exception) when (Reason is not StopReason.None)
        {
            // Closing the request broke it, as it should.
        }
        catch (Exception e)
        {
            var failure = provider.Explain(e, ModelId.Parse(Job.Model).Model);
            LogProviderFailed(_services.Logger, Job.Id, provider.Name, failure.Code, e.GetType().Name);
            return begun ? (Broken(failure), null) : (null, failure);
        }

        if (finish is null && Reason is not StopReason.None and var stopped)
            return (EndOf(stopped, provider), null);
        if (finish is null)
            return begun ? (Broken(Failures.StreamBroken(provider.Name)), null) : (null, Failures.StreamBroken(provider.Name));
        return (EndOf(finish.Value, provider, written, begun), null);
    }

    /// <summary>The first token of this attempt is here.</summary>
    private void Begin(string written, string provider)
    {
        // Until now the reader kept what an earlier attempt had written; it is void only now that there is something new. So is
        // what was thought when no text had come of it: the model knows nothing of that and thinks again.
        var again = written.Length != Job.Text.Length || Job.Text.Length == Job.Prefix.Length;
        if (again && (written.Length != Job.Text.Length || Job.Reasoning.Length > Job.ReasoningPrefix.Length))
            _transcript.Start(Job.Attempt, written.Length, Job.ReasoningPrefix.Length);
        _services.Metrics.FirstToken(provider, _time.GetElapsedTime(_started));
    }

    private End EndOf(ChatFinishReason finish, IModelProvider provider, string written, bool begun)
    {
        if (finish == ChatFinishReason.Length)
            return Broken(Failures.LengthLimit);
        if (finish == ChatFinishReason.ContentFilter)
            return Broken(Failures.ContentFilter(provider.Name));

        // What others wrote before is no answer of this attempt, unless the model has been given it as its own beginning: then to
        // add nothing is to say that it is complete.
        var text = _transcript.Snapshot().Text.AsSpan();
        var answer = provider.ContinuesAssistantMessage ? text : begun ? text[written.Length..] : "";
        return answer.IsWhiteSpace()
            ? Broken(Failures.EmptyAnswer(ModelId.Parse(Job.Model).Model))
            : new End(GenerationStatus.Completed, null);
    }

    private End EndOf(StopReason reason, IModelProvider? provider) => reason switch
    {
        StopReason.Cancelled => new End(GenerationStatus.Stopped, null),
        StopReason.FirstTokenTimeout => Broken(Failures.FirstTokenTimeout(provider!.Name, provider.Limits.FirstToken)),
        StopReason.IdleTimeout => Broken(Failures.IdleTimeout(provider!.Name, provider.Limits.Idle)),
        StopReason.TotalTimeout => Broken(Failures.TotalTimeout(provider!.Limits.Total)),
        StopReason.OutputLimit when Job.IsTitle => new End(GenerationStatus.Completed, null),
        StopReason.OutputLimit => Broken(Failures.OutputLimit(provider!.Limits.MaxOutputCharacters)),
        _ => End.GivenBack,
    };

    /// <summary>Interrupted when there is text to keep, else failed.</summary>
    private End Broken(GenerationFailure failure) => new(
        string.IsNullOrWhiteSpace(_transcript.Snapshot().Text) ? GenerationStatus.Failed : GenerationStatus.Interrupted, failure);

    private async Task FinishAsync(LogWriter writer, End end)
    {
        _abandon.Token.ThrowIfCancellationRequested();
        if (end == End.GivenBack)
        {
            await ReleaseAsync(writer, crashed: false);
            return;
        }

        // Of what broke off, half a character is not worth keeping: whoever goes on goes on before it.
        if (end.Status == GenerationStatus.Completed)
            _transcript.Complete();
        writer.Wake();
        var flushed = await writer.FlushAsync(FlushLimit, CancellationToken.None);
        _abandon.Token.ThrowIfCancellationRequested();
        IsFinishing = true;
        var (text, reasoning, _) = _transcript.Snapshot();
        var (code, message) = (end.Failure?.Code ?? "", end.Failure?.Message ?? "");
        var outcome = new Outcome(
            end.Status, text, reasoning, code, message, _usage?.InputTokenCount ?? 0, _usage?.OutputTokenCount ?? 0);
        FinishResult result;
        try
        {
            result = await StoreAsync(outcome);
        }
        catch (Exception e) when (IsLast && e is not OperationCanceledException)
        {
            // It would never be, and the job would be claimed for ever.
            LogUnstorable(_services.Logger, e, Job.Id);
            _transcript.Start(Job.Attempt, Job.Prefix.Length, Job.ReasoningPrefix.Length);
            end = Broken(Failures.WorkersDied(Job.Crashes));
            (code, message, text) = (end.Failure!.Code, end.Failure.Message, Job.Prefix);
            outcome = new Outcome(end.Status, text, Job.ReasoningPrefix, code, message, 0, 0);
            result = await StoreAsync(outcome);
        }

        if (result is FinishResult.Lost)
        {
            LogLost(_services.Logger, Job.Id, Job.Attempt);
            return;
        }

        _services.Metrics.Finished(ModelId.Parse(Job.Model).Provider, end.Status, code, outcome.InputTokens, outcome.OutputTokens);
        LogFinished(_services.Logger, Job.Id, end.Status, code, text.Length, _time.GetElapsedTime(_started).TotalMilliseconds);
        if (Job.Channel.Length > 0 && (flushed || await writer.FlushAsync(AnnounceLimit, _leave.Token)))
            await AnnounceAsync(outcome);
    }

    private async Task<FinishResult> StoreAsync(Outcome outcome)
    {
        for (var delay = TimeSpan.FromMilliseconds(100); ; delay = delay * 2 < MaxStoreDelay ? delay * 2 : MaxStoreDelay)
        {
            try
            {
                return await _services.Jobs.FinishAsync(Job, outcome, _abandon.Token);
            }
            catch (Exception e) when (DatabaseFaults.IsTransient(e))
            {
                // The database is away; the answer is complete and waits for it.
                LogStoreFailed(_services.Logger, e, Job.Id, delay.TotalMilliseconds);
                await Task.Delay(delay, _time, _leave.Token);
            }
        }
    }

    private async Task AnnounceAsync(Outcome outcome)
    {
        try
        {
            // The writer has written everything but what storing made void.
            var events = new List<NewChannelEvent>();
            _transcript.Take(events);
            events.Add(Transcript.DoneEvent(
                Job.Subject, Job.Id, outcome.Status, outcome.Text.Length, outcome.ErrorCode, outcome.ErrorMessage));
            await _services.Log.AppendAsync(Job.Channel, events, new Fence(Job.Id.ToString(), long.MaxValue), _abandon.Token);
            await _services.Jobs.MarkAnnouncedAsync([Job.Id], _abandon.Token);
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
        var (text, reasoning, _) = _transcript.Snapshot();
        try
        {
            using var limit = new CancellationTokenSource(ReleaseLimit, _time);
            await _services.Jobs.ReleaseAsync(Job, text, reasoning, crashed, limit.Token);
            LogReleased(_services.Logger, Job.Id, Job.Attempt, crashed);
        }
        catch (Exception e) when (DatabaseFaults.IsTransient(e) || e is OperationCanceledException)
        {
            // The lease runs out by itself.
            LogStoreFailed(_services.Logger, e, Job.Id, 0);
        }
    }

    private sealed record End(string Status, GenerationFailure? Failure)
    {
        /// <summary>No end: the job is given back.</summary>
        public static End GivenBack { get; } = new(GenerationStatus.Queued, null);
    }

    [LoggerMessage(1, LogLevel.Debug, "Generation {GenerationId} with {Model} begins, attempt {Attempt}")]
    private static partial void LogClaimed(ILogger logger, Guid generationId, string model, int attempt);

    [LoggerMessage(2, LogLevel.Information, "Generation {GenerationId} is {Status} {Code} with {Length} characters in {ElapsedMs:0} ms")]
    private static partial void LogFinished(ILogger logger, Guid generationId, string status, string code, int length, double elapsedMs);

    [LoggerMessage(3, LogLevel.Warning, "Generation {GenerationId}: {Provider} failed with {Code} ({ExceptionType})")]
    private static partial void LogProviderFailed(ILogger logger, Guid generationId, string provider, string code, string exceptionType);

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
