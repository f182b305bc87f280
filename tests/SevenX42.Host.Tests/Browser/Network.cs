using Microsoft.Playwright;

namespace SevenX42.Host.Tests.Browser;

/// <summary>
/// Takes the network from a page and gives it back. The browser tells the page at once; the process that carries its requests
/// hears of it in its own time, and a request that is made meanwhile goes as before. So both wait until requests show it.
/// </summary>
internal static class Network
{
    public static async Task GoOfflineAsync(this IPage page)
    {
        await page.Context.SetOfflineAsync(true);
        await RequestsAsync(page, arrive: false);
    }

    public static async Task ComeBackAsync(this IPage page)
    {
        await page.Context.SetOfflineAsync(false);
        await RequestsAsync(page, arrive: true);
    }

    // Whatever the answer.
    private static Task<IJSHandle> RequestsAsync(IPage page, bool arrive) => page.WaitForFunctionAsync(
        "arrive => fetch('/health/live', { cache: 'no-store' }).then(() => arrive, () => !arrive)", arrive);
}
