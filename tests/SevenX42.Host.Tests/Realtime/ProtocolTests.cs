using System.Net.WebSockets;
using System.Text;
using SevenX42.Host.Realtime;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Realtime;

/// <summary>What clients may not do, and that others don't notice when one does.</summary>
public sealed class ProtocolTests : IAsyncLifetime
{
    private RealtimeHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await RealtimeHost.StartAsync();

    public async ValueTask DisposeAsync()
    {
        // Whatever a test did: the next client is served, and nothing is left behind.
        await using (var client = await _host.ConnectAsync())
        {
            var (number, _, _) = await client.SubscribedAsync("room/after");
            await _host.Rooms.WriteAsync("room/after", "alive");
            await client.EventsAsync(number);
        }

        await Eventually.TrueAsync(() => _host.Clients.Count == 0);
        Assert.DoesNotContain(_host.Logs.All, line => line.Level >= Microsoft.Extensions.Logging.LogLevel.Error);
        await _host.DisposeAsync();
    }

    [Theory]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData("hello")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("42")]
    [InlineData("{}")]
    [InlineData("{\"op\":")]
    [InlineData("{\"op\":null}")]
    [InlineData("{\"op\":7}")]
    [InlineData("{\"op\":\"beat\"} {\"op\":\"beat\"}")]
    [InlineData("{\"op\":\"sub\"}")]
    [InlineData("{\"op\":\"sub\",\"id\":1}")]
    [InlineData("{\"op\":\"sub\",\"ch\":\"room/1\"}")]
    [InlineData("{\"op\":\"sub\",\"id\":1,\"ch\":null}")]
    [InlineData("{\"op\":\"sub\",\"id\":\"1\",\"ch\":\"room/1\"}")]
    [InlineData("{\"op\":\"sub\",\"id\":-1,\"ch\":\"room/1\"}")]
    [InlineData("{\"op\":\"sub\",\"id\":1.5,\"ch\":\"room/1\"}")]
    [InlineData("{\"op\":\"sub\",\"id\":99999999999,\"ch\":\"room/1\"}")]
    [InlineData("{\"op\":\"sub\",\"id\":1,\"ch\":[\"room/1\"]}")]
    [InlineData("{\"op\":\"sub\",\"id\":1,\"ch\":\"room/1\",\"pos\":41}")]
    [InlineData("{\"op\":\"sub\",\"id\":1,\"ch\":\"room/1\",\"as\":\"xml\"}")]
    [InlineData("{\"op\":\"sub\",\"id\":1,\"ch\":\"\\ud800\"}")]
    [InlineData("{\"op\":\"unsub\"}")]
    [InlineData("{\"op\":\"unsub\",\"c\":null}")]
    [InlineData("{\"op\":\"ack\",\"c\":1}")]
    [InlineData("{\"op\":\"ack\",\"seq\":1}")]
    [InlineData("{\"op\":\"ack\",\"c\":1,\"seq\":-1}")]
    [InlineData("{\"op\":\"ack\",\"c\":1,\"seq\":1e400}")]
    [InlineData("{\"op\":\"auth\"}")]
    [InlineData("{\"op\":\"auth\",\"token\":null}")]
    [InlineData("{\"op\":\"beat\",\"x\":{\"x\":{\"x\":{\"x\":{\"x\":{\"x\":{\"x\":{\"x\":{}}}}}}}}}")]
    public async Task A_malformed_message_closes_the_socket_for_good(string message)
    {
        await using var client = await _host.ConnectAsync();

        await client.SendAsync(message);

        Assert.Equal(RealtimeCloseCodes.Malformed, await client.ClosedAsync());
    }

    [Theory]
    [InlineData("{\"op\":\"beat\"}")]
    [InlineData("{\"op\":\"beat\",\"later\":[1,{\"x\":null}]}")]
    [InlineData("{\"op\":\"unsub\",\"c\":99}")]
    [InlineData("{\"op\":\"ack\",\"c\":99,\"seq\":5}")]
    [InlineData("{\"op\":\"ack\",\"c\":1,\"seq\":9223372036854775807}")]
    [InlineData("{\"seq\":0,\"c\":1,\"op\":\"ack\",\"op\":\"ack\"}")]
    public async Task What_is_harmless_is_taken(string message)
    {
        await using var client = await _host.ConnectAsync();
        var (number, _, _) = await client.SubscribedAsync("room/1");
        Assert.Equal(1, number);

        await client.SendAsync(message);
        await _host.Rooms.WriteAsync("room/1", "x");

        await client.EventsAsync(number);
    }

    [Fact]
    public async Task An_operation_of_a_later_version_is_an_error_and_no_more()
    {
        await using var client = await _host.ConnectAsync();

        await client.SendAsync("""{"op":"presence","id":1}""");

        Assert.Equal("unknown_op", (await client.NextAsync("error")).GetProperty("code").GetString());
        Assert.True((await client.SubscribedAsync("room/1")).Recovered);
    }

    [Fact]
    public async Task A_binary_message_is_malformed()
    {
        await using var client = await _host.ConnectAsync();

        await client.SendAsync("""{"op":"beat"}"""u8.ToArray(), WebSocketMessageType.Binary, endOfMessage: true);

        Assert.Equal(RealtimeCloseCodes.Malformed, await client.ClosedAsync());
    }

    [Fact]
    public async Task Text_that_is_not_utf8_closes_the_socket()
    {
        await using var client = await _host.ConnectAsync();

        await client.SendAsync([.. "{\"op\":\""u8, 0xC3, 0x28, .. "\"}"u8], WebSocketMessageType.Text, endOfMessage: true);

        // The platform closes it by itself, and may cut the connection before its code is out.
        Assert.Contains(await client.ClosedAsync(), new int?[] { (int)WebSocketCloseStatus.InvalidPayloadData, null });
    }

    [Fact]
    public async Task A_message_may_be_as_large_as_the_limit()
    {
        await using var client = await _host.ConnectAsync();
        var message = """{"op":"presence","x":""";

        await client.SendAsync(message + "\"" + new string('x', 16_384 - message.Length - 3) + "\"}");

        Assert.Equal("unknown_op", (await client.NextAsync("error")).GetProperty("code").GetString());
    }

    [Theory]
    [InlineData(16_385)]
    [InlineData(1_000_000)]
    public async Task A_larger_message_closes_the_socket(int size)
    {
        await using var client = await _host.ConnectAsync();

        await client.SendAsync(new string(' ', size));

        Assert.Equal(RealtimeCloseCodes.TooBig, await client.ClosedAsync());
    }

    [Fact]
    public async Task A_large_message_in_small_fragments_is_as_large()
    {
        await using var client = await _host.ConnectAsync();

        for (var i = 0; i < 20; i++)
            await client.SendAsync(new byte[1_000], WebSocketMessageType.Text, endOfMessage: false);

        Assert.Equal(RealtimeCloseCodes.TooBig, await client.ClosedAsync());
    }

    [Fact]
    public async Task A_message_may_come_in_fragments()
    {
        await using var client = await _host.ConnectAsync();
        foreach (var b in """{"op":"sub","id":7,"ch":"room/ä"}"""u8.ToArray())
            await client.SendAsync([b], WebSocketMessageType.Text, endOfMessage: false);
        await client.SendAsync([], WebSocketMessageType.Text, endOfMessage: true);

        Assert.Equal(7, (await client.NextAsync("denied")).GetProperty("id").GetInt32());
    }

    [Fact]
    public async Task Fragments_without_end_close_the_socket()
    {
        await using var client = await _host.ConnectAsync();

        try
        {
            for (var i = 0; i < 300; i++)
                await client.SendAsync([], WebSocketMessageType.Text, endOfMessage: false);
        }
        catch (WebSocketException)
        {
            // It was closed before the last.
        }

        Assert.Equal(RealtimeCloseCodes.Malformed, await client.ClosedAsync());
    }

    [Fact]
    public async Task Who_sends_too_much_is_told_and_what_was_too_much_is_dropped()
    {
        await using var client = await _host.ConnectAsync();

        for (var id = 1; id <= 60; id++)
            await client.SendAsync($$"""{"op":"sub","id":{{id}},"ch":"nosuch/1"}""");

        var error = await client.NextAsync("error");
        Assert.Equal("rate_limited", error.GetProperty("code").GetString());
        Assert.InRange(error.GetProperty("retry").GetInt32(), 1, 50);
        await Eventually.TrueAsync(() => client.Pending().Count >= 40);
        await Eventually.TrueAsync(async () =>
        {
            await client.SubscribeAsync("nosuch/2");
            return client.Pending().Any(m => RealtimeClient.OpOf(m) == "denied" && m.GetProperty("id").GetInt32() <= 60);
        });
        Assert.InRange(client.Pending().Count(m => RealtimeClient.OpOf(m) == "denied"), 40, 59);
    }

    [Fact]
    public async Task Who_does_not_slow_down_is_closed()
    {
        await using var client = await _host.ConnectAsync();
        try
        {
            for (var i = 0; i < 2_000; i++)
                await client.SendAsync("""{"op":"beat"}""");
        }
        catch (WebSocketException)
        {
            // Closed while it was sending.
        }

        Assert.Equal(RealtimeCloseCodes.SlowDown, await client.ClosedAsync());
    }

    [Fact]
    public async Task Who_asks_without_reading_the_answers_costs_a_bounded_queue()
    {
        await using var host = await RealtimeHost.StartAsync(
            settings: [("Realtime:MessagesPerSecond", "10000"), ("Realtime:MessageBurst", "10000"), ("Realtime:ClientTimeout", "01:00:00")]);
        var (client, _) = await RealtimeClient.TryConnectAsync(host.Address, host.Identity.Issue(), read: false);
        await using var _ = client!;
        var ask = Encoding.UTF8.GetBytes("""{"op":"sub","id":1,"ch":"nosuch/1"}""");

        // Nobody reads, so that the answers fill the system's buffers, then the queue, and then it ends.
        await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            while (true)
                await client!.SendAsync(ask, WebSocketMessageType.Text, endOfMessage: true);
        });
        await Eventually.TrueAsync(() => host.Clients.Count == 0);
    }

    [Fact]
    public async Task A_client_that_only_wastes_the_server_s_time_does_not_cost_its_neighbours_any()
    {
        await using var neighbour = await _host.ConnectAsync();
        var (number, _, _) = await neighbour.SubscribedAsync("room/1");
        using var stop = new CancellationTokenSource();
        var flood = Task.Run(
            async () =>
            {
                while (!stop.IsCancellationRequested)
                {
                    await using var client = await _host.ConnectAsync();
                    try
                    {
                        for (var i = 0; i < 500 && !stop.IsCancellationRequested; i++)
                            await client.SendAsync(i % 50 == 0 ? new string('[', 10_000) : """{"op":"beat"}""");
                    }
                    catch (WebSocketException)
                    {
                        // Closed, as it should be; the next one comes at once.
                    }
                }
            },
            TestContext.Current.CancellationToken);

        for (var i = 0; i < 50; i++)
        {
            await _host.Rooms.WriteAsync("room/1", "x");
            await neighbour.EventsAsync(number).WaitAsync(TimeSpan.FromSeconds(2), TestContext.Current.CancellationToken);
        }

        await stop.CancelAsync();
        await flood;
    }
}
