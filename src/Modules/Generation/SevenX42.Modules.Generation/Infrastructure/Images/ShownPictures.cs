using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using SevenX42.Contracts.Media;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Infrastructure.Jobs;
using SevenX42.Persistence;

namespace SevenX42.Modules.Generation.Infrastructure.Images;

/// <summary>Fetches the pictures that a model is shown.</summary>
internal sealed partial class ShownPictures(IServiceScopeFactory scopes, ILogger<ShownPictures> logger)
{
    /// <summary>Media type of what <see cref="IMediaApi.ReadForModelAsync"/> reads.</summary>
    public const string MediaType = "image/jpeg";

    /// <summary>The pictures of a job, by their ids. What was deleted since is missing.</summary>
    /// <returns>The pictures, or why they can't be had now.</returns>
    public async Task<(IReadOnlyDictionary<Guid, ReadOnlyMemory<byte>> Pictures, GenerationFailure? Failure)> ReadAsync(
        ClaimedJob job, CancellationToken cancellationToken)
    {
        var pictures = new Dictionary<Guid, ReadOnlyMemory<byte>>();
        try
        {
            foreach (var id in job.Pictures.SelectMany(p => p).Distinct())
            {
                await using var scope = scopes.CreateAsyncScope();
                var picture = await scope.ServiceProvider.GetRequiredService<IMediaApi>().ReadForModelAsync(job.UserId, id, cancellationToken);
                if (picture.IsSuccess)
                    pictures[id] = picture.Value;
                else if (picture.Error.Kind != ErrorKind.NotFound)
                    return (pictures, Unavailable(job, picture.Error.Code));
            }

            return (pictures, null);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested && DatabaseFaults.IsTransient(e))
        {
            return (pictures, Unavailable(job, e.GetType().Name));
        }
    }

    private GenerationFailure Unavailable(ClaimedJob job, string code)
    {
        LogUnavailable(logger, job.Id, code);
        return Failures.PicturesUnavailable;
    }

    [LoggerMessage(1, LogLevel.Warning, "A picture for generation {GenerationId} can't be read now: {Code}")]
    private static partial void LogUnavailable(ILogger logger, Guid generationId, string code);
}
