using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using SevenX42.Host.Realtime;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Realtime;

/// <summary>Beats, silence, tokens, sign-out, shutdown.</summary>
public sealed class LifetimeTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Revocation = TimeSpan.FromSeconds(2.5);

    private readonly Clock _time = new();

    [Fact]
    public async Task The_server_beats_every_25_seconds()
    {
        await using var host = await StartAsync();
        await using var client = await host.ConnectAsync();

        await AdvanceAsync(host, TimeSpan.FromSeconds(24));
        Assert.Empty(client.Pending());
        for (var beats = 1; beats <= 4; beats++)
        {
            await AdvanceAsync(host, TimeSpan.FromSeconds(25));
            await Eventually.TrueAsync(() => client.Pending().Count >= beats);
            Assert.Equal(beats, client.Pending().Count(m => RealtimeClient.OpOf(m) == "beat"));
            Assert.Equal(1, host.Clients.Count);
        }
    }

    [Fact]
    public async Task A_client_that_says_nothing_for_a_minute_is_closed()
    {
        await using var host = await StartAsync();
        await using var client = await host.ConnectAsync();
        client.AnswersBeats = false;

        await AdvanceAsync(host, TimeSpan.FromSeconds(50), answered: false);
        Assert.Equal(1, host.Clients.Count);
        await AdvanceUntilAsync(host, () => Closing(host) == 1, TimeSpan.FromSeconds(10), answered: false);

        Assert.Equal(RealtimeCloseCodes.NoAcknowledgement, await client.ClosedAsync());
        await Eventually.TrueAsync(() => host.Clients.Count == 0);
    }

    [Fact]
    public async Task A_connection_that_is_cut_halfway_is_noticed_within_a_minute()
    {
        await using var host = await StartAsync();
        // It neither reads nor writes: as seen from the server, the network between has gone.
        var (client, _) = await RealtimeClient.TryConnectAsync(host.Address, host.Identity.Issue(), read: false);
        await using var _ = client!;
        await Eventually.TrueAsync(() => host.Clients.Count == 1);

        await AdvanceUntilAsync(host, () => host.Clients.Count == 0, TimeSpan.FromSeconds(60), answered: false);
    }

    [Fact]
    public async Task An_expired_token_closes_the_socket_unless_a_new_one_came()
    {
        await using var host = await StartAsync();
        var (user, session) = (TestIdentity.NewId(), TestIdentity.NewId());
        await using var forgetful = await host.ConnectAsync();
        await using var careful = await host.ConnectAsync(user, session);
        await AdvanceAsync(host, TimeSpan.FromMinutes(4));

        await careful.SendAsync($$"""{"op":"auth","token":"{{host.Identity.Issue(user, session)}}"}""");
        Assert.InRange((await careful.NextAsync("authed")).GetProperty("expires").GetInt32(), 298, 300);
        await AdvanceUntilAsync(host, () => Closing(host) == 1, TimeSpan.FromSeconds(62));

        Assert.Equal(RealtimeCloseCodes.TokenExpired, await forgetful.ClosedAsync());
        await Eventually.TrueAsync(() => host.Clients.Count == 1);
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
        await using var host = await StartAsync();
        var session = TestIdentity.NewId();
        await using var one = await host.ConnectAsync(session: session);
        await using var two = await host.ConnectAsync(session: session);
        await using var other = await host.ConnectAsync();

        host.Identity.End(session);
        await AdvanceUntilAsync(host, () => Closing(host) == 2, TimeSpan.FromSeconds(5));

        Assert.Equal(RealtimeCloseCodes.SignedOut, await one.ClosedAsync());
        Assert.Equal(RealtimeCloseCodes.SignedOut, await two.ClosedAsync());
        Assert.True((await other.SubscribedAsync("room/1")).Recovered);
    }

    [Fact]
    public async Task Signing_out_closes_even_a_socket_that_reads_nothing()
    {
        await using var host = await StartAsync();
        var session = TestIdentity.NewId();
        var (client, _) = await RealtimeClient.TryConnectAsync(host.Address, host.Identity.Issue(session: session), read: false);
        await using var _ = client!;
        await client!.SubscribeAsync("room/1", raw: true);
        await Eventually.TrueAsync(() => host.Rooms.Asked == 1);
        await using var witness = await host.ConnectAsync();
        var (seen, _, _) = await witness.SubscribedAsync("room/1", raw: true);
        await host.Rooms.WriteAsync("room/1", new string('x', 8_000_000));
        await witness.EventsAsync(seen);
        // What comes next comes to a reader once everybody was sent the first; a busy channel waits for the clock.
        await host.Rooms.WriteAsync("room/1", "x");
        await Eventually.TrueAsync(() =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(50));
            return witness.Pending().Any(m => RealtimeClient.ChannelOf(m) == seen);
        });

        host.Identity.End(session);

        await AdvanceUntilAsync(host, () => host.Clients.Count == 1, TimeSpan.FromSeconds(7), answered: false);
    }

    [Fact]
    public async Task All_open_sessions_are_checked_with_one_question()
    {
        await using var host = await StartAsync();
        var clients = new List<RealtimeClient>();
        for (var i = 0; i < 10; i++)
            clients.Add(await host.ConnectAsync());
        var before = host.Identity.Questions;

        _time.Advance(Revocation);

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

    /// <summary>How many sockets the server has begun to close.</summary>
    private static int Closing(RealtimeHost host) => host.Logs.All.Count(line => line.Text.Contains("Closing socket", StringComparison.Ordinal));

    private async Task<RealtimeHost> StartAsync()
    {
        var host = await RealtimeHost.StartAsync(_time);
        // What hangs on the clock is set going beside the start.
        await Eventually.TrueAsync(() => _time.HasTimer(Second) && _time.HasTimer(Revocation));
        return host;
    }

    /// <summary>
    /// Moves the clock second by second. Each waits until the server has come to it, and until it has heard the answers to its
    /// beats: they go over a real network, which the test's clock does not move.
    /// </summary>
    private async Task AdvanceAsync(RealtimeHost host, TimeSpan by, bool answered = true)
    {
        var heartbeat = host.Services.GetRequiredService<RealtimeHeartbeat>();
        for (var left = by; left > TimeSpan.Zero; left -= Second)
        {
            _time.Advance(Second);
            await Eventually.TrueAsync(() => heartbeat.Now >= (long)(_time.GetUtcNow() - _time.Start).TotalSeconds);
            if (answered)
                await Eventually.TrueAsync(() => host.Clients.Snapshot().All(c => ((RealtimeConnection)c).HasAnswered));
        }
    }

    private async Task AdvanceUntilAsync(RealtimeHost host, Func<bool> condition, TimeSpan atMost, bool answered = true)
    {
        for (var left = atMost; left > TimeSpan.Zero && !condition(); left -= Second)
            await AdvanceAsync(host, Second, answered);
        await Eventually.TrueAsync(condition);
    }

    /// <summary>A clock that stands still unless it is moved, and knows what it was asked to tell.</summary>
    private sealed class Clock() : FakeTimeProvider(TimeProvider.System.GetUtcNow())
    {
        private readonly ConcurrentDictionary<TimeSpan, bool> _periods = [];

        public bool HasTimer(TimeSpan period) => _periods.ContainsKey(period);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = base.CreateTimer(callback, state, dueTime, period);
            _periods[period] = true;
            return timer;
        }
    }
}
