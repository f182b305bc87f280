using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Modules.Generation.Infrastructure.Work;
using SevenX42.Realtime;

namespace SevenX42.Modules.Generation.Infrastructure.Images;

/// <summary>A job that draws, on its own: whoever asked for it may watch, and hears of it as the log has it.</summary>
internal sealed class ImageChannel(IServiceScopeFactory scopes) : IChannelKind
{
    public string Prefix => JobChannels.ImagePrefix;

    public async ValueTask<bool> MaySubscribeAsync(Guid userId, string channel, CancellationToken cancellationToken)
    {
        // By its one name: under every other spelling there would be a log and a feed of its own.
        if (!Guid.TryParseExact(channel.AsSpan(Prefix.Length), "D", out var id) || channel != JobChannels.OfImage(id))
            return false;
        await using var scope = scopes.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<GenerationDbContext>().Jobs
            .AnyAsync(j => j.Id == id && j.UserId == userId && j.Image != null, cancellationToken);
    }

    public IChannelProjector? CreateProjector(string channel) => null;
}
