using SevenX42.Contracts.Identity;
using SevenX42.Realtime;

namespace SevenX42.Host.Realtime;

/// <summary>Who may: tokens and channels. Fails closed.</summary>
internal sealed partial class RealtimeAccess(
    IServiceScopeFactory scopes, RealtimeClients clients, TimeProvider time, ILogger<RealtimeAccess> logger)
{
    private static readonly TimeSpan PolicyLimit = TimeSpan.FromSeconds(5);

    /// <summary>Who a token is for; nobody when it is no good or its session is known to have ended.</summary>
    public async ValueTask<RealtimeIdentity?> IdentifyAsync(string token, CancellationToken cancellationToken)
    {
        // A scope of its own: the request's lives as long as the socket, and with it whatever was resolved from it.
        await using var scope = scopes.CreateAsyncScope();
        var identity = await scope.ServiceProvider.GetRequiredService<IIdentityApi>()
            .ValidateRealtimeTokenAsync(token, cancellationToken);
        return identity is null || identity.ExpiresAt <= time.GetUtcNow() || clients.HasEnded(identity.SessionId) ? null : identity;
    }

    /// <summary>Asks a channel's policy.</summary>
    /// <returns><see langword="null"/> when the user may; otherwise the code to deny with.</returns>
    public async ValueTask<string?> AuthorizeAsync(
        IChannelKind kind, Guid userId, string channel, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var timer = time.CreateTimer(static l => ((CancellationTokenSource)l!).Cancel(), limit, PolicyLimit, Timeout.InfiniteTimeSpan);
        try
        {
            return await kind.MaySubscribeAsync(userId, channel, limit.Token) ? null : RealtimeCodes.NotFound;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            LogPolicyFailed(e, channel, userId);
            return RealtimeCodes.Unavailable;
        }
    }

    [LoggerMessage(1, LogLevel.Error, "Whether user {UserId} may follow {Channel} can't be told now")]
    private partial void LogPolicyFailed(Exception exception, string channel, Guid userId);
}
