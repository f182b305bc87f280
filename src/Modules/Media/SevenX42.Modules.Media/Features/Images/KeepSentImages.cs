using MediatR;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using SevenX42.Modules.Media.Features.Assets;
using SevenX42.Modules.Media.Infrastructure;

namespace SevenX42.Modules.Media.Features.Images;

/// <summary>Makes pictures that are held back those of their owner: what they were sent with is about to be stored.</summary>
/// <param name="OwnerId">Whose.</param>
/// <param name="AssetIds">The pictures.</param>
/// <param name="ConversationId">The conversation, with which they are deleted.</param>
internal sealed record KeepSentImages(Guid OwnerId, IReadOnlyCollection<Guid> AssetIds, Guid ConversationId) : IMediaCommand;

internal sealed class KeepSentImagesHandler(MediaDbContext context, AssetIntake intake, IOptions<MediaOptions> options, TimeProvider time)
    : IRequestHandler<KeepSentImages, Result>
{
    private static readonly Error Gone = Error.Conflict("picture_gone", "A picture is not there any more. Attach it again.");

    public async Task<Result> Handle(KeepSentImages request, CancellationToken cancellationToken)
    {
        var ids = request.AssetIds;
        var theirs = context.Assets.Where(a => ids.Contains(a.Id) && a.OwnerId == request.OwnerId);
        DateTimeOffset? keptAt = time.GetUtcNow();
        // All or none. The owner's row before the assets, which whoever deletes or restores one of them waits for.
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        if (!await context.ChargeAsync(request.OwnerId, 0, long.MaxValue, cancellationToken))
            return Gone;
        // Kept before by the same sending, whose end nobody heard of. The time in which that has to be confirmed begins anew.
        // So it does for what was let go because it never was.
        var kept = await theirs.Where(a => a.DeletedAt == null && (a.ConversationId == request.ConversationId || a.ConversationId == null)).ExecuteUpdateAsync(
            set => set.SetProperty(a => a.UnconfirmedSince, a => a.UnconfirmedSince == null && a.ConversationId != null ? null : keptAt)
                .SetProperty(a => a.ConversationId, request.ConversationId),
            cancellationToken);
        var held = theirs.Where(a => a.DeletedAt != null && a.ConversationId == null);
        var sizes = await held.Select(a => a.Bytes + a.VariantBytes).ToListAsync(cancellationToken);
        if (kept + sizes.Count < ids.Count)
            return Gone;
        // What is charged already needs no room.
        if (sizes.Count > 0 && !await context.ChargeAsync(request.OwnerId, sizes.Sum(), options.Value.QuotaBytes, cancellationToken))
            return intake.OverQuota();
        if (await context.DeletedConversations.AnyAsync(c => c.Id == request.ConversationId, cancellationToken))
            return Error.NotFound("The conversation of this picture is gone.");
        var now = await held.ExecuteUpdateAsync(
            set => set.SetProperty(a => a.DeletedAt, (DateTimeOffset?)null).SetProperty(a => a.ConversationId, request.ConversationId)
                .SetProperty(a => a.UnconfirmedSince, keptAt),
            cancellationToken);
        // Purged meanwhile.
        if (now < sizes.Count)
            return Gone;
        await transaction.CommitAsync(cancellationToken);
        return Result.Success;
    }
}
