using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Host.Realtime;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Realtime;

public sealed class PollingTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Without_a_position_a_poll_is_told_one_at_once()
    {
        await using var host = await RealtimeHost.StartAsync();
        var head = await host.Rooms.WriteAsync("room/1", "a");
        using var http = Client(host);

        var channel = Assert.Single(await PollAsync(http, ("room/1", "")));

        Assert.Equal((head.ToString(), true, 0), (channel.Position, channel.Recovered, channel.Events.Count));
    }

    [Fact]
    public async Task What_was_missed_comes_at_once_merged_and_with_the_position_to_go_on_from()
    {
        await using var host = await RealtimeHost.StartAsync();
        var start = await host.Log.GetPositionAsync("room/1", Cancel);
        var head = await host.Rooms.WriteAsync("room/1", "a", "b");
        using var http = Client(host);

        var channel = Assert.Single(await PollAsync(http, ("room/1", start.ToString())));

        Assert.Equal((head.ToString(), true), (channel.Position, channel.Recovered));
        Assert.Equal("[0,\"ab\"]", Assert.Single(channel.Events).Data.GetRawText());
    }

    [Fact]
    public async Task A_poll_waits_until_something_happens_on_any_of_its_channels()
    {
        await using var host = await RealtimeHost.StartAsync();
        var one = await host.Log.GetPositionAsync("room/1", Cancel);
        var two = await host.Log.GetPositionAsync("room/2", Cancel);
        using var http = Client(host);

        var polling = PollAsync(http, ("room/1", one.ToString()), ("room/2", two.ToString()));
        await Eventually.TrueAsync(() => host.Clients.Count == 1 && host.Rooms.Loaded == 2);
        Assert.False(polling.IsCompleted);
        await host.Rooms.WriteAsync("room/2", "x");

        var channels = await polling;
        Assert.Empty(channels.Single(c => c.Channel == "room/1").Events);
        Assert.Equal("[0,\"x\"]", channels.Single(c => c.Channel == "room/2").Events.Single().Data.GetRawText());
        await Eventually.TrueAsync(() => host.Clients.Count == 0);
    }

    [Fact]
    public async Task A_poll_ends_with_nothing_after_its_time()
    {
        await using var host = await RealtimeHost.StartAsync(settings: ("Realtime:PollWait", "00:00:00.2"));
        var start = (await host.Log.GetPositionAsync("room/1", Cancel)).ToString();
        using var http = Client(host);

        var channel = Assert.Single(await PollAsync(http, ("room/1", start)));

        Assert.Equal((start, true, 0), (channel.Position, channel.Recovered, channel.Events.Count));
    }

    [Fact]
    public async Task A_poll_that_wants_to_know_whether_it_gets_through_is_answered_at_once()
    {
        // Longer than the test has.
        await using var host = await RealtimeHost.StartAsync(settings: ("Realtime:PollWait", "01:00:00"));
        var start = (await host.Log.GetPositionAsync("room/1", Cancel)).ToString();
        using var http = Client(host);

        var answer = await http.GetFromJsonAsync<JsonElement>($"{Address(("room/1", start))}&now", Cancel);

        var channel = Read(Assert.Single(answer.GetProperty("channels").EnumerateArray()));
        Assert.Equal((start, true, 0, null), (channel.Position, channel.Recovered, channel.Events.Count, channel.Code));
    }

    [Fact]
    public async Task A_position_that_can_not_be_resumed_sends_to_the_snapshot()
    {
        await using var host = await RealtimeHost.StartAsync();
        var head = (await host.Rooms.WriteAsync("room/1", "a")).ToString();
        using var http = Client(host);

        foreach (var position in new[] { "elsewhere:1", "rubbish", head + "0" })
        {
            var channel = Assert.Single(await PollAsync(http, ("room/1", position)));
            Assert.Equal((head, false, 0), (channel.Position, channel.Recovered, channel.Events.Count));
        }
    }

    [Fact]
    public async Task A_stranger_s_channel_is_denied_and_the_others_are_served()
    {
        await using var host = await RealtimeHost.StartAsync();
        var user = TestIdentity.NewId();
        host.Rooms.Bar(user, "room/1");
        await host.Rooms.WriteAsync("room/1", "secret");
        var start = (await host.Log.GetPositionAsync("room/2", Cancel)).ToString();
        using var http = Client(host, user);

        var channels = await PollAsync(http, ("room/1", "e:0"), ("nosuch/1", ""), ("room/2", start));

        Assert.Equal("not_found", channels.Single(c => c.Channel == "room/1").Code);
        Assert.Equal("not_found", channels.Single(c => c.Channel == "nosuch/1").Code);
        Assert.Null(channels.Single(c => c.Channel == "room/2").Code);
        Assert.All(channels, c => Assert.Empty(c.Events));
    }

    [Fact]
    public async Task Membership_is_asked_at_every_poll()
    {
        await using var host = await RealtimeHost.StartAsync();
        var user = TestIdentity.NewId();
        using var http = Client(host, user);
        var position = Assert.Single(await PollAsync(http, ("room/1", ""))).Position;
        host.Rooms.Bar(user, "room/1");
        await host.Rooms.WriteAsync("room/1", "secret");

        var channel = Assert.Single(await PollAsync(http, ("room/1", position!)));

        Assert.Equal("not_found", channel.Code);
        Assert.Equal(2, host.Rooms.Asked);
    }

    [Theory]
    [InlineData("")]
    [InlineData("?ch=room/1")]
    [InlineData("?pos=e:1")]
    [InlineData("?ch=&pos=e:1")]
    [InlineData("?ch=room/1&ch=room/2&pos=e:1")]
    [InlineData("?ch=room/1&pos=e:1&ch=room/1&pos=e:2")]
    public async Task A_malformed_poll_is_a_bad_request(string query)
    {
        await using var host = await RealtimeHost.StartAsync();
        using var http = Client(host);

        var response = await http.GetAsync(new Uri($"/realtime/poll{query}", UriKind.Relative), Cancel);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal("malformed", (await response.Content.ReadFromJsonAsync<JsonElement>(Cancel)).GetProperty("code").GetString());
    }

    [Fact]
    public async Task A_poll_has_a_limited_number_of_channels()
    {
        await using var host = await RealtimeHost.StartAsync();
        using var http = Client(host);

        var response = await http.GetAsync(Address([.. Enumerable.Range(0, 33).Select(i => ($"room/{i}", ""))]), Cancel);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Fact]
    public async Task Nobody_is_served_without_a_session_or_a_token()
    {
        await using var host = await RealtimeHost.StartAsync();
        using var http = new HttpClient { BaseAddress = host.Address };

        Assert.Equal(HttpStatusCode.Unauthorized, (await http.GetAsync(Address(("room/1", "")), Cancel)).StatusCode);
        foreach (var token in new[] { "x", host.Identity.Issue(audience: "elsewhere"), host.Identity.Issue(lifetime: TimeSpan.FromSeconds(-1)) })
        {
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
            Assert.Equal(HttpStatusCode.Unauthorized, (await http.GetAsync(Address(("room/1", "")), Cancel)).StatusCode);
        }

        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", host.Identity.Issue());
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync(Address(("room/1", "")), Cancel)).StatusCode);
    }

    [Fact]
    public async Task A_page_of_another_origin_can_not_poll()
    {
        await using var host = await RealtimeHost.StartAsync();
        using var http = Client(host);
        http.DefaultRequestHeaders.Add("Origin", "https://elsewhere.example");

        Assert.Equal(HttpStatusCode.Forbidden, (await http.GetAsync(Address(("room/1", "")), Cancel)).StatusCode);
    }

    [Fact]
    public async Task Signing_out_ends_a_waiting_poll_within_five_seconds_and_the_token_with_it()
    {
        await using var host = await RealtimeHost.StartAsync();
        var (user, session) = (TestIdentity.NewId(), TestIdentity.NewId());
        using var http = Client(host, user, session);
        var start = (await host.Log.GetPositionAsync("room/1", Cancel)).ToString();
        var polling = http.GetAsync(Address(("room/1", start)), Cancel);
        await Eventually.TrueAsync(() => host.Clients.Count == 1);

        host.Identity.End(session);

        Assert.Equal(HttpStatusCode.Unauthorized, (await polling.WaitAsync(TimeSpan.FromSeconds(5), Cancel)).StatusCode);
        using var bearer = new HttpClient { BaseAddress = host.Address };
        bearer.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", host.Identity.Issue(user, session));
        Assert.Equal(HttpStatusCode.Unauthorized, (await bearer.GetAsync(Address(("room/1", "")), Cancel)).StatusCode);
    }

    [Fact]
    public async Task A_token_of_an_ended_session_is_no_good_even_before_anyone_noticed()
    {
        await using var host = await RealtimeHost.StartAsync(settings: ("Realtime:RevocationInterval", "01:00:00"));
        var session = TestIdentity.NewId();
        host.Identity.End(session);
        using var http = new HttpClient { BaseAddress = host.Address };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", host.Identity.Issue(session: session));

        Assert.Equal(HttpStatusCode.Unauthorized, (await http.GetAsync(Address(("room/1", "")), Cancel)).StatusCode);
    }

    [Fact]
    public async Task Who_polls_too_often_is_told_when_to_come_back()
    {
        await using var host = await RealtimeHost.StartAsync(settings: [("Realtime:PollBurst", "5"), ("Realtime:PollsPerSecond", "1")]);
        using var http = Client(host);
        for (var i = 0; i < 5; i++)
            await PollAsync(http, ("room/1", ""));

        var response = await http.GetAsync(Address(("room/1", "")), Cancel);

        Assert.Equal(HttpStatusCode.TooManyRequests, response.StatusCode);
        Assert.InRange(response.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 1);
        using var other = Client(host);
        await PollAsync(other, ("room/1", ""));
    }

    [Fact]
    public async Task Waiting_polls_count_as_connections()
    {
        await using var host = await RealtimeHost.StartAsync(settings: ("Realtime:ConnectionsPerUser", "1"));
        var user = TestIdentity.NewId();
        using var http = Client(host, user);
        var start = (await host.Log.GetPositionAsync("room/1", Cancel)).ToString();
        var polling = PollAsync(http, ("room/1", start));
        await Eventually.TrueAsync(() => host.Clients.Count == 1);

        Assert.Equal(HttpStatusCode.TooManyRequests, (await http.GetAsync(Address(("room/1", start)), Cancel)).StatusCode);
        await host.Rooms.WriteAsync("room/1", "x");
        await polling;
    }

    [Fact]
    public async Task A_stopping_server_answers_waiting_polls()
    {
        await using var host = await RealtimeHost.StartAsync(settings: ("Realtime:DrainPeriod", "00:00:00.1"));
        using var http = Client(host);
        var start = (await host.Log.GetPositionAsync("room/1", Cancel)).ToString();
        var polling = PollAsync(http, ("room/1", start));
        await Eventually.TrueAsync(() => host.Clients.Count == 1);

        var stopping = host.StopAsync();

        Assert.Equal(start, Assert.Single(await polling.WaitAsync(TimeSpan.FromSeconds(5), Cancel)).Position);
        await stopping;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Polling_assembles_what_the_socket_assembles(int seed)
    {
        await using var host = await RealtimeHost.StartAsync(settings: [("Realtime:PollsPerSecond", "1000"), ("Realtime:PollBurst", "1000")]);
        using var http = Client(host);
        await using var client = await host.ConnectAsync();
        var position = (await host.Log.GetPositionAsync("room/1", Cancel)).ToString();
        var (number, _, _) = await client.SubscribedAsync("room/1", position);
        var writing = Task.Run(
            async () =>
            {
                var random = new Random(seed);
                for (var i = 0; i < 200; i++)
                {
                    await host.Rooms.WriteAsync("room/1", $"{random.Next()} ");
                    await Task.Delay(TimeSpan.FromMilliseconds(random.Next(0, 5)), TimeProvider.System);
                }

                await host.Rooms.WriteAsync("room/1", "end");
            },
            Cancel);

        var (polled, pushed) = (new StringBuilder(), new StringBuilder());
        while (!polled.ToString().EndsWith("end", StringComparison.Ordinal))
        {
            var channel = Assert.Single(await PollAsync(http, ("room/1", position)));
            Assert.True(channel.Recovered);
            SubscriptionTests.Apply(polled, channel.Events);
            position = channel.Position!;
        }

        while (!pushed.ToString().EndsWith("end", StringComparison.Ordinal))
            SubscriptionTests.Apply(pushed, await client.EventsAsync(number));
        await writing;
        Assert.Equal(host.Rooms.Stored("room/1"), polled.ToString());
        Assert.Equal(host.Rooms.Stored("room/1"), pushed.ToString());
    }

    [Fact]
    public async Task The_log_s_own_events_can_be_polled_too()
    {
        await using var host = await RealtimeHost.StartAsync();
        var start = await host.Log.GetPositionAsync("room/1", Cancel);
        await host.Rooms.WriteAsync("room/1", "a", "b");
        using var http = Client(host);

        var response = await http.GetFromJsonAsync<JsonElement>($"{Address(("room/1", start.ToString()))}&as=raw", Cancel);

        Assert.Equal("[[1,\"text\",\"a\"],[2,\"text\",\"b\"]]", response.GetProperty("channels")[0].GetProperty("ev").GetRawText());
    }

    [Fact]
    public async Task A_long_backlog_comes_in_several_polls()
    {
        await using var host = await RealtimeHost.StartAsync();
        var start = await host.Log.GetPositionAsync("room/1", Cancel);
        for (var i = 0; i < 1_000; i++)
            await host.Rooms.WriteAsync("room/1", new string('x', 1_000));
        using var http = Client(host);

        var (seqs, position, polls) = (new List<long>(), start.ToString(), 0);
        for (; seqs.Count < 1_000; polls++)
        {
            var response = await http.GetFromJsonAsync<JsonElement>($"{Address(("room/1", position))}&as=raw", Cancel);
            var channel = Read(response.GetProperty("channels")[0]);
            seqs.AddRange(channel.Events.Select(e => e.Seq));
            position = channel.Position!;
        }

        Assert.Equal(Enumerable.Range(1, 1_000).Select(n => (long)n), seqs);
        // A megabyte: a poll brings 256 KiB at most, and half a window, 32 KiB, at least, if it is answered before the second piece is read.
        Assert.InRange(polls, 4, 32);
    }

    [Fact]
    public async Task Whoever_is_signed_in_gets_a_token_that_opens_a_socket()
    {
        await using var host = await RealtimeHost.StartAsync();
        using var http = Client(host);

        var response = await http.PostAsync(new Uri("/realtime/token", UriKind.Relative), null, Cancel);
        var issued = await response.Content.ReadFromJsonAsync<JsonElement>(Cancel);

        Assert.True(response.Headers.CacheControl!.NoStore);
        Assert.InRange(issued.GetProperty("expires").GetInt32(), 295, 300);
        await using var client = await RealtimeClient.ConnectAsync(host.Address, issued.GetProperty("token").GetString()!);
    }

    [Fact]
    public async Task Whoever_is_not_gets_none()
    {
        await using var host = await RealtimeHost.StartAsync();
        using var nobody = new HttpClient { BaseAddress = host.Address };
        var session = TestIdentity.NewId();
        using var gone = Client(host, session: session);
        host.Identity.End(session);

        Assert.Equal(HttpStatusCode.Unauthorized, (await nobody.PostAsync(new Uri("/realtime/token", UriKind.Relative), null, Cancel)).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await gone.PostAsync(new Uri("/realtime/token", UriKind.Relative), null, Cancel)).StatusCode);
    }

    private static HttpClient Client(RealtimeHost host, Guid? user = null, Guid? session = null) => new()
    {
        BaseAddress = host.Address,
        DefaultRequestHeaders = { { "X-User", $"{user ?? TestIdentity.NewId()}" }, { "X-Session", $"{session ?? TestIdentity.NewId()}" } },
    };

    private static Uri Address(params (string Channel, string Position)[] channels) => new(
        "/realtime/poll?" + string.Join('&', channels.Select(c => $"ch={Uri.EscapeDataString(c.Channel)}&pos={Uri.EscapeDataString(c.Position)}")),
        UriKind.Relative);

    private static async Task<List<Polled>> PollAsync(HttpClient http, params (string Channel, string Position)[] channels)
    {
        var response = await http.GetFromJsonAsync<JsonElement>(Address(channels), Cancel);
        return [.. response.GetProperty("channels").EnumerateArray().Select(Read)];
    }

    private static Polled Read(JsonElement channel) => new(
        channel.GetProperty("ch").GetString()!,
        channel.TryGetProperty("pos", out var position) ? position.GetString() : null,
        channel.TryGetProperty("recovered", out var recovered) && recovered.GetBoolean(),
        channel.TryGetProperty("ev", out var events) ? RealtimeClient.EventsIn(events.EnumerateArray()) : [],
        channel.TryGetProperty("code", out var code) ? code.GetString() : null);

    private sealed record Polled(string Channel, string? Position, bool Recovered, IReadOnlyList<RealtimeEvent> Events, string? Code);
}
