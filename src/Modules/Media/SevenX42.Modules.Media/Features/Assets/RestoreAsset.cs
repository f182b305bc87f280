using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using SevenX42.Http;
using SevenX42.Modules.Media.Features.Images;
using SevenX42.Modules.Media.Infrastructure;

namespace SevenX42.Modules.Media.Features.Assets;

/// <summary>Takes a deletion back.</summary>
internal sealed record RestoreAsset(Guid OwnerId, Guid AssetId) : IMediaCommand;

internal sealed class RestoreAssetHandler(MediaDbContext context, AssetIntake intake, IOptions<MediaOptions> options)
    : IRequestHandler<RestoreAsset, Result>
{
    private static readonly Error Gone = Error.NotFound("This file can't be restored any more.");

    public async Task<Result> Handle(RestoreAsset request, CancellationToken cancellationToken)
    {
        var asset = await context.Assets.AsNoTracking()
            .FirstOrDefaultAsync(a => a.Id == request.AssetId && a.OwnerId == request.OwnerId, cancellationToken);
        if (asset is null)
            return Gone;
        if (asset.DeletedAt is null)
            return Result.Success;
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        // Its room may have been taken since.
        if (!await context.ChargeAsync(asset.OwnerId, asset.ChargedBytes, options.Value.QuotaBytes, cancellationToken))
            return intake.OverQuota();
        var restored = await context.Assets.Where(a => a.Id == asset.Id && a.DeletedAt != null)
            .ExecuteUpdateAsync(set => set.SetProperty(a => a.DeletedAt, (DateTimeOffset?)null), cancellationToken);
        // Purged meanwhile, or restored by somebody who was faster; what was charged here is rolled back.
        if (restored == 0)
            return await context.Assets.AnyAsync(a => a.Id == asset.Id, cancellationToken) ? Result.Success : Gone;
        await transaction.CommitAsync(cancellationToken);
        return Result.Success;
    }
}

/// <summary><c>POST /media/assets/{assetId}/restore</c>.</summary>
internal static class RestoreAssetEndpoint
{
    /// <inheritdoc cref="DeleteAssetEndpoint.Delete"/>
    public static async Task<IResult> Post(
        Guid assetId, string? q, HttpRequest http, ICurrentUser user, ISender sender, CancellationToken cancellationToken)
    {
        var result = await sender.Send(new RestoreAsset(user.RequiredId, assetId), cancellationToken);
        if (!result.IsSuccess)
            return result.Error.ToResult();
        var search = GalleryVm.QueryOf(q);
        if (http.WantsPage())
            return DeleteAssetEndpoint.GoOn(http, $"/images/{assetId}{GalleryVm.Search(search)}");
        DeleteAssetEndpoint.RefreshStage(http);
        // Back to its place in the grid.
        return http.WantsFragment() && await sender.Send(new ReadImage(user.RequiredId, assetId, search), cancellationToken) is { IsSuccess: true } image
            ? Html.Fragment<Thumbnail>(new Dictionary<string, object?> { ["Image"] = image.Value.Image, ["Query"] = search, ["IsBack"] = true })
            : TypedResults.NoContent();
    }
}
