using Microsoft.EntityFrameworkCore;
using SevenX42.Contracts.Chat;
using SevenX42.Messaging;
using SevenX42.Modules.Media.Infrastructure;

namespace SevenX42.Modules.Media.Integration;

/// <summary>Knows from now on that pictures belong to a message, and its conversation is there.</summary>
internal sealed class PicturesSentHandler(MediaDbContext context) : InboxHandler<PicturesSent, MediaDbContext>(context)
{
    protected override Task HandleOnceAsync(PicturesSent integrationEvent, CancellationToken cancellationToken)
    {
        var pictures = integrationEvent.Pictures;
        return Context.Assets.Where(a => pictures.Contains(a.Id) && a.OwnerId == integrationEvent.UserId)
            .ExecuteUpdateAsync(set => set.SetProperty(a => a.UnconfirmedSince, (DateTimeOffset?)null), cancellationToken);
    }
}
