using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using SevenX42.Host.Tests.Browser;
using SevenX42.Realtime;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Realtime;

/// <summary>The browser's module in a real Chromium, against the real socket and polls on a real Kestrel.</summary>
public sealed class ChromiumTests(Chromium chromium)
{
    private const string Room = "room/1";

    // As a page of ours does: the content says where it stands, and is fetched anew when the channel can't go on from there.
    private const string Page = """
        <!doctype html><meta name="csrf-token" content="x"><title>Test</title><div id="blocks"></div>
        <script type="module">
        import * as client from "/realtime.js";
        Object.assign(window, { client, text: "", states: [], resets: [], faults: [], sockets: [] });
        window.WebSocket = class extends WebSocket {
          constructor(...all) {
            super(...all);
            sockets.push(this);
          }
        };
        window.addEventListener("error", (e) => faults.push(e.message));
        const load = async () => {
          const { text: stored, pos } = await (await fetch("/snapshot")).json();
          window.text = stored;
          rt.watch("room/1", pos, {
            event: (type, [keep, inserted]) => {
              if (keep > text.length) throw new Error("gap");
              window.text = text.slice(0, keep) + inserted;
            },
            reset: (code) => (resets.push(code), load()),
          });
        };
        window.rt = client.createRealtime({ onState: (s) => states.push(s), onSignedOut: () => (window.signedOut = true) });
        if (location.pathname === "/page") load();
        </script>
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Text_streams_in_over_one_socket()
    {
        await using var site = await Site.StartAsync();
        await using var tab = await OpenAsync(site);
        await tab.StateAsync("connected");

        await WriteManyAsync(site.Host, 100, pause: 5);

        await tab.TextAsync(site.Host.Rooms.Stored(Room));
        Assert.Equal(["connecting", "connected"], await tab.StatesAsync());
        Assert.Equal(1, site.Host.Clients.Count);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Text_is_complete_whatever_happens_to_the_network(int seed)
    {
        await using var site = await Site.StartAsync();
        await using var tab = await OpenAsync(site);
        await tab.StateAsync("connected");
        var random = new Random(seed);
        var writing = WriteManyAsync(site.Host, 400, pause: 15);

        while (!writing.IsCompleted)
        {
            switch (random.Next(4))
            {
                case 0:
                    site.CutSockets();
                    break;
                case 1:
                    await tab.Page.GoOfflineAsync();
                    await PauseAsync(random.Next(100, 1_500));
                    await tab.Page.ComeBackAsync();
                    break;
                case 2:
                    await tab.Page.ReloadAsync();
                    break;
                default:
                    site.BlocksSockets = !site.BlocksSockets;
                    site.CutSockets();
                    break;
            }

            await PauseAsync(random.Next(50, 1_200));
        }

        await writing;
        await tab.TextAsync(site.Host.Rooms.Stored(Room));
        Assert.Empty(await tab.Page.EvaluateAsync<string[]>("faults"));
    }

    [Fact]
    public async Task Where_sockets_are_blocked_polling_takes_over_and_gives_way_when_they_are_not()
    {
        await using var site = await Site.StartAsync();
        site.BlocksSockets = true;
        await using var tab = await OpenAsync(site, clock: true);
        await tab.StateAsync("polling");

        await WriteManyAsync(site.Host, 50, pause: 10);
        await tab.TextAsync(site.Host.Rooms.Stored(Room));
        // No attempt is under way that would still be refused, and none begins by itself any more.
        await tab.Page.Clock.PauseAtAsync(TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(5));
        await tab.Page.WaitForFunctionAsync("() => sockets.every((it) => it.readyState === WebSocket.CLOSED)");
        site.BlocksSockets = false;
        // It tries again when it is due, half a minute later at most.
        await tab.Page.Clock.FastForwardAsync(30_000);
        await tab.StateAsync("connected");
        await tab.Page.Clock.ResumeAsync();

        await WriteManyAsync(site.Host, 50, pause: 10);
        await tab.TextAsync(site.Host.Rooms.Stored(Room));
        Assert.Equal(["connecting", "polling", "connected"], await tab.StatesAsync());
    }

    [Fact]
    public async Task Where_sockets_are_swallowed_polling_takes_over()
    {
        await using var site = await Site.StartAsync();
        site.SwallowsSockets = true;
        await using var tab = await OpenAsync(site);
        await WriteManyAsync(site.Host, 10, pause: 10);

        await tab.StateAsync("polling");

        await tab.TextAsync(site.Host.Rooms.Stored(Room));
    }

    [Fact]
    public async Task A_log_that_begins_again_makes_the_page_fetch_its_content_anew()
    {
        await using var site = await Site.StartAsync(FaultyLog.Replace);
        await using var tab = await OpenAsync(site);
        await tab.StateAsync("connected");
        await WriteManyAsync(site.Host, 10, pause: 1);
        await tab.TextAsync(site.Host.Rooms.Stored(Room));

        site.Host.Services.GetRequiredService<FaultyLog>().BeginEpoch();
        await site.Host.Rooms.WriteAsync(Room, "after");

        // The snapshot has it all; only what is written from now on comes by the channel.
        await tab.TextAsync(site.Host.Rooms.Stored(Room));
        Assert.Equal(["epoch"], await tab.Page.EvaluateAsync<string[]>("resets"));
    }

    [Fact]
    public async Task A_session_that_ends_elsewhere_ends_here()
    {
        await using var site = await Site.StartAsync();
        var session = TestIdentity.NewId();
        await using var tab = await OpenAsync(site, session: session);
        await tab.StateAsync("connected");

        site.Host.Identity.End(session);

        await tab.Page.WaitForFunctionAsync("window.signedOut === true", null, new() { Timeout = 6_000 });
        Assert.Equal(["connecting", "connected", "offline"], await tab.StatesAsync());
    }

    [Fact]
    public async Task Two_tabs_show_the_same()
    {
        await using var site = await Site.StartAsync();
        var user = TestIdentity.NewId();
        await using var one = await OpenAsync(site, user);
        await using var two = await OpenAsync(site, user);
        await one.StateAsync("connected");
        await two.StateAsync("connected");

        await WriteManyAsync(site.Host, 60, pause: 5);

        await one.TextAsync(site.Host.Rooms.Stored(Room));
        await two.TextAsync(site.Host.Rooms.Stored(Room));
    }

    [Fact]
    public async Task Deltas_assemble_to_the_whole_whatever_their_order_of_frames()
    {
        await using var site = await Site.StartAsync();
        await using var tab = await OpenAsync(site, path: "/empty");

        // Random documents grow block by block; each change is sent as the smallest delta; some share a frame.
        var differing = await tab.Page.EvaluateAsync<string[]>(
            """
            async () => {
              let seed = 7;
              const random = (n) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
              const word = () => ["plain", "ä😀", "<b>bold</b>", "<a href=\"https://x.example/?a=1&amp;b=2\">l</a>", "&lt;", "<code>c d</code>"][random(6)];
              const inline = () => Array.from({ length: 1 + random(6) }, word).join(" ");
              const list = () => `<ul>${Array.from({ length: 1 + random(4) }, () => `<li>${inline()}</li>`).join("\n")}</ul>`;
              const table = () => `<table><thead><tr><th>a</th></tr></thead><tbody>${Array.from({ length: random(4) }, () => `<tr><td>${inline()}</td></tr>`).join("")}</tbody></table>`;
              const html = () => [() => `<p>${inline()}</p>`, list, table, () => `<pre><code class="x">${inline()}\n\n${inline()}</code></pre>`, () => ""][random(5)]();
              const delta = (block, from, to) => {
                let keep = 0, end = 0;
                while (keep < Math.min(from.length, to.length) && from[keep] === to[keep]) keep++;
                while (end < Math.min(from.length, to.length) - keep && from.at(-1 - end) === to.at(-1 - end)) end++;
                return [block, keep, to.slice(keep, to.length - end), end];
              };
              const frame = () => new Promise((r) => requestAnimationFrame(r));
              const wrong = [];
              for (let run = 0; run < 20; run++) {
                const container = document.createElement("div");
                document.body.append(container);
                const blocks = [];
                for (let step = 0; step < 25; step++) {
                  const block = random(Math.min(blocks.length + 1, 6));
                  const next = html();
                  const [, keep, inserted, keepEnd] = delta(block, blocks[block] ?? "", next);
                  // Nearly always the inserted text comes in pieces: all but the first go on where the one before ended.
                  const cut = random(inserted.length + 1);
                  client.applyDelta(container, [[block, keep, inserted.slice(0, cut), keepEnd]]);
                  client.applyMore(container, inserted.slice(cut));
                  blocks[block] = next;
                  if (random(20) === 0) {
                    const first = random(blocks.length + 1);
                    client.dropBlocks(container, first);
                    blocks.fill("", first);
                  }
                  if (random(3) === 0) await frame();
                }
                await frame();
                await frame();
                const whole = document.createElement("div");
                whole.innerHTML = blocks.map((b, i) => `<div data-block="${i}">${b}</div>`).join("");
                if (container.innerHTML !== whole.innerHTML) wrong.push(`${run}: ${container.innerHTML} instead of ${whole.innerHTML}`);
                container.remove();
              }
              return wrong;
            }
            """);

        Assert.Empty(differing);
    }

    [Fact]
    public async Task A_growing_block_keeps_selection_focus_and_what_was_unfolded()
    {
        await using var site = await Site.StartAsync();
        await using var tab = await OpenAsync(site, path: "/empty");

        var kept = await tab.Page.EvaluateAsync<string[]>(
            """
            async () => {
              const frame = () => new Promise((r) => requestAnimationFrame(r));
              const container = document.querySelector("#blocks");
              client.applyDelta(container, [[0, 0, '<p>one <a href="#x">link</a> two</p><details><summary>s</summary>d</details>', 0], [1, 0, "<p>tail</p>", 0]]);
              await frame(); await frame();
              const text = container.querySelector("p").lastChild;
              getSelection().setBaseAndExtent(text, 1, text, 4);
              container.querySelector("details").toggleAttribute("data-kept");
              container.querySelector("a").focus();
              client.applyDelta(container, [[0, 32, " three</p><details data-kept=\"\"><summary>s</summary>d</details>", 0], [1, 7, " grows", 4]]);
              await frame(); await frame();
              return [String(getSelection()), document.activeElement.textContent, String(text === container.querySelector("p").lastChild), container.textContent];
            }
            """);

        Assert.Equal(["two", "link", "true", "one link two threesdtail grows"], kept);
    }

    // The network's and the model's pace, not a wait for something to happen.
    private static Task PauseAsync(int milliseconds) => Task.Delay(TimeSpan.FromMilliseconds(milliseconds), TimeProvider.System, Cancel);

    private static async Task WriteManyAsync(RealtimeHost host, int count, int pause)
    {
        for (var i = 0; i < count; i++)
        {
            await host.Rooms.WriteAsync(Room, $"{i.ToString(CultureInfo.InvariantCulture)} ");
            await PauseAsync(pause);
        }
    }

    private async Task<Tab> OpenAsync(Site site, Guid? user = null, Guid? session = null, string path = "/page", bool clock = false)
    {
        var context = await chromium.NewProfileAsync(new()
        {
            ExtraHTTPHeaders = new Dictionary<string, string>
            {
                ["X-User"] = $"{user ?? TestIdentity.NewId()}",
                ["X-Session"] = $"{session ?? TestIdentity.NewId()}",
            },
        });
        var page = await context.NewPageAsync();
        // Less than a poll waits for news.
        page.SetDefaultTimeout(20_000);
        if (clock)
            await page.Clock.InstallAsync();
        await page.GotoAsync(new Uri(site.Host.Address, path).ToString());
        await page.WaitForFunctionAsync("window.rt !== undefined");
        return new Tab(context, page);
    }

    internal sealed class Tab(IBrowserContext context, IPage page) : IAsyncDisposable
    {
        public IBrowserContext Context => context;

        public IPage Page => page;

        public Task StateAsync(string state) => page.WaitForFunctionAsync("s => window.states?.at(-1) === s", state);

        public Task<string[]> StatesAsync() => page.EvaluateAsync<string[]>("states");

        public Task TextAsync(string text) => page.WaitForFunctionAsync("t => window.text === t", text);

        public async ValueTask DisposeAsync() => await context.DisposeAsync();
    }

    /// <summary>The real-time endpoints with a page, behind a network that does as it is told.</summary>
    internal sealed class Site : IAsyncDisposable
    {
        private readonly List<HttpContext> _sockets = [];

        public RealtimeHost Host { get; private set; } = null!;

        /// <summary>As a proxy that does not let WebSockets through.</summary>
        public bool BlocksSockets { get; set; }

        /// <summary>As a proxy that takes WebSockets and says nothing.</summary>
        public bool SwallowsSockets { get; set; }

        public static async Task<Site> StartAsync(Action<IServiceCollection>? services = null)
        {
            var site = new Site();
            site.Host = await RealtimeHost.StartAsync(
                services: services,
                map: site.Map,
                settings: [("Realtime:ConnectionsPerUser", "100"), ("Realtime:DrainPeriod", "00:00:00.1")]);
            return site;
        }

        public void CutSockets()
        {
            lock (_sockets)
                _sockets.ForEach(s => s.Abort());
        }

        public async ValueTask DisposeAsync()
        {
            SwallowsSockets = false;
            CutSockets();
            await Host.DisposeAsync();
        }

        private void Map(WebApplication app)
        {
            app.Use(NetworkAsync);
            app.MapGet("/page", () => Results.Content(Page, "text/html"));
            app.MapGet("/empty", () => Results.Content(Page, "text/html"));
            app.MapGet("/realtime.js", () => Results.File(FindClient(), "text/javascript"));
            app.MapGet("/snapshot", async (TestRooms rooms, IChannelLog log, CancellationToken cancel) =>
            {
                // The position first: what comes between is told twice rather than not at all.
                var position = await log.GetPositionAsync(Room, cancel);
                return new { text = rooms.Stored(Room), pos = position.ToString() };
            });
        }

        private async Task NetworkAsync(HttpContext context, RequestDelegate next)
        {
            if (context.Request.Path != "/realtime")
            {
                await next(context);
                return;
            }

            if (BlocksSockets)
            {
                context.Response.StatusCode = StatusCodes.Status502BadGateway;
                return;
            }

            lock (_sockets)
                _sockets.Add(context);
            try
            {
                while (SwallowsSockets && !context.RequestAborted.IsCancellationRequested)
                    await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
                await next(context);
            }
            finally
            {
                lock (_sockets)
                    _sockets.Remove(context);
            }
        }

        private static string FindClient()
        {
            var directory = new DirectoryInfo(AppContext.BaseDirectory);
            while (!File.Exists(Path.Combine(directory!.FullName, "Monolith.sln")))
                directory = directory.Parent;
            return Path.Combine(directory.FullName, "src", "Host", "Assets", "realtime.js");
        }
    }
}
