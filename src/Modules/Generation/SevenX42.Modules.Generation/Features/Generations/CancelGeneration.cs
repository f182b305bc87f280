using MediatR;
using Microsoft.EntityFrameworkCore;
using SevenX42.Modules.Generation.Infrastructure;
using SevenX42.Modules.Generation.Infrastructure.Jobs;
using SevenX42.Modules.Generation.Infrastructure.Work;

namespace SevenX42.Modules.Generation.Features.Generations;

/// <summary>Stops a generation wherever it is: unknown yet, queued, or running in any process. Says whether it is known.</summary>
internal sealed record CancelGeneration(Guid GenerationId) : IGenerationCommand<bool>;

internal sealed class CancelGenerationHandler(
    GenerationDbContext context, JobStore jobs, RunningGenerations running, Announcements announcements, WorkerIdentity identity)
    : IRequestHandler<CancelGeneration, Result<bool>>
{
    public async Task<Result<bool>> Handle(CancelGeneration request, CancellationToken cancellationToken)
    {
        // First the mark, committed, then the job: whoever inserts or claims the job in between looks for the mark afterwards.
        await context.Database.ExecuteSqlAsync(
            $"INSERT INTO generation.cancelled_generations (id) VALUES ({request.GenerationId}) ON CONFLICT DO NOTHING", cancellationToken);
        var known = await context.Database.SqlQuery<bool>($"""
            WITH marked AS (
                UPDATE generation.jobs SET cancel_requested = true WHERE id = {request.GenerationId} AND finished_at IS NULL RETURNING id)
            SELECT EXISTS (SELECT FROM generation.jobs WHERE id = {request.GenerationId}) AS "Value",
                (SELECT pg_notify({JobNotifications.Channel}, {JobNotifications.CancelPayload(identity, request.GenerationId)}) FROM marked)
            """).ToListAsync(cancellationToken);
        running.Stop(request.GenerationId, StopReason.Cancelled);
        if (await jobs.StopQueuedAsync(request.GenerationId, cancellationToken) is { } stopped)
            await announcements.AnnounceAsync(stopped, cancellationToken);
        return known.Single();
    }
}
