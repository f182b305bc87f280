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
        // One that was stopped before it began has drawn nothing. Once it is cleared, it can't be told from one whose pictures were cleared, too,
        // by a version that did so: of those nothing is said.
        var ids = request.GenerationIds;
        var found = await context.Jobs
            .Where(j => ids.Contains(j.Id) && j.FinishedAt != null && j.Image != null && (j.Drawn != null || j.Text != null))
            .Select(j => new { j.Id, j.Drawn })
            .ToListAsync(cancellationToken);
        return found.ToDictionary(f => f.Id, f => (IReadOnlyList<Guid>)[.. Drawn.Read(f.Drawn).Pictures.Select(p => p.AssetId)]);
    }
}
