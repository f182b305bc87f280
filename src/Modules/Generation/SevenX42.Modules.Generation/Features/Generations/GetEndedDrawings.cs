using System.Text.Json;
using MediatR;
using Microsoft.EntityFrameworkCore;
using SevenX42.Modules.Generation.Domain.Images;
using SevenX42.Modules.Generation.Infrastructure;

namespace SevenX42.Modules.Generation.Features.Generations;

/// <summary>The pictures that the ends of drawings name.</summary>
internal sealed record GetEndedDrawings(IReadOnlyCollection<Guid> GenerationIds) : IGenerationQuery<IReadOnlyDictionary<Guid, IReadOnlyList<Guid>>>;

internal sealed class GetEndedDrawingsHandler(GenerationDbContext context)
    : IRequestHandler<GetEndedDrawings, Result<IReadOnlyDictionary<Guid, IReadOnlyList<Guid>>>>
{
    public async Task<Result<IReadOnlyDictionary<Guid, IReadOnlyList<Guid>>>> Handle(GetEndedDrawings request, CancellationToken cancellationToken)
    {
        // Earlier versions did not say of one that was stopped in the queue that it names nothing, and cleared the pictures with the text. Of
        // those two, which can't be told apart, nothing is said once they are cleared.
        var ids = request.GenerationIds;
        var found = await context.Jobs
            .Where(j => ids.Contains(j.Id) && j.FinishedAt != null && j.Image != null && (j.Drawn != null || j.Text != null))
            .Select(j => new { j.Id, j.Drawn })
            .ToListAsync(cancellationToken);
        var ended = new Dictionary<Guid, IReadOnlyList<Guid>>(found.Count);
        foreach (var job in found)
        {
            // What a newer version may have stored says nothing about the others, and not that there are no pictures.
            if (PicturesOf(job.Drawn) is { } pictures)
                ended.Add(job.Id, [.. pictures.Select(p => p.AssetId)]);
        }

        return ended;
    }

    private static IReadOnlyList<DrawnPicture>? PicturesOf(string? drawn)
    {
        try
        {
            var pictures = Drawn.Read(drawn).Pictures;
            // What a name is missing of is left out when it is read.
            return pictures is not null && pictures.All(p => p is { AssetId: var id } && id != Guid.Empty) ? pictures : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
