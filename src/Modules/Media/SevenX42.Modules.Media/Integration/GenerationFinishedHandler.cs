using SevenX42.Contracts.Generation;
using SevenX42.Messaging;
using SevenX42.Modules.Media.Features.Images;
using SevenX42.Modules.Media.Infrastructure;
using SevenX42.Modules.Media.Infrastructure.Blobs;

namespace SevenX42.Modules.Media.Integration;

/// <summary>Deletes what a job has lost, as soon as it has ended.</summary>
internal sealed class GenerationFinishedHandler(MediaDbContext context, LostPictures lost, UnreferencedBlobs unreferenced)
    : InboxHandler<GenerationFinished, MediaDbContext>(context)
{
    private IReadOnlyList<string> _hashes = [];

    protected override async Task HandleOnceAsync(GenerationFinished integrationEvent, CancellationToken cancellationToken)
    {
        if (integrationEvent.Pictures is { } named)
            _hashes = await lost.DeleteAsync(integrationEvent.GenerationId, named, cancellationToken);
    }

    protected override Task AfterCommitAsync(GenerationFinished integrationEvent, CancellationToken cancellationToken) =>
        unreferenced.DeleteAsync(_hashes, cancellationToken);
}
