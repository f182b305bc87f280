using Microsoft.Extensions.Time.Testing;
using SevenX42.Host.Realtime;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Realtime;

/// <summary>Beats, silence, tokens, sign-out, shutdown.</summary>
public sealed class LifetimeTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());

    [Fact]
    public async Task The_server_beats_every_25_seconds()
    {
        await using var host = await RealtimeHost.StartAsync(_time);
        await using var client = await host.ConnectAsync();

        await AdvanceAsync(TimeSpan.FromSeconds(24));
        Assert.Empty(client.Pending());
        for (var beats = 1; beats <= 4; beats++)
        {
            await AdvanceAsync(TimeSpan.FromSeconds(25));
            await Eventually.TrueAsync(() => client.Pending().Count >= beats);
            Assert.Equal(beats, client.Pending().Count(m => RealtimeClient.OpOf(m) == "beat"));
            Assert.Equal(1, host.Clients.Count);
        }
    }

    [Fact]
    public async Task A_client_that_says_nothing_for_a_minute_is_closed()
    {
        await using var host = await RealtimeHost.StartAsync(_time);
        await using var client = await host.ConnectAsync();
        client.AnswersBeats = false;

        await AdvanceAsync(TimeSpan.FromSeconds(50));
        Assert.Equal(1, host.Clients.Count);
        await AdvanceUntilAsync(() => host.Clients.Count == 0, TimeSpan.FromSeconds(10));

        Assert.Equal(RealtimeCloseCodes.NoAcknowledgement, await client.ClosedAsync());
    }

    [Fact]
    public async Task A_connection_that_is_cut_halfway_is_noticed_within_a_minute()
    {
        await using var host = await RealtimeHost.StartAsync(_time);
        // It neither reads nor writes: as seen from the server, the network between has gone.
        var (client, _) = await RealtimeClient.TryConnectAsync(host.Address, host.Identity.Issue(), read: false);
        await using var _ = client!;
        await Eventually.TrueAsync(() => host.Clients.Count == 1);

        await AdvanceUntilAsync(() => host.Clients.Count == 0, TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task An_expired_token_closes_the_socket_unless_a_new_one_came()
    {
        await using var host = await RealtimeHost.StartAsync(_time);
        var (user, session) = (TestIdentity.NewId(), TestIdentity.NewId());
        await using var forgetful = await host.ConnectAsync();
        await using var careful = await host.ConnectAsync(user, session);
        await AdvanceAsync(TimeSpan.FromMinutes(4));

        await careful.SendAsync($$"""{"op":"auth","token":"{{host.Identity.Issue(user, session)}}"}""");
        Assert.InRange((await careful.NextAsync("authed")).GetProperty("expires").GetInt32(), 298, 300);
        await AdvanceUntilAsync(() => host.Clients.Count == 1, TimeSpan.FromSeconds(62));

        Assert.Equal(RealtimeCloseCodes.TokenExpired, await forgetful.ClosedAsync());
        Assert.True((await careful.SubscribedAsync("room/1")).Recovered);
    }

    [Theory]
    [InlineData("user")]
    [InlineData("session")]
    [InlineData("expired")]
    [InlineData("forged")]
    public async Task A_token_that_is_not_this_connection_s_does_not_renew_it(string what)
    {
        await using var host = await RealtimeHost.StartAsync();
        var (user, session) = (TestIdentity.NewId(), TestIdentity.NewId());
        await using var client = await host.ConnectAsync(user, session);
        var token = what switch
        {
            "user" => host.Identity.Issue(null, session),
            "session" => host.Identity.Issue(user, null),
            "expired" => host.Identity.Issue(user, session, lifetime: -Second),
            _ => host.Identity.Issue(user, session, key: TestIdentity.AnotherKey()),
        };

        await client.SendAsync($$"""{"op":"auth","token":"{{token}}"}""");

        Assert.Equal(RealtimeCloseCodes.TokenExpired, await client.ClosedAsync());
    }

    [Fact]
    public async Task Channels_that_were_lost_are_denied_when_the_token_is_renewed()
    {
        await using var host = await RealtimeHost.StartAsync();
        var (user, session) = (TestIdentity.NewId(), TestIdentity.NewId());
        await using var client = await host.ConnectAsync(user, session);
        var lost = await client.SubscribeAsync("room/lost");
        var (kept, _, _) = await client.SubscribedAsync("room/kept");
        host.Rooms.Bar(user, "room/lost");

        await client.SendAsync($$"""{"op":"auth","token":"{{host.Identity.Issue(user, session)}}"}""");
        var denied = await client.NextAsync("denied");
        await client.NextAsync("authed");
        await client.NextAsync("subbed");
        await host.Rooms.WriteAsync("room/lost", "secret");
        await host.Rooms.WriteAsync("room/kept", "x");
        await client.EventsAsync(kept);

        Assert.Equal((lost, "not_found"), (denied.GetProperty("id").GetInt32(), denied.GetProperty("code").GetString()));
        Assert.Empty(client.Pending());
    }

    [Fact]
    public async Task Signing_out_closes_all_sockets_of_the_session_within_five_seconds_and_no_other()
    {
        await using var host = await RealtimeHost.StartAsync();
        var session = TestIdentity.NewId();
        await using var one = await host.ConnectAsync(session: session);
        await using var two = await host.ConnectAsync(session: session);
        await using var other = await host.ConnectAsync();
        var started = TimeProvider.System.GetTimestamp();

        host.Identity.End(session);

        Assert.Equal(RealtimeCloseCodes.SignedOut, await one.ClosedAsync());
        Assert.Equal(RealtimeCloseCodes.SignedOut, await two.ClosedAsync());
        Assert.InRange(TimeProvider.System.GetElapsedTime(started).TotalSeconds, 0, 5);
        Assert.True((await other.SubscribedAsync("room/1")).Recovered);
    }

    [Fact]
    public async Task Signing_out_closes_even_a_socket_that_reads_nothing()
    {
        await using var host = await RealtimeHost.StartAsync();
        var session = TestIdentity.NewId();
        var (client, _) = await RealtimeClient.TryConnectAsync(host.Address, host.Identity.Issue(session: session), read: false);
        await using var _ = client!;
        await client!.SubscribeAsync("room/1", raw: true);
        await Eventually.TrueAsync(() => host.Rooms.Asked == 1);
        await host.Rooms.WriteAsync("room/1", new string('x', 8_000_000));

        host.Identity.End(session);

        await Eventually.TrueAsync(() => host.Clients.Count == 0, TimeSpan.FromSeconds(7));
    }

    [Fact]
    public async Task All_open_sessions_are_checked_with_one_question()
    {
        await using var host = await RealtimeHost.StartAsync(_time);
        var clients = new List<RealtimeClient>();
        for (var i = 0; i < 10; i++)
            clients.Add(await host.ConnectAsync());
        var before = host.Identity.Questions;

        _time.Advance(TimeSpan.FromSeconds(2.5));

        await Eventually.TrueAsync(() => host.Identity.Questions == before + 1);
        foreach (var client in clients)
            await client.DisposeAsync();
    }

    [Fact]
    public async Task A_stopping_server_says_bye_closes_all_within_its_time_and_lets_nobody_in()
    {
        await using var host = await RealtimeHost.StartAsync(settings: ("Realtime:DrainPeriod", "00:00:01"));
        var clients = new List<RealtimeClient>();
        for (var i = 0; i < 50; i++)
            clients.Add(await host.ConnectAsync());
        var started = TimeProvider.System.GetTimestamp();

        var stopping = host.StopAsync();
        var delays = new List<int>();
        foreach (var client in clients)
        {
            delays.Add((await client.NextAsync("bye")).GetProperty("after").GetInt32());
            Assert.Equal(RealtimeCloseCodes.Draining, await client.ClosedAsync());
        }

        await stopping;
        Assert.InRange(TimeProvider.System.GetElapsedTime(started).TotalSeconds, 0.8, 10);
        Assert.All(delays, after => Assert.InRange(after, 50, 300));
        Assert.True(delays.Distinct().Count() > 10);
        Assert.Equal(0, host.Clients.Count);
        foreach (var client in clients)
            await client.DisposeAsync();
    }

    [Fact]
    public async Task A_stopping_server_does_not_wait_for_clients_that_read_nothing()
    {
        await using var host = await RealtimeHost.StartAsync(settings: ("Realtime:DrainPeriod", "00:00:00.2"));
        var (client, _) = await RealtimeClient.TryConnectAsync(host.Address, host.Identity.Issue(), read: false);
        await using var _ = client!;
        await client!.SubscribeAsync("room/1", raw: true);
        await Eventually.TrueAsync(() => host.Rooms.Asked == 1);
        await host.Rooms.WriteAsync("room/1", new string('x', 8_000_000));

        await host.StopAsync().WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);

        Assert.Equal(0, host.Clients.Count);
    }

    /// <summary>Moves the clock second by second, so that every turn on it is taken.</summary>
    private async Task AdvanceAsync(TimeSpan by)
    {
        for (var left = by; left > TimeSpan.Zero; left -= Second)
        {
            _time.Advance(Second);
            // Beats are answered over a real network, which the test's clock does not move.
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System);
        }
    }

    private async Task AdvanceUntilAsync(Func<bool> condition, TimeSpan atMost)
    {
        for (var left = atMost; left > TimeSpan.Zero && !condition(); left -= Second)
        {
            _time.Advance(Second);
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        }

        await Eventually.TrueAsync(condition, TimeSpan.FromSeconds(5));
    }
}
