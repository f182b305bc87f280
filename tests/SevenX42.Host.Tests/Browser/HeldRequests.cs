using Microsoft.Playwright;

namespace SevenX42.Host.Tests.Browser;

/// <summary>Requests of a page that are kept on their way until they are let go, or the test is over.</summary>
internal sealed class HeldRequests : IDisposable
{
    private readonly TaskCompletionSource _arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _go = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _count;

    private HeldRequests()
    {
    }

    /// <summary>How many there were.</summary>
    public int Count => _count;

    /// <summary>Completes with the first.</summary>
    public Task Arrived => _arrived.Task;

    /// <summary>Holds what goes to the addresses.</summary>
    /// <param name="page">The page.</param>
    /// <param name="pattern">Addresses as a glob.</param>
    /// <param name="answered">Whether the server gets them at once, so that it is the answers that are held.</param>
    /// <param name="method">Their method; others pass.</param>
    public static async Task<HeldRequests> HoldAsync(IPage page, string pattern, bool answered = false, string method = "POST")
    {
        var held = new HeldRequests();
        await page.RouteAsync(pattern, async route =>
        {
            if (route.Request.Method != method)
            {
                await route.FallbackAsync();
                return;
            }

            Interlocked.Increment(ref held._count);
            var response = answered ? await route.FetchAsync() : null;
            held._arrived.TrySetResult();
            await held._go.Task;
            if (response is null)
                await route.ContinueAsync();
            else
                await route.FulfillAsync(new() { Response = response });
        });
        return held;
    }

    public void LetGo() => _go.TrySetResult();

    public void Dispose() => LetGo();
}
