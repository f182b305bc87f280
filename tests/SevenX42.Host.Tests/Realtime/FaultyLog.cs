using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using SevenX42.Realtime;

namespace SevenX42.Host.Tests.Realtime;

/// <summary>A log whose network fails on command.</summary>
internal sealed class FaultyLog(Func<IChannelLog> create) : IChannelLog
{
    private readonly List<(string Channel, Action Wake)> _wakes = [];
    private IChannelLog _inner = create();

    public bool LosesWakeUps { get; set; }

    public bool IsAway { get; set; }

    public void BeginEpoch() => _inner = create();

    /// <summary>Puts it before the log that is registered.</summary>
    public static void Replace(IServiceCollection services)
    {
        var memory = services.Single(s => s.ServiceType == typeof(IChannelLog)).ImplementationType!;
        services.RemoveAll<IChannelLog>();
        services.AddSingleton(p => new FaultyLog(() => (IChannelLog)ActivatorUtilities.CreateInstance(p, memory)));
        services.AddSingleton<IChannelLog>(p => p.GetRequiredService<FaultyLog>());
    }

    public async ValueTask<AppendResult> AppendAsync(
        string channel, IReadOnlyList<NewChannelEvent> events, Fence? fence, CancellationToken cancellationToken)
    {
        var result = await _inner.AppendAsync(channel, events, fence, cancellationToken);
        (string Channel, Action Wake)[] wakes;
        lock (_wakes)
            wakes = [.. _wakes];
        foreach (var (_, wake) in wakes.Where(w => w.Channel == channel && !LosesWakeUps))
            wake();
        return result;
    }

    public ValueTask<ChannelRead> ReadAsync(
        string channel, ChannelPosition from, int maxEvents, List<ChannelEvent> into, CancellationToken cancellationToken) =>
        Reach().ReadAsync(channel, from, maxEvents, into, cancellationToken);

    public ValueTask<ChannelRead> ReadRetainedAsync(string channel, List<ChannelEvent> into, CancellationToken cancellationToken) =>
        Reach().ReadRetainedAsync(channel, into, cancellationToken);

    public ValueTask<ChannelPosition> GetPositionAsync(string channel, CancellationToken cancellationToken) =>
        Reach().GetPositionAsync(channel, cancellationToken);

    public IDisposable Subscribe(string channel, Action wake)
    {
        lock (_wakes)
            _wakes.Add((channel, wake));
        return new Subscription(() =>
        {
            lock (_wakes)
                _wakes.Remove((channel, wake));
        });
    }

    private IChannelLog Reach() => IsAway ? throw new ChannelLogUnavailableException("planted") : _inner;

    private sealed class Subscription(Action dispose) : IDisposable
    {
        public void Dispose() => dispose();
    }
}
