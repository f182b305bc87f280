using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using SevenX42.Host.Realtime;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Realtime;

public sealed class HandshakeTests
{
    [Fact]
    public async Task A_client_with_a_token_is_told_the_limits()
    {
        await using var host = await RealtimeHost.StartAsync();
        var (client, status) = await RealtimeClient.TryConnectAsync(host.Address, host.Identity.Issue());
        await using var _ = client!;

        Assert.Equal(HttpStatusCode.SwitchingProtocols, status);
        var hello = await client!.NextAsync("hello");
        Assert.Equal(25, hello.GetProperty("beat").GetInt32());
        Assert.Equal(65_536, hello.GetProperty("window").GetInt32());
        Assert.Equal(16_384, hello.GetProperty("max").GetInt32());
        Assert.NotEqual("", hello.GetProperty("conn").GetString());
    }

    [Fact]
    public async Task Only_the_protocol_is_echoed_never_the_token()
    {
        await using var host = await RealtimeHost.StartAsync();
        await using var client = await host.ConnectAsync();

        Assert.Equal("7x42.v1", client.Subprotocol);
    }

    [Fact]
    public async Task A_token_is_in_no_log_line_whatever_the_level()
    {
        await using var host = await RealtimeHost.StartAsync();
        var (good, refused) = (host.Identity.Issue(), host.Identity.Issue(audience: "elsewhere"));
        await using (var client = await RealtimeClient.ConnectAsync(host.Address, good))
            await client.SendAsync($$"""{"op":"auth","token":"{{refused}}"}""");
        await RealtimeClient.TryConnectAsync(host.Address, refused);
        await RealtimeClient.TryConnectAsync(host.Address, good, origin: "https://elsewhere.example");

        Assert.Contains(host.Logs.All, line => line.Text.Contains("/realtime", StringComparison.Ordinal));
        Assert.DoesNotContain(host.Logs.All, line => line.Text.Contains(good, StringComparison.Ordinal) || line.Text.Contains(refused, StringComparison.Ordinal));
        Assert.DoesNotContain(host.Logs.All, line => line.Text.Contains(good.Split('.')[2], StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("https://elsewhere.example")]
    [InlineData("http://127.0.0.1")]
    [InlineData("https://127.0.0.1:{port}")]
    [InlineData("http://127.0.0.1:{port}.elsewhere.example")]
    [InlineData("http://127.0.0.1:{port}@elsewhere.example")]
    [InlineData("http://127.0.0.1:{port}/")]
    [InlineData("http://127.0.0.1:{port}0")]
    [InlineData("http://localhost:{port}")]
    [InlineData("http://127.0.0.1:{port}, http://127.0.0.1:{port}")]
    public async Task A_page_of_another_origin_is_refused(string origin)
    {
        await using var host = await RealtimeHost.StartAsync();
        var asked = host.Identity.Questions;

        var (client, status) = await RealtimeClient.TryConnectAsync(
            host.Address, host.Identity.Issue(), origin.Replace("{port}", $"{host.Address.Port}", StringComparison.Ordinal));

        Assert.Null(client);
        Assert.Equal(HttpStatusCode.Forbidden, status);
        Assert.Equal(asked, host.Identity.Questions);
    }

    [Fact]
    public async Task With_a_list_of_origins_only_those_may_connect()
    {
        await using var host = await RealtimeHost.StartAsync(settings: ("Realtime:AllowedOrigins:0", "https://chat.example"));

        Assert.Equal(HttpStatusCode.SwitchingProtocols, await StatusAsync("https://chat.example"));
        Assert.Equal(HttpStatusCode.SwitchingProtocols, await StatusAsync("https://CHAT.example"));
        Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync("https://chat.example.evil.example"));
        Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync("http://chat.example"));
        Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync(origin: null));

        async Task<HttpStatusCode> StatusAsync(string? origin)
        {
            var (client, status) = await RealtimeClient.TryConnectAsync(host.Address, host.Identity.Issue(), origin);
            if (client is not null)
                await client.DisposeAsync();
            return status;
        }
    }

    [Fact]
    public async Task Without_a_token_there_is_no_socket()
    {
        await using var host = await RealtimeHost.StartAsync();

        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(host, null));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(host, "x"));
    }

    [Fact]
    public async Task An_expired_token_is_refused()
    {
        await using var host = await RealtimeHost.StartAsync();

        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(host, host.Identity.Issue(lifetime: TimeSpan.FromSeconds(-1))));
    }

    [Fact]
    public async Task A_forged_token_is_refused()
    {
        await using var host = await RealtimeHost.StartAsync();
        var genuine = host.Identity.Issue();
        // Another's signature on the same claims, and none at all.
        var forged = host.Identity.Issue(key: TestIdentity.AnotherKey());
        var unsigned = "eyJhbGciOiJub25lIn0." + genuine.Split('.')[1] + ".";

        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(host, forged));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(host, unsigned));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(host, genuine[..^2]));
    }

    [Fact]
    public async Task A_token_for_another_audience_is_refused()
    {
        await using var host = await RealtimeHost.StartAsync();

        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(host, host.Identity.Issue(audience: "elsewhere")));
    }

    [Fact]
    public async Task A_token_of_a_session_that_is_known_to_have_ended_is_refused()
    {
        await using var host = await RealtimeHost.StartAsync(settings: ("Realtime:RevocationInterval", "00:00:00.1"));
        var session = TestIdentity.NewId();
        await using var client = await host.ConnectAsync(session: session);
        host.Identity.End(session);
        Assert.Equal(RealtimeCloseCodes.SignedOut, await client.ClosedAsync());

        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(host, host.Identity.Issue(session: session)));
    }

    [Fact]
    public async Task A_client_that_does_not_speak_the_protocol_is_refused()
    {
        await using var host = await RealtimeHost.StartAsync();

        var (_, status) = await RealtimeClient.TryConnectAsync(host.Address, host.Identity.Issue(), protocols: ["graphql-ws"]);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        using var http = new HttpClient();
        Assert.Equal(HttpStatusCode.BadRequest, (await http.GetAsync(new Uri(host.Address, "/realtime"), TestContext.Current.CancellationToken)).StatusCode);
    }

    [Fact]
    public async Task A_user_has_a_limited_number_of_connections_and_closing_one_makes_room()
    {
        await using var host = await RealtimeHost.StartAsync(settings: ("Realtime:ConnectionsPerUser", "3"));
        var user = TestIdentity.NewId();
        var clients = new List<RealtimeClient>();
        for (var i = 0; i < 3; i++)
            clients.Add(await host.ConnectAsync(user));

        Assert.Equal(HttpStatusCode.TooManyRequests, await StatusAsync(host, host.Identity.Issue(user)));
        await using (await host.ConnectAsync())
        {
            // Another user has places of their own.
        }

        await clients[0].DisposeAsync();
        await Eventually.TrueAsync(() => host.Clients.Count == 2);
        await using (await host.ConnectAsync(user))
        {
        }

        foreach (var client in clients)
            await client.DisposeAsync();
        await Eventually.TrueAsync(() => host.Clients.Count == 0);
    }

    [Fact]
    public async Task A_socket_opens_over_http_2()
    {
        await using var host = await RealtimeHost.StartAsync(protocols: HttpProtocols.Http2);
        await using var client = await host.ConnectAsync(http2: true);
        var (number, _, recovered) = await client.SubscribedAsync("room/1");
        await host.Rooms.WriteAsync("room/1", "hello");

        Assert.True(recovered);
        Assert.Equal("hello", (await client.EventsAsync(number))[0].Data[1].GetString());
    }

    [Theory]
    [InlineData("Realtime:AllowedOrigins:0", "chat.example")]
    [InlineData("Realtime:AllowedOrigins:0", "https://chat.example/")]
    [InlineData("Realtime:MaxMessageBytes", "0")]
    [InlineData("Realtime:FlushInterval", "00:00:00")]
    [InlineData("Realtime:ClientTimeout", "00:00:01")]
    [InlineData("Realtime:ConnectionWindowBytes", "2048")]
    public async Task A_setting_that_makes_no_sense_stops_the_start(string key, string value) =>
        await Assert.ThrowsAsync<OptionsValidationException>(() => RealtimeHost.StartAsync(settings: (key, value)));

    private static async Task<HttpStatusCode> StatusAsync(RealtimeHost host, string? token)
    {
        var (client, status) = await RealtimeClient.TryConnectAsync(host.Address, token);
        if (client is not null)
            await client.DisposeAsync();
        return status;
    }
}
