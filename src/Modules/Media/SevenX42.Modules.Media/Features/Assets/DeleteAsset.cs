using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using SevenX42.Http;
using SevenX42.Modules.Media.Domain;
using SevenX42.Modules.Media.Features.Images;
using SevenX42.Modules.Media.Infrastructure;
using SevenX42.Modules.Media.Infrastructure.Blobs;

namespace SevenX42.Modules.Media.Features.Assets;

/// <summary>Deletes an asset of a user. It can be restored for a while; then it is gone for good, and its content when nobody else has the same.</summary>
internal sealed record DeleteAsset(Guid OwnerId, Guid AssetId) : IMediaCommand;

internal sealed class DeleteAssetHandler(MediaDbContext context, TimeProvider time) : IRequestHandler<DeleteAsset, Result>
{
    public async Task<Result> Handle(DeleteAsset request, CancellationToken cancellationToken)
    {
        var asset = await context.Assets.AsNoTracking()
            .FirstOrDefaultAsync(a => a.Id == request.AssetId && a.OwnerId == request.OwnerId && a.DeletedAt == null, cancellationToken);
        if (asset is null)
            return Error.NotFound();
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        // Room is made at once: whoever deletes something to store something else doesn't wait for the purge.
        await context.RefundAsync(asset.OwnerId, asset.ChargedBytes, cancellationToken);
        // Of two deletions at the same time only one finds the asset; the other gives no bytes back.
        var deleted = await context.Assets.Where(a => a.Id == asset.Id && a.DeletedAt == null)
            .ExecuteUpdateAsync(set => set.SetProperty(a => a.DeletedAt, time.GetUtcNow()), cancellationToken);
        if (deleted == 0)
            return Error.NotFound();
        await transaction.CommitAsync(cancellationToken);
        return Result.Success;
    }
}

/// <summary><c>DELETE /media/assets/{assetId}</c>, and <c>POST …/delete</c> for forms.</summary>
internal static class DeleteAssetEndpoint
{
    /// <param name="assetId">The asset.</param>
    /// <param name="q">Of a picture, the search that it was looked at in.</param>
    /// <param name="http">The request.</param>
    /// <param name="user">Who asks.</param>
    /// <param name="sender">The mediator.</param>
    /// <param name="cancellationToken">Nobody waits any more.</param>
    public static async Task<IResult> Delete(
        Guid assetId, string? q, HttpRequest http, ICurrentUser user, ISender sender, CancellationToken cancellationToken)
    {
        var result = await sender.Send(new DeleteAsset(user.RequiredId, assetId), cancellationToken);
        if (!result.IsSuccess)
            return result.Error.ToResult();
        if (http.WantsFragment())
        {
            RefreshStage(http);
            return Html.Fragment<DeletedImage>(
                new Dictionary<string, object?> { ["AssetId"] = assetId, ["Query"] = GalleryVm.QueryOf(q), ["IsInGrid"] = true });
        }

        return http.WantsPage() ? GoOn(http, "/images" + GalleryVm.Search(GalleryVm.QueryOf(q), $"deleted={assetId}")) : TypedResults.NoContent();
    }

    /// <summary>A page that shows a drawing beside the grid shows it anew.</summary>
    public static void RefreshStage(HttpRequest http) =>
        http.HttpContext.Response.Headers["HX-Trigger"] = """{"refresh":{"target":"#transcript"}}""";

    /// <summary>Where a page without scripts goes on after a deletion, done or taken back.</summary>
    public static IResult GoOn(HttpRequest http, string path)
    {
        http.HttpContext.Response.Headers.Location = path;
        return TypedResults.StatusCode(StatusCodes.Status303SeeOther);
    }
}

/// <summary>Deletes for good what was deleted a while ago, in bounded batches, and lets go of what was kept for messages that never came.</summary>
internal sealed partial class AssetPurge(IServiceScopeFactory scopes, TimeProvider time, ILogger<AssetPurge> logger) : BackgroundService
{
    /// <summary>How long a deletion can be taken back.</summary>
    internal static readonly TimeSpan Grace = TimeSpan.FromMinutes(10);

    /// <summary>
    /// How long a message is waited for that a picture was kept for: longer than its event can be on its way, which is eight hours, and seven
    /// days among those whose delivery was given up.
    /// </summary>
    internal static readonly TimeSpan Confirmation = TimeSpan.FromDays(8);

    /// <summary>How long a conversation that is no more is remembered, and a job that has ended; no picture takes longer.</summary>
    internal static readonly TimeSpan Memory = TimeSpan.FromDays(30);

    private const int BatchSize = 100;
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    /// <summary>Purges one batch.</summary>
    /// <returns>How many assets are gone.</returns>
    internal static async Task<int> PurgeAsync(IServiceProvider services, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var context = services.GetRequiredService<MediaDbContext>();
        List<string> hashes;
        List<Guid> due;
        await using (var transaction = await context.Database.BeginTransactionAsync(cancellationToken))
        {
            due = await context.Database
                .SqlQuery<Guid>($"SELECT id FROM media.assets WHERE deleted_at < {now - Grace} ORDER BY deleted_at LIMIT {BatchSize} FOR UPDATE SKIP LOCKED")
                .ToListAsync(cancellationToken);
            var gone = context.Assets.Where(a => due.Contains(a.Id));
            hashes = await MediaDbContext.ReadHashesAsync(gone, cancellationToken);
            await gone.ExecuteDeleteAsync(cancellationToken);
            await context.DeletedConversations.Where(c => c.DeletedAt < now - Memory).ExecuteDeleteAsync(cancellationToken);
            await context.EndedJobs.Where(j => j.EndedAt < now - Memory).ExecuteDeleteAsync(cancellationToken);
            await transaction.CommitAsync(cancellationToken);
        }

        await services.GetRequiredService<UnreferencedBlobs>().DeleteAsync(hashes, cancellationToken);
        return due.Count;
    }

    /// <summary>
    /// Makes a batch of what was kept for messages that never came uploads like any other: their owner sees them, and is charged for them,
    /// since they were kept, and nobody takes them away. It does without the owners' rows, for it waits for nobody.
    /// </summary>
    internal static Task LetGoAsync(IServiceProvider services, DateTimeOffset now, CancellationToken cancellationToken) =>
        services.GetRequiredService<MediaDbContext>().Database.ExecuteSqlAsync(
            $"""
            UPDATE media.assets SET conversation_id = NULL, unconfirmed_since = NULL WHERE id = ANY (ARRAY(
                SELECT id FROM media.assets WHERE unconfirmed_since < {now - Confirmation} AND deleted_at IS NULL
                ORDER BY unconfirmed_since LIMIT {BatchSize} FOR UPDATE SKIP LOCKED))
            """,
            cancellationToken);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            // Each by itself: one that fails every time does not keep the other from being done.
            await TryAsync(LetGoAsync, LogLetGoFailed, stoppingToken);
            await TryAsync(PurgeAsync, LogFailed, stoppingToken);
        }
    }

    private async Task TryAsync(
        Func<IServiceProvider, DateTimeOffset, CancellationToken, Task> step, Action<Exception> logFailed, CancellationToken stoppingToken)
    {
        try
        {
            await using var scope = scopes.CreateAsyncScope();
            await step(scope.ServiceProvider, time.GetUtcNow(), stoppingToken);
        }
        catch (Exception e) when (e is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
        {
            // Whatever the database or the store came up with, it must not end the process.
            logFailed(e);
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Deleted files can't be purged now; tried again in a minute")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(2, LogLevel.Warning, "Pictures kept for messages that never came can't be let go now; tried again in a minute")]
    private partial void LogLetGoFailed(Exception exception);
}
