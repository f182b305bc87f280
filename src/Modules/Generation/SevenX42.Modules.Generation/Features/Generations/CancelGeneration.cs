using MediatR;
using Microsoft.EntityFrameworkCore;
using SevenX42.Modules.Generation.Infrastructure;
using SevenX42.Modules.Generation.Infrastructure.Jobs;
using SevenX42.Modules.Generation.Infrastructure.Work;

namespace SevenX42.Modules.Generation.Features.Generations;

/// <summary>Stops a generation wherever it is: unknown yet, queued, or running in any process.</summary>
internal sealed record CancelGeneration(Guid GenerationId) : IGenerationCommand;

internal sealed class CancelGenerationHandler(
    GenerationDbContext context, JobStore jobs, RunningGenerations running, Announcements announcements, WorkerIdentity identity)
    : IRequestHandler<CancelGeneration, Result>
{
    public async Task<Result> Handle(CancelGeneration request, CancellationToken cancellationToken)
    {
        // First the mark, committed, then the job: whoever inserts or claims the job in between looks for the mark afterwards.
        await context.Database.ExecuteSqlAsync(
            $"INSERT INTO generation.cancelled_generations (id) VALUES ({request.GenerationId}) ON CONFLICT DO NOTHING", cancellationToken);
        await context.Database.ExecuteSqlAsync($"""
            WITH marked AS (
                UPDATE generation.jobs SET cancel_requested = true WHERE id = {request.GenerationId} AND finished_at IS NULL RETURNING id)
            SELECT pg_notify({JobNotifications.Channel}, {JobNotifications.CancelPayload(identity, request.GenerationId)}) FROM marked
            """, cancellationToken);
        running.Stop(request.GenerationId, StopReason.Cancelled);
        if (await jobs.StopQueuedAsync(request.GenerationId, cancellationToken) is { } stopped)
            await announcements.AnnounceAsync(stopped, cancellationToken);
        return Result.Success;
    }
}
