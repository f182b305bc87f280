using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using SevenX42.Contracts.Generation;
using SevenX42.Contracts.Media;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Domain.Images;
using SevenX42.Modules.Generation.Infrastructure.Jobs;
using SevenX42.Modules.Generation.Infrastructure.Providers;
using SevenX42.Modules.Generation.Infrastructure.Providers.Images;

namespace SevenX42.Modules.Generation.Infrastructure.Work;

/// <summary>
/// Reads a provider's updates into the record, and hands pictures to Media as they come. Of a job that was taken over, pictures that are
/// stored are not drawn again, whether the attempt before could record them or not.
/// </summary>
internal sealed partial class ImageRunner : Runner
{
    /// <summary>Previews are written to the database for all replicas: more often is not worth it.</summary>
    private static readonly TimeSpan PreviewInterval = TimeSpan.FromMilliseconds(250);

    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly DrawingRecord _record;
    private readonly ImageOptions _options;
    private readonly long _started;
    private readonly int _secondsBefore;
    private IImageProvider? _provider;
    private ImageModel? _model;
    private int _previews;

    public ImageRunner(ClaimedJob job, AttemptServices services, AttemptStop stop)
        : base(job, services, stop)
    {
        _options = job.Image!;
        _record = new DrawingRecord(job.Subject, job.Id, _options, job.Drawn with { Queue = null });
        _started = services.Time.GetTimestamp();
        _secondsBefore = job.Drawn.Seconds;
    }

    public override IAttemptRecord Record => _record;

    public override bool IsDone => _record.Drawn.Pictures.Count == _options.Count;

    private string Prompt => Job.Contents[0];

    public override async Task ResumeAsync(Action wake)
    {
        var before = _record.Drawn.Pictures.Count;
        var stored = await Services.Pictures.FindAsync(Job, Stop);
        // What is drawn next is the first that is missing: one behind it is found when its turn comes.
        List<DrawnPicture> unrecorded =
            [.. stored.Where(p => p.Index >= before).TakeWhile((p, i) => p.Index == before + i).Select(p => new DrawnPicture(p.AssetId, p.Seed))];
        if (unrecorded.Count == 0)
            return;
        _record.Change(d => d with { Pictures = [.. d.Pictures, .. unrecorded] });
        wake();
    }

    public override (ProviderLimits? Limits, GenerationFailure? Failure) Prepare()
    {
        if (Services.Providers.FindImages(Job.Model) is not var (provider, model))
            return (null, Failures.UnknownModel(Job.Model));
        (_provider, _model) = (provider, model);

        // What can be asked of it may have changed since the job was queued. Of all pictures together, whichever of them are there: those
        // that are missing may be one, with a seed that nobody may wish for.
        return model.Capabilities.Check(Request(done: 0)) is { } refusal ? (null, refusal) : (provider.Limits, null);
    }

    public override async Task<(End? End, GenerationFailure? Failure)> TryAsync(Action wake)
    {
        var before = _record.Drawn.Pictures.Count;
        var begun = false;
        var previews = Channel.CreateBounded<ImagePreview>(
            new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true, SingleWriter = true });
        using var closing = CancellationTokenSource.CreateLinkedTokenSource(Stop.Stopped);
        var saving = SavePreviewsAsync(previews.Reader, wake, closing.Token);
        using var clock = Services.Time.CreateTimer(_ => Tick(wake), null, Second, Second);
        try
        {
            await foreach (var update in ImageRun.RunAsync(_provider!, Request(before), Services.Time, Stop.Stopped))
            {
                switch (update)
                {
                    case ImageQueued queued:
                        _record.Change(d => d with { Queue = queued.Position ?? 0 });
                        break;
                    case ImageStep step:
                        Begin(ref begun);
                        _record.Change(d => d.At(step.Step, step.Steps, before, _options.Count));
                        break;
                    case ImagePreview preview:
                        Begin(ref begun);
                        previews.Writer.TryWrite(preview);
                        break;
                    case ImageResult result:
                        Begin(ref begun);
                        if (await StoreAsync(result, before + result.Index) is { } refused)
                            return (Stop.Reason is StopReason.None ? Broken(refused) : EndOf(Stop.Reason), null);

                        // What goes wrong before anything of the next one came may be tried again, as with the first.
                        begun = false;
                        break;
                    case ImageFailed { Failure: var failure }:
                        LogProviderFailed(Services.Logger, Job.Id, _provider!.Name, failure.Code);
                        return begun ? (Broken(failure), null) : (null, failure);
                }

                wake();
            }
        }
        catch (OperationCanceledException) when (Stop.Stopped.IsCancellationRequested)
        {
            // The reason says why.
        }
        finally
        {
            await closing.CancelAsync();
            await saving;
        }

        return (IsDone ? End.Completed : EndOf(Stop.Reason), null);
    }

    public override End EndOf(StopReason reason) => reason switch
    {
        StopReason.Cancelled => new End(GenerationStatus.Stopped, null),
        StopReason.TotalTimeout => Broken(ImageFailures.Total(_provider!.Limits.Total)),
        _ => End.GivenBack,
    };

    public override void Dispose()
    {
        // Nothing outlives a try.
    }

    /// <summary>What is asked for when so many pictures are there.</summary>
    private ImageRequest Request(int done)
    {
        var seed = _model!.Capabilities.MaxSeed is null ? null : _options.Seed + done;
        return new ImageRequest(
            _model.Model, Prompt, new ImageSize(_options.Width, _options.Height), _options.Count - done, seed, _options.NegativePrompt, _options.Steps);
    }

    private void Begin(ref bool begun)
    {
        if (begun)
            return;
        begun = true;
        _record.Change(d => d with { Queue = null });
    }

    /// <summary>Where no step tells how far it is, the time is all that can be told.</summary>
    private void Tick(Action wake)
    {
        if (_record.Drawn.Steps > 0)
            return;
        _record.Change(d => d with { Seconds = _secondsBefore + (int)Services.Time.GetElapsedTime(_started).TotalSeconds });
        wake();
    }

    private async Task<GenerationFailure?> StoreAsync(ImageResult result, int index)
    {
        var provenance = new ImageProvenance(
            Job.Id,
            index,
            Job.ConversationId == Guid.Empty ? null : Job.ConversationId,
            Prompt,
            _options.NegativePrompt.Length > 0 ? _options.NegativePrompt : null,
            result.Seed,
            Job.Model);
        var stored = await Services.Pictures.StoreAsync(Job, result.Bytes, provenance, Stop);
        if (!stored.IsSuccess)
            return ImageFailures.NotStored(stored.Error);
        _record.Change(d =>
        {
            var pictures = d.Pictures.ToList();
            pictures.Add(new DrawnPicture(stored.Value.Id, result.Seed));
            return d with { Pictures = pictures };
        });
        return null;
    }

    private async Task SavePreviewsAsync(ChannelReader<ImagePreview> previews, Action wake, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var preview in previews.ReadAllAsync(cancellationToken))
            {
                var version = FormattableString.Invariant($"{Job.Attempt}-{++_previews}");
                if (await Services.Previews.SaveAsync(Job.Id, Job.Attempt, version, preview.MediaType, preview.Bytes, cancellationToken))
                {
                    _record.Change(d => d with { Preview = version });
                    wake();
                }

                await Task.Delay(PreviewInterval, Services.Time, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The picture is there, or nobody wants it any more.
        }
    }

    [LoggerMessage(20, LogLevel.Warning, "Generation {GenerationId}: {Provider} failed to draw with {Code}")]
    private static partial void LogProviderFailed(ILogger logger, Guid generationId, string provider, string code);
}
