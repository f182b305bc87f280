using System.Text.Json;
using MediatR;
using Microsoft.EntityFrameworkCore;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Generation.Domain.Images;
using SevenX42.Modules.Generation.Infrastructure;

namespace SevenX42.Modules.Generation.Features.Generations;

/// <summary>How far generations have come, as last stored.</summary>
internal sealed record GetCheckpoints(IReadOnlyCollection<Guid> GenerationIds)
    : IGenerationQuery<IReadOnlyDictionary<Guid, GenerationCheckpoint>>;

internal sealed class GetCheckpointsHandler(GenerationDbContext context)
    : IRequestHandler<GetCheckpoints, Result<IReadOnlyDictionary<Guid, GenerationCheckpoint>>>
{
    public async Task<Result<IReadOnlyDictionary<Guid, GenerationCheckpoint>>> Handle(
        GetCheckpoints request, CancellationToken cancellationToken)
    {
        // A finished job without text was cleared: its conversation has had the text for long.
        var ids = request.GenerationIds;
        var found = await context.Jobs
            .Where(j => ids.Contains(j.Id) && (j.FinishedAt == null || j.Text != null))
            .Select(j => new
            {
                j.Drawn,
                j.Image,
                Checkpoint = new GenerationCheckpoint(
                    j.Id, j.Status, j.Attempt, j.Text ?? j.Prefix, j.Reasoning ?? j.ReasoningPrefix, j.QueuePosition, null),
            })
            .ToListAsync(cancellationToken);
        return found.Select(f => f.Drawn is null || f.Image is null ? f.Checkpoint : f.Checkpoint with { Image = ProgressOf(f.Checkpoint.GenerationId, f.Image, f.Drawn) })
            .ToDictionary(c => c.GenerationId);
    }

    private static ImageProgress ProgressOf(Guid id, string image, string drawn) =>
        Drawn.Read(drawn).Progress(id, JsonSerializer.Deserialize(image, ImageJson.Default.ImageOptions)!);
}
