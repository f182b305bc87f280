using SevenX42.Messaging;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Infrastructure;

namespace SevenX42.Modules.Generation.Integration;

/// <summary>Something is wanted that a job makes: one job per generation id, however often this comes, and the workers are woken.</summary>
internal abstract class JobRequestHandler<TEvent>(GenerationDbContext context, JobIntake intake) : InboxHandler<TEvent, GenerationDbContext>(context)
    where TEvent : IIntegrationEvent
{
    protected override Task HandleOnceAsync(TEvent integrationEvent, CancellationToken cancellationToken) =>
        intake.StoreAsync(JobOf(integrationEvent), cancellationToken);

    protected override Task AfterCommitAsync(TEvent integrationEvent, CancellationToken cancellationToken) =>
        intake.AnnounceAsync(JobOf(integrationEvent), cancellationToken);

    /// <summary>The job; the same for the same handler and event.</summary>
    protected abstract GenerationJob JobOf(TEvent e);
}
