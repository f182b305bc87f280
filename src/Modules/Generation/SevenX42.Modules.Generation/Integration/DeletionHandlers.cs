using Microsoft.EntityFrameworkCore;
using SevenX42.Contracts.Chat;
using SevenX42.Contracts.Identity;
using SevenX42.Messaging;
using SevenX42.Modules.Generation.Infrastructure;
using SevenX42.Modules.Generation.Infrastructure.Jobs;
using SevenX42.Modules.Generation.Infrastructure.Work;

namespace SevenX42.Modules.Generation.Integration;

/// <summary>A user is no more: their generations are stopped and forgotten, and what they still ask for is never begun.</summary>
internal sealed class UserDeletedHandler(GenerationDbContext context, JobStore jobs, RunningGenerations running)
    : InboxHandler<UserDeleted, GenerationDbContext>(context)
{
    // First the mark, committed, then the jobs: whoever stores one in between looks for the mark afterwards (JobIntake).
    protected override Task HandleOnceAsync(UserDeleted integrationEvent, CancellationToken cancellationToken) =>
        Context.Database.ExecuteSqlAsync(
            $"INSERT INTO generation.deleted_users (id) VALUES ({integrationEvent.UserId}) ON CONFLICT DO NOTHING", cancellationToken);

    protected override async Task AfterCommitAsync(UserDeleted integrationEvent, CancellationToken cancellationToken)
    {
        foreach (var id in await jobs.ForgetUserAsync(integrationEvent.UserId, cancellationToken))
            running.Stop(id, StopReason.LeaseLost);
    }
}

/// <summary>
/// A conversation is no more: its generations are stopped and forgotten, and what is still asked for in it is never begun.
/// </summary>
internal sealed class ConversationDeletedHandler(GenerationDbContext context, JobStore jobs, RunningGenerations running)
    : InboxHandler<ConversationDeleted, GenerationDbContext>(context)
{
    // In the order of UserDeletedHandler.
    protected override Task HandleOnceAsync(ConversationDeleted integrationEvent, CancellationToken cancellationToken) =>
        Context.Database.ExecuteSqlAsync(
            $"INSERT INTO generation.deleted_conversations (id) VALUES ({integrationEvent.ConversationId}) ON CONFLICT DO NOTHING", cancellationToken);

    protected override async Task AfterCommitAsync(ConversationDeleted integrationEvent, CancellationToken cancellationToken)
    {
        foreach (var id in await jobs.ForgetConversationAsync(integrationEvent.ConversationId, cancellationToken))
            running.Stop(id, StopReason.LeaseLost);
    }
}
