using System.Runtime.CompilerServices;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Domain.Images;

namespace SevenX42.Modules.Generation.Infrastructure.Providers.Images;

/// <summary>
/// Reads a provider's updates and holds it to what was agreed: time limits, steps that don't fall, each picture once and all of them,
/// pictures that are pictures.
/// </summary>
internal static class ImageRun
{
    /// <summary>The updates. Ends with the last picture or with <see cref="ImageFailed"/>; throws only when cancelled.</summary>
    public static async IAsyncEnumerable<ImageUpdate> RunAsync(
        IImageProvider provider, ImageRequest request, TimeProvider time, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var limits = provider.Limits;
        using var total = new CancellationTokenSource(limits.Total, time);
        using var silence = new CancellationTokenSource(limits.FirstToken, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, total.Token, silence.Token);
        await using var updates = provider.GenerateAsync(request, stop.Token).GetAsyncEnumerator(stop.Token);
        var begun = false;
        var done = new HashSet<int>();
        var step = -1;
        while (true)
        {
            ImageUpdate? update;
            try
            {
                update = await updates.MoveNextAsync() ? updates.Current
                    : done.Count == request.Count ? null
                    : new ImageFailed(ImageFailures.Missing(provider.Name));
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                throw;
            }
            catch (Exception) when (total.IsCancellationRequested)
            {
                update = new ImageFailed(ImageFailures.Total(limits.Total));
            }
            catch (Exception) when (silence.IsCancellationRequested)
            {
                update = new ImageFailed(begun
                    ? ImageFailures.Idle(provider.Name, limits.Idle)
                    : ImageFailures.NotBegun(provider.Name, limits.FirstToken));
            }
            catch (Exception e)
            {
                update = new ImageFailed(provider.Explain(e, request.Model));
            }

            switch (update)
            {
                case null:
                    yield break;

                // However long others take there: only the time in all is limited.
                case ImageQueued:
                    silence.CancelAfter(Timeout.InfiniteTimeSpan);
                    yield return update;
                    continue;
                case ImageFailed:
                    yield return update;
                    yield break;
            }

            // A server that counts each part of its work anew, or says the same again: the bar waits until it is past where it was,
            // and whoever says nothing new is silent.
            if (update is ImageStep said && (said.Step <= step || said.Step > said.Steps))
                continue;
            begun = true;
            silence.CancelAfter(limits.Idle);
            switch (update)
            {
                case ImageStep now:
                    step = now.Step;
                    yield return now;
                    continue;

                // Nobody misses a preview that can't be shown: the picture is still being drawn.
                case ImagePreview preview:
                    if (ImageTypes.Find(preview.Bytes.Span) is { } shown)
                        yield return preview with { MediaType = shown };
                    continue;
                case ImageResult result when result.Index < 0 || result.Index >= request.Count || !done.Add(result.Index):
                    continue;
                case ImageResult result:
                    if (ImageTypes.Find(result.Bytes.Span) is not { } type)
                    {
                        yield return new ImageFailed(ImageFailures.NotAnImage(provider.Name));
                        yield break;
                    }

                    // However long whoever takes it has to do with it.
                    silence.CancelAfter(Timeout.InfiniteTimeSpan);
                    yield return result with { MediaType = type };
                    if (done.Count == request.Count)
                        yield break;
                    silence.CancelAfter(limits.Idle);
                    continue;
            }
        }
    }
}
