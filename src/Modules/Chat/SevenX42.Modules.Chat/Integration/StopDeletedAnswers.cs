using Microsoft.EntityFrameworkCore;
using SevenX42.Contracts.Chat;
using SevenX42.Contracts.Generation;
using SevenX42.Messaging;
using SevenX42.Modules.Chat.Domain;
using SevenX42.Modules.Chat.Features.Conversations;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Integration;

/// <summary>
/// Stops what is still being written in a conversation that was deleted. After the deletion's commit, so that nothing is stopped
/// for a deletion that failed, and nothing that was sent a moment before goes on.
/// </summary>
internal sealed class StopDeletedAnswers(ChatDbContext context, IGenerationApi generation) : IIntegrationEventHandler<ConversationChanged>
{
    public async Task HandleAsync(ConversationChanged integrationEvent, CancellationToken cancellationToken)
    {
        if (integrationEvent.Operation != Changes.DeletedOperation)
            return;
        // It may have been restored since.
        var running = await context.Messages
            .Where(m => m.ConversationId == integrationEvent.ConversationId && m.Status == MessageStatus.Pending && m.GenerationId != null)
            .Where(m => context.Conversations.Any(c => c.Id == m.ConversationId && c.DeletedAt != null))
            .Select(m => m.GenerationId!.Value)
            .ToListAsync(cancellationToken);
        foreach (var generationId in running)
            await generation.CancelAsync(generationId, cancellationToken);
    }
}
