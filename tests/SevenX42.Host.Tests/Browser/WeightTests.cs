using System.Collections.Concurrent;
using System.Net.Http.Headers;
using Microsoft.Playwright;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Browser;

/// <summary>What a first visit costs, weighed on the responses a browser gets.</summary>
public sealed class WeightTests(Chromium chromium, RunningApp app) : IClassFixture<RunningApp>
{
    [Fact]
    public async Task A_first_load_is_at_most_90_KB_in_at_most_8_requests_and_its_scripts_at_most_45_KB()
    {
        var requests = new ConcurrentDictionary<string, (Uri Address, string Kind)>();
        var bytes = new ConcurrentDictionary<string, double>();
        await using var profile = await chromium.NewProfileAsync(Person.Desktop);
        var page = await profile.NewPageAsync();
        var network = await profile.NewCDPSessionAsync(page);
        await network.SendAsync("Network.enable");
        network.Event("Network.responseReceived").OnEvent += (_, e) =>
        {
            var message = e!.Value;
            requests[message.GetProperty("requestId").GetString()!] =
                (new Uri(message.GetProperty("response").GetProperty("url").GetString()!), message.GetProperty("type").GetString()!);
        };
        network.Event("Network.loadingFinished").OnEvent += (_, e) =>
        {
            var message = e!.Value;
            bytes[message.GetProperty("requestId").GetString()!] = message.GetProperty("encodedDataLength").GetDouble();
        };

        await page.GotoAsync(app.Address.ToString(), new PageGotoOptions { WaitUntil = WaitUntilState.NetworkIdle });

        var ours = requests.Where(r => r.Value.Address.Scheme != "data").ToDictionary();
        var list = string.Join('\n', ours.Select(r => $"{r.Value.Address.PathAndQuery} {r.Value.Kind} {bytes.GetValueOrDefault(r.Key)}"));
        TestContext.Current.AddAttachment("first load", list);
        Assert.InRange(ours.Count, 3, 8);
        Assert.True(ours.Sum(r => bytes[r.Key]) <= 90_000, list);
        var scripts = ours.Values.Where(r => r.Kind == "Script").Select(r => r.Address).ToList();
        Assert.NotEmpty(scripts);
        var weights = await Task.WhenAll(scripts.Select(GzipWeightAsync));
        Assert.True(weights.Sum() <= 45_000, $"{weights.Sum()} bytes of script");
    }

    [Fact]
    public async Task Style_sheet_script_and_icon_are_kept_by_browsers_for_ever()
    {
        await using var profile = await chromium.NewProfileAsync(Person.Desktop);
        var page = await profile.NewPageAsync();
        var responses = new ConcurrentQueue<IResponse>();
        page.Response += (_, response) => responses.Enqueue(response);

        await page.GotoAsync(app.Address.ToString(), new PageGotoOptions { WaitUntil = WaitUntilState.NetworkIdle });

        var assets = responses.Where(r => new Uri(r.Url).AbsolutePath.StartsWith("/assets/", StringComparison.Ordinal)).ToList();
        Assert.True(assets.Count >= 2);
        foreach (var asset in assets)
            Assert.Contains("immutable", await asset.HeaderValueAsync("cache-control") ?? "", StringComparison.Ordinal);
    }

    // As sent, not as Chromium counts it: whole and packed, without headers.
    private async Task<int> GzipWeightAsync(Uri address)
    {
        using var client = new HttpClient(new SocketsHttpHandler { AutomaticDecompression = System.Net.DecompressionMethods.None });
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        request.Headers.AcceptEncoding.Add(new StringWithQualityHeaderValue("gzip"));
        using var response = await client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Contains("gzip", response.Content.Headers.ContentEncoding);
        return (await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken)).Length;
    }
}
