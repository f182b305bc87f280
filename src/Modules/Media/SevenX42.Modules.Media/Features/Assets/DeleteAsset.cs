using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using SevenX42.Http;
using SevenX42.Modules.Media.Infrastructure;
using SevenX42.Modules.Media.Infrastructure.Blobs;

namespace SevenX42.Modules.Media.Features.Assets;

/// <summary>Deletes an asset of a user, and its content when nobody else has the same.</summary>
internal sealed record DeleteAsset(Guid OwnerId, Guid AssetId) : IMediaCommand;

internal sealed class DeleteAssetHandler(MediaDbContext context, UnreferencedBlobs unreferenced) : IRequestHandler<DeleteAsset, Result>
{
    public async Task<Result> Handle(DeleteAsset request, CancellationToken cancellationToken)
    {
        var asset = await context.Assets.AsNoTracking()
            .FirstOrDefaultAsync(a => a.Id == request.AssetId && a.OwnerId == request.OwnerId, cancellationToken);
        if (asset is null)
            return Error.NotFound();
        await using (var transaction = await context.Database.BeginTransactionAsync(cancellationToken))
        {
            // The owner's row first, as everywhere, so that nobody waits in a circle.
            await context.Database.ExecuteSqlAsync(
                $"UPDATE media.owners SET bytes = bytes - {asset.Bytes} WHERE id = {asset.OwnerId} AND NOT is_deleted", cancellationToken);
            // Of two deletions at the same time only one finds the asset; the other gives no bytes back.
            if (await context.Assets.Where(a => a.Id == asset.Id).ExecuteDeleteAsync(cancellationToken) == 0)
                return Error.NotFound();
            await transaction.CommitAsync(cancellationToken);
        }

        // The asset is gone whether or not the caller still waits.
        await unreferenced.DeleteAsync([asset.ContentHash], CancellationToken.None);
        return Result.Success;
    }
}

/// <summary><c>DELETE /media/assets/{assetId}</c>, and <c>POST …/delete</c> for forms.</summary>
internal static class DeleteAssetEndpoint
{
    public static async Task<IResult> Delete(
        Guid assetId, HttpRequest http, ICurrentUser user, ISender sender, CancellationToken cancellationToken)
    {
        var result = await sender.Send(new DeleteAsset(user.RequiredId, assetId), cancellationToken);
        if (!result.IsSuccess)
            return result.Error.ToResult();
        if (!http.WantsPage())
            return TypedResults.NoContent();
        http.HttpContext.Response.Headers.Location = "/";
        return TypedResults.StatusCode(StatusCodes.Status303SeeOther);
    }
}
