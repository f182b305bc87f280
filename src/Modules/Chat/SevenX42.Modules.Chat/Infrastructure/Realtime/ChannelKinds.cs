using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Modules.Chat.Rendering;
using SevenX42.Realtime;

namespace SevenX42.Modules.Chat.Infrastructure;

/// <summary>Conversations: their owner may watch them.</summary>
internal sealed class ConversationChannel(IServiceScopeFactory scopes, MarkdownRenderer renderer) : IChannelKind, IDisposable
{
    // A conversation never changes hands, so what was looked up once holds; a deleted one has nothing left to tell.
    private static readonly TimeSpan Retention = TimeSpan.FromMinutes(10);
    private readonly MemoryCache _owners = new(new MemoryCacheOptions { SizeLimit = 100_000 });

    public string Prefix => Channels.ConversationPrefix;

    public async ValueTask<bool> MaySubscribeAsync(Guid userId, string channel, CancellationToken cancellationToken)
    {
        // By its one name: under every other spelling there would be a log and a feed of its own.
        if (!Guid.TryParseExact(channel.AsSpan(Prefix.Length), "D", out var id) || channel != Channels.OfConversation(id))
            return false;
        if (_owners.TryGetValue(id, out Guid owner))
            return owner == userId;
        await using var scope = scopes.CreateAsyncScope();
        var found = await scope.ServiceProvider.GetRequiredService<ChatDbContext>().Conversations
            .Where(c => c.Id == id && c.DeletedAt == null)
            .Select(c => (Guid?)c.OwnerId)
            .SingleOrDefaultAsync(cancellationToken);
        if (found is null)
            return false;
        _owners.Set(id, found.Value, new MemoryCacheEntryOptions { Size = 1, AbsoluteExpirationRelativeToNow = Retention });
        return found == userId;
    }

    public IChannelProjector CreateProjector(string channel)
    {
        var id = Guid.ParseExact(channel.AsSpan(Prefix.Length), "D");
        return new ConversationProjector(renderer, async cancellationToken =>
        {
            await using var scope = scopes.CreateAsyncScope();
            return await scope.ServiceProvider.GetRequiredService<LiveAnswers>().ReadPendingAsync(id, cancellationToken);
        });
    }

    public void Dispose() => _owners.Dispose();
}

/// <summary>A user's own channel: the list of conversations.</summary>
internal sealed class UserChannel : IChannelKind
{
    public string Prefix => Channels.UserPrefix;

    public ValueTask<bool> MaySubscribeAsync(Guid userId, string channel, CancellationToken cancellationToken) =>
        new(channel == Channels.OfUser(userId));

    public IChannelProjector? CreateProjector(string channel) => null;
}
