using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Infrastructure.Jobs;
using SevenX42.Modules.Generation.Infrastructure.Providers;

namespace SevenX42.Modules.Generation.Infrastructure.Work;

/// <summary>Reads a chat provider's stream into the transcript.</summary>
internal sealed partial class TextRunner : Runner
{
    /// <summary>A title is a line; a model that writes an essay instead is cut off.</summary>
    private const int MaxTitleCharacters = 400;

    /// <summary>How long the rest of a stream (usage, the end mark) may take once the model has finished.</summary>
    private static readonly TimeSpan EpilogueLimit = TimeSpan.FromSeconds(2);

    private readonly Transcript _transcript;
    private readonly long _started;
    private IModelProvider? _provider;
    private IChatClient? _client;
    private UsageDetails? _usage;
    private IReadOnlyDictionary<Guid, ReadOnlyMemory<byte>>? _pictures;

    public TextRunner(ClaimedJob job, AttemptServices services, AttemptStop stop)
        : base(job, services, stop)
    {
        _transcript = new Transcript(job.Subject, job.Id, job.Text, job.Reasoning, job.Prefix.Length, job.ReasoningPrefix.Length);
        _started = services.Time.GetTimestamp();
    }

    public override IAttemptRecord Record => _transcript;

    public override (long Input, long Output) Usage => (_usage?.InputTokenCount ?? 0, _usage?.OutputTokenCount ?? 0);

    public override (ProviderLimits? Limits, GenerationFailure? Failure) Prepare()
    {
        var model = ModelId.Parse(Job.Model);
        if (Services.Providers.Find(model.Provider) is not { } provider)
            return (null, Failures.UnknownModel(Job.Model));
        (_provider, _client) = (provider, provider.CreateClient(model.Model));
        return (provider.Limits, null);
    }

    public override async Task<(End? End, GenerationFailure? Failure)> TryAsync(Action wake)
    {
        var (client, provider) = (_client!, _provider!);
        var limits = provider.Limits;
        var titleLength = 0;
        var (begun, hasThought) = (false, false);
        ChatFinishReason? finish = null;

        // What the answer already has is continued if the provider can; else the answer begins again, behind its prefix.
        var written = provider.ContinuesAssistantMessage ? Job.Text : Job.Prefix;
        try
        {
            if (await FetchPicturesAsync() is { } missing)
                return (null, missing);
        }
        catch (OperationCanceledException) when (Stop.Reason is not StopReason.None)
        {
            return (EndOf(Stop.Reason), null);
        }

        var messages = Prompt.Build(Job, _pictures!, written, provider.ContinuesAssistantMessage);
        using var silence = new Deadline(
            Services.Time, () => Stop.Stop(finish is not null ? StopReason.Finished : begun ? StopReason.IdleTimeout : StopReason.FirstTokenTimeout));
        silence.Set(limits.FirstToken);
        try
        {
            await foreach (var update in client.GetStreamingResponseAsync(messages, Prompt.Options(Job), Stop.Stopped))
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

                        // Sent, and not sent again: for the rest of the stream pictures need no memory.
                        if (_pictures!.Count > 0)
                            messages.Clear();
                        _pictures = null;
                        Begin(written, provider.Name);
                        silence.Set(limits.Idle);
                    }

                    // A paragraph of its own behind what was thought before.
                    if (isReasoning && !hasThought && _transcript.ReasoningLength > 0)
                        text = "\n\n" + text;
                    hasThought |= isReasoning;
                    var length = isReasoning ? _transcript.AppendReasoning(text) : _transcript.AppendText(text);
                    wake();
                    silence.Postpone(limits.Idle);

                    // However long a model thinks about it, a title is a line.
                    if (Job.IsTitle && !isReasoning)
                        titleLength += text.Length;
                    if (length > limits.MaxOutputCharacters || titleLength > MaxTitleCharacters)
                        Stop.Stop(StopReason.OutputLimit);
                }

                if (finish is null && update.FinishReason is { } reason)
                {
                    finish = reason;
                    silence.Set(EpilogueLimit);
                }
            }
        }
        catch (OperationCanceledException) when (Stop.Stopped.IsCancellationRequested)
        {
            // The reason says why.
        }
        catch (Exception) when (finish is not null)
        {
            // The model had finished; what broke was the epilogue.
        }
        catch (Exception) when (Stop.Reason is not StopReason.None)
        {
            // Closing the request broke it, as it should.
        }
        catch (Exception e)
        {
            var failure = provider.Explain(e, ModelId.Parse(Job.Model).Model);
            LogProviderFailed(Services.Logger, Job.Id, provider.Name, failure.Code, e.GetType().Name);
            return begun ? (Broken(failure), null) : (null, failure);
        }

        if (finish is null && Stop.Reason is not StopReason.None and var stopped)
            return (EndOf(stopped), null);
        if (finish is null)
            return begun ? (Broken(Failures.StreamBroken(provider.Name)), null) : (null, Failures.StreamBroken(provider.Name));
        return (EndOf(finish.Value, provider, written, begun), null);
    }

    /// <summary>Fetches what the model is shown, once for all tries.</summary>
    private async Task<GenerationFailure?> FetchPicturesAsync()
    {
        if (_pictures is not null)
            return null;
        var (pictures, failure) = await Services.Shown.ReadAsync(Job, Stop.Stopped);
        if (failure is null)
            _pictures = pictures;
        return failure;
    }

    /// <summary>The first token of this attempt is here.</summary>
    private void Begin(string written, string provider)
    {
        // Until now the reader kept what an earlier attempt had written; it is void only now that there is something new. So is
        // what was thought when no text had come of it: the model knows nothing of that and thinks again.
        var again = written.Length != Job.Text.Length || Job.Text.Length == Job.Prefix.Length;
        if (again && (written.Length != Job.Text.Length || Job.Reasoning.Length > Job.ReasoningPrefix.Length))
            _transcript.Start(Job.Attempt, written.Length, Job.ReasoningPrefix.Length);
        Services.Metrics.FirstToken(provider, Services.Time.GetElapsedTime(_started));
    }

    private End EndOf(ChatFinishReason finish, IModelProvider provider, string written, bool begun)
    {
        if (finish == ChatFinishReason.Length)
            return Broken(Failures.LengthLimit);
        if (finish == ChatFinishReason.ContentFilter)
            return Broken(Failures.ContentFilter(provider.Name));

        // What others wrote before is no answer of this attempt, unless the model has been given it as its own beginning: then to
        // add nothing is to say that it is complete.
        var text = _transcript.Text.AsSpan();
        var answer = provider.ContinuesAssistantMessage ? text : begun ? text[written.Length..] : "";
        return answer.IsWhiteSpace()
            ? Broken(Failures.EmptyAnswer(ModelId.Parse(Job.Model).Model))
            : new End(GenerationStatus.Completed, null);
    }

    public override End EndOf(StopReason reason) => reason switch
    {
        StopReason.Cancelled => new End(GenerationStatus.Stopped, null),
        StopReason.FirstTokenTimeout => Broken(Failures.FirstTokenTimeout(_provider!.Name, _provider.Limits.FirstToken)),
        StopReason.IdleTimeout => Broken(Failures.IdleTimeout(_provider!.Name, _provider.Limits.Idle)),
        StopReason.TotalTimeout => Broken(Failures.TotalTimeout(_provider!.Limits.Total)),
        StopReason.OutputLimit when Job.IsTitle => new End(GenerationStatus.Completed, null),
        StopReason.OutputLimit => Broken(Failures.OutputLimit(_provider!.Limits.MaxOutputCharacters)),
        _ => End.GivenBack,
    };

    public override void Dispose() => _client?.Dispose();

    [LoggerMessage(3, LogLevel.Warning, "Generation {GenerationId}: {Provider} failed with {Code} ({ExceptionType})")]
    private static partial void LogProviderFailed(ILogger logger, Guid generationId, string provider, string code, string exceptionType);
}
