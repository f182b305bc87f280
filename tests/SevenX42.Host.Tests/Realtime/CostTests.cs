using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Host.Realtime;
using SevenX42.Realtime;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Realtime;

/// <summary>What a socket and a frame may cost. Alone, since it counts the whole process's allocations.</summary>
[Collection(nameof(Alone))]
public sealed class CostTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_delivered_frame_allocates_at_most_64_bytes()
    {
        const int viewers = 20;
        await using var host = await RealtimeHost.StartAsync(
            settings: [("Realtime:FlushInterval", "00:00:00.001"), ("Realtime:ConnectionsPerUser", "100"), ("ChannelLog:Memory:MaxEventsPerChannel", "64"),
                ("Realtime:ChannelWindowBytes", "16000000"), ("Realtime:ConnectionWindowBytes", "16000000")],
            services: services => services.AddSingleton<IChannelKind, Silent>());
        var sockets = new List<Socket>();
        for (var i = 0; i < viewers; i++)
            sockets.Add(await OpenAsync(host, "silent/1"));
        NewChannelEvent[] token = [new("text", "\"token\""u8.ToArray())];
        var frame = new byte[16 * 1024];
        // Compiled, pooled and grown to what it needs.
        await StreamAsync(400);

        var before = GC.GetTotalAllocatedBytes(precise: true);
        await StreamAsync(400);
        var perFrame = (GC.GetTotalAllocatedBytes(precise: true) - before) / (400.0 * viewers);

        Assert.InRange(perFrame, 0, 64);
        sockets.ForEach(s => s.Dispose());

        async Task StreamAsync(int events)
        {
            for (var i = 0; i < events; i++)
            {
                await host.Log.AppendAsync("silent/1", token, null, Cancel);
                // Blocking reads into one buffer: the client's side of it allocates nothing.
                foreach (var socket in sockets)
                    ReadFrame(socket, frame);
            }
        }
    }

    [Fact]
    public async Task The_gauge_of_open_sockets_follows_them()
    {
        await using var host = await RealtimeHost.StartAsync();
        var open = 0;
        var reasons = new List<string>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Name is "sevenx42.realtime.connections" or "sevenx42.realtime.refused"
                && instrument.Meter.Scope == host.Services.GetRequiredService<IMeterFactory>())
                self.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<int>((_, by, _, _) => Interlocked.Add(ref open, by));
        listener.SetMeasurementEventCallback<long>((_, _, tags, _) => reasons.Add((string)tags[0].Value!));
        listener.Start();
        var one = await host.ConnectAsync();
        var two = await host.ConnectAsync();
        await RealtimeClient.TryConnectAsync(host.Address, token: null);
        Assert.Equal(2, open);

        await one.DisposeAsync();
        two.Abort();

        await Eventually.TrueAsync(() => open == 0);
        Assert.Equal(["token"], reasons);
        await two.DisposeAsync();
    }

    private static async Task<Socket> OpenAsync(RealtimeHost host, string channel)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, host.Address.Port, Cancel);
        var request = $"""
            GET /realtime HTTP/1.1
            Host: {host.Address.Authority}
            Origin: {host.Address.GetLeftPart(UriPartial.Authority)}
            Connection: Upgrade
            Upgrade: websocket
            Sec-WebSocket-Version: 13
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
            Sec-WebSocket-Protocol: 7x42.v1, jwt.{host.Identity.Issue()}


            """.ReplaceLineEndings("\r\n");
        await socket.SendAsync(Encoding.ASCII.GetBytes(request), Cancel);
        var bytes = new byte[1];
        for (var end = 0; end < 4;)
        {
            Assert.Equal(1, await socket.ReceiveAsync(bytes.AsMemory(), Cancel));
            end = bytes[0] == "\r\n\r\n"[end] ? end + 1 : 0;
        }

        var frame = new byte[1024];
        Assert.Contains("hello", Encoding.UTF8.GetString(frame, 0, ReadFrame(socket, frame)), StringComparison.Ordinal);
        var subscribe = Encoding.UTF8.GetBytes($$"""{"op":"sub","id":1,"ch":"{{channel}}"}""");
        // A mask of zeros leaves the text as it is.
        byte[] masked = [0x81, (byte)(0x80 | subscribe.Length), 0, 0, 0, 0, .. subscribe];
        await socket.SendAsync(masked, Cancel);
        Assert.Contains("subbed", Encoding.UTF8.GetString(frame, 0, ReadFrame(socket, frame)), StringComparison.Ordinal);
        return socket;
    }

    private static int ReadFrame(Socket socket, byte[] into)
    {
        Read(socket, into, 2);
        int length = into[1];
        if (length == 126)
        {
            Read(socket, into, 2);
            length = (into[0] << 8) | into[1];
        }

        Read(socket, into, length);
        return length;
    }

    private static void Read(Socket socket, byte[] into, int count)
    {
        for (var have = 0; have < count;)
        {
            var read = socket.Receive(into, have, count - have, SocketFlags.None);
            if (read == 0)
                throw new EndOfStreamException();
            have += read;
        }
    }

    /// <summary>A channel whose projection allocates nothing, so that what is counted is the transport's.</summary>
    private sealed class Silent : IChannelKind
    {
        public string Prefix => "silent/";

        public ValueTask<bool> MaySubscribeAsync(Guid userId, string channel, CancellationToken cancellationToken) => new(true);

        public IChannelProjector? CreateProjector(string channel) => null;
    }
}
