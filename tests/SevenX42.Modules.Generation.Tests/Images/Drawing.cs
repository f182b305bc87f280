using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Domain.Images;
using SevenX42.Modules.Generation.Infrastructure;
using SevenX42.Modules.Generation.Infrastructure.Providers.Images;
using SevenX42.Modules.Generation.Infrastructure.Providers.OpenAI;
using SevenX42.Testing.ImageServers;

namespace SevenX42.Modules.Generation.Tests.Images;

/// <summary>Reads a provider's updates one after the other, so that a test can do something in between.</summary>
internal sealed class Drawing : IAsyncDisposable
{
    private readonly IAsyncEnumerator<ImageUpdate> _updates;
    private readonly CancellationTokenSource _cancel = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);

    public Drawing(IImageProvider provider, ImageRequest request, TimeProvider? time = null) =>
        _updates = ImageRun.RunAsync(provider, request, time ?? TimeProvider.System, _cancel.Token).GetAsyncEnumerator(_cancel.Token);

    public List<ImageUpdate> Seen { get; } = [];

    public static ProviderConnections Connections { get; } = new();

    public static ProviderOptions Options(ImageServerHost server, TimeSpan? idle = null) => new()
    {
        Name = "painter",
        BaseUrl = server.BaseUrl.ToString(),
        FirstTokenTimeout = idle ?? TimeSpan.FromSeconds(30),

        // Between two tokens; between two steps there is more time.
        IdleTimeout = TimeSpan.FromMilliseconds(1),
    };

    /// <summary>The next update; fails the test when there is none.</summary>
    public async Task<ImageUpdate> NextAsync()
    {
        Assert.True(await _updates.MoveNextAsync(), "Ended after " + string.Join(", ", Seen.Select(u => u.GetType().Name)));
        Seen.Add(_updates.Current);
        return _updates.Current;
    }

    /// <summary>Reads until an update is like that.</summary>
    public async Task<T> UntilAsync<T>(Func<T, bool> holds)
        where T : ImageUpdate
    {
        while (true)
        {
            if (await NextAsync() is T update && holds(update))
                return update;
        }
    }

    /// <summary>Reads to the end.</summary>
    public async Task<List<ImageUpdate>> EndAsync()
    {
        while (await _updates.MoveNextAsync())
            Seen.Add(_updates.Current);
        return Seen;
    }

    /// <summary>Reads to the end, which is a failure.</summary>
    public async Task<GenerationFailure> FailAsync() => Assert.IsType<ImageFailed>((await EndAsync())[^1]).Failure;

    /// <summary>Cancels while the next update is awaited, as a worker does.</summary>
    public async Task CancelAsync()
    {
        var next = EndAsync();
        await _cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => next);
    }

    public async ValueTask DisposeAsync()
    {
        await _cancel.CancelAsync();
        await _updates.DisposeAsync();
        _cancel.Dispose();
    }
}
