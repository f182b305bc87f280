using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using SevenX42.Contracts.Media;
using SevenX42.Persistence;

namespace SevenX42.Modules.Generation.Infrastructure.Images;

/// <summary>Hands drawn pictures to Media, which keeps each of a job once.</summary>
internal sealed partial class PictureStore(IServiceScopeFactory scopes, TimeProvider time, ILogger<PictureStore> logger)
{
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(2);

    /// <summary>Stores a picture. A database that is away is waited for: the picture is complete and would have to be drawn again.</summary>
    /// <exception cref="OperationCanceledException">Nobody wants it any more; nothing is kept.</exception>
    public async Task<Result<AssetInfo>> StoreAsync(
        Guid ownerId, ReadOnlyMemory<byte> picture, ImageProvenance provenance, CancellationToken cancellationToken)
    {
        for (var delay = FirstDelay; ; delay = delay * 2 < LongestDelay ? delay * 2 : LongestDelay)
        {
            try
            {
                await using var scope = scopes.CreateAsyncScope();
                using var content = new MemoryStream(picture.ToArray(), writable: false);
                return await scope.ServiceProvider.GetRequiredService<IMediaApi>().StoreGeneratedAsync(ownerId, content, provenance, cancellationToken);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested && DatabaseFaults.IsTransient(e))
            {
                LogWaiting(logger, e, provenance.JobId, delay.TotalMilliseconds);
                await Task.Delay(delay, time, cancellationToken);
            }
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "A picture of generation {GenerationId} can't be stored now, again in {DelayMs} ms")]
    private static partial void LogWaiting(ILogger logger, Exception exception, Guid generationId, double delayMs);
}
