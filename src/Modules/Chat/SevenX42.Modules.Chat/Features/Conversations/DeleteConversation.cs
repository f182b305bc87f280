using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using SevenX42.Contracts.Chat;
using SevenX42.Http;
using SevenX42.Messaging;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Features.Conversations;

/// <summary>Deletes a conversation. It can be restored for a while; then it is gone for good.</summary>
internal sealed record DeleteConversation(Guid ConversationId) : IChatCommand;

internal sealed class DeleteConversationHandler(ChatDbContext context, ICurrentUser user, TimeProvider time) : IRequestHandler<DeleteConversation, Result>
{
    public async Task<Result> Handle(DeleteConversation request, CancellationToken cancellationToken)
    {
        // Whatever is being sent is waited for, and whatever comes later finds the conversation deleted.
        if (await context.LockAsync(user.RequiredId, request.ConversationId, cancellationToken, evenDeleted: true) is not { IsStudio: false } conversation)
            return Error.NotFound();
        if (conversation.DeletedAt is not null)
            return Result.Success;
        conversation.Delete(time.GetUtcNow());
        context.Raise(Changes.Deleted(conversation, time.GetUtcNow()));
        return Result.Success;
    }
}

internal static class DeleteConversationEndpoint
{
    public static async Task<IResult> Post(Guid conversationId, ISender sender, HttpContext http)
    {
        var result = await sender.Send(new DeleteConversation(conversationId));
        if (!result.IsSuccess)
            return result.Error.ToResult();
        return http.Request.WantsPage()
            ? TypedResults.Redirect($"/?deleted={conversationId:D}")
            : Html.Fragment<DeletedNotice>(new Dictionary<string, object?> { ["ConversationId"] = conversationId });
    }
}

/// <summary>Deletes for good what was deleted a while ago, in bounded batches.</summary>
internal sealed partial class ConversationPurge(IServiceScopeFactory scopes, TimeProvider time, ILogger<ConversationPurge> logger) : BackgroundService
{
    /// <summary>How long a deletion can be taken back.</summary>
    internal static readonly TimeSpan Grace = TimeSpan.FromMinutes(10);

    private const int BatchSize = 100;
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    /// <summary>Purges one batch.</summary>
    /// <returns>How many conversations are gone.</returns>
    internal static async Task<int> PurgeAsync(ChatDbContext context, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        var due = await context.Conversations
            .FromSql($"SELECT * FROM chat.conversations WHERE deleted_at < {now - Grace} ORDER BY deleted_at LIMIT {BatchSize} FOR UPDATE SKIP LOCKED")
            .ToListAsync(cancellationToken);
        foreach (var conversation in due)
        {
            context.Remove(conversation);
            context.Raise(new ConversationDeleted(Guid.CreateVersion7(now), conversation.Id, conversation.OwnerId));
        }

        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return due.Count;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await using var scope = scopes.CreateAsyncScope();
                await PurgeAsync(scope.ServiceProvider.GetRequiredService<ChatDbContext>(), time.GetUtcNow(), stoppingToken);
            }
            catch (Exception e) when (e is Npgsql.NpgsqlException or DbUpdateException or InvalidOperationException or TimeoutException)
            {
                LogFailed(e);
            }
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Deleted conversations can't be purged now; tried again in a minute")]
    private partial void LogFailed(Exception exception);
}
