using Microsoft.Extensions.Options;

namespace SevenX42.Host.Realtime;

/// <summary>
/// When the process stops: tells everyone <c>bye</c> with a moment to come back at, then closes the sockets spread over
/// <see cref="RealtimeOptions.DrainPeriod"/>, so that ten thousand don't knock at the other replicas at once.
/// </summary>
internal sealed partial class RealtimeDrain(
    RealtimeClients clients,
    IHostApplicationLifetime lifetime,
    IOptions<RealtimeOptions> options,
    TimeProvider time,
    ILogger<RealtimeDrain> logger) : IHostedService
{
    private CancellationTokenRegistration _stopping;
    private Task _drained = Task.CompletedTask;

    // At ApplicationStopping, not in StopAsync: the web server stops before hosted services do, and waits for the sockets.
    public Task StartAsync(CancellationToken cancellationToken)
    {
        _stopping = lifetime.ApplicationStopping.Register(() => _drained = DrainAsync());
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _drained.WaitAsync(cancellationToken);
        await _stopping.DisposeAsync();
    }

    private async Task DrainAsync()
    {
        var open = clients.BeginDraining();
        if (open.Length == 0)
            return;
        LogDraining(open.Length);
        var period = options.Value.DrainPeriod;
        var (started, told) = (time.GetTimestamp(), 0);
        Random.Shared.Shuffle(open);
        // A step every 50 ms closes the share that is due; each comes back soon after its close, spread over more than a step.
        while (told < open.Length)
        {
            var elapsed = time.GetElapsedTime(started);
            var due = elapsed >= period ? open.Length : (int)Math.Ceiling(open.Length * (elapsed / period));
            for (; told < due; told++)
                open[told].Drain(TimeSpan.FromMilliseconds(Random.Shared.Next(50, 300)));
            if (told < open.Length)
                await Task.Delay(TimeSpan.FromMilliseconds(50), time);
        }
    }

    [LoggerMessage(1, LogLevel.Information, "Draining {Count} connections")]
    private partial void LogDraining(int count);
}
