using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Middleware;

/// <summary>What every request passes, whichever module answers it.</summary>
public sealed partial class ChainTests(RunningApp running, PostgresServer postgres) : IClassFixture<RunningApp>, IDisposable
{
    /// <summary>What applications write that a test starts for itself.</summary>
    private readonly LogLines _logs = new();
    private readonly AppHost _app = running.Host;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _logs.Dispose();

    [Theory]
    [InlineData("/", HttpStatusCode.OK)]
    [InlineData("/no/such/page", HttpStatusCode.NotFound)]
    [InlineData("/c/not-an-id", HttpStatusCode.NotFound)]
    [InlineData("/health/live", HttpStatusCode.OK)]
    [InlineData("/realtime/poll", HttpStatusCode.Unauthorized)]
    public async Task Every_response_carries_the_security_headers(string path, HttpStatusCode status)
    {
        using var http = _app.CreateClient();

        using var response = await http.GetAsync(new Uri(path, UriKind.Relative), Cancel);

        Assert.Equal(status, response.StatusCode);
        var policy = Assert.Single(response.Headers.GetValues("Content-Security-Policy"));
        Assert.StartsWith("default-src 'self'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.Equal("nosniff", Assert.Single(response.Headers.GetValues("X-Content-Type-Options")));
        Assert.Equal("same-origin", Assert.Single(response.Headers.GetValues("Referrer-Policy")));
        Assert.False(response.Headers.Contains("Server"));
    }

    [Fact]
    public async Task A_page_has_no_inline_script_or_style()
    {
        using var http = _app.CreateClient();

        var page = await http.GetStringAsync(new Uri("/", UriKind.Relative), Cancel);

        Assert.Contains("<script", page, StringComparison.Ordinal);
        Assert.DoesNotMatch("<script(?![^>]*\\bsrc=)", page);
        Assert.DoesNotMatch("<style|\\sstyle=|\\son[a-z]+=", page);
    }

    [Fact]
    public async Task A_failure_is_a_page_a_fragment_or_a_problem_as_the_client_wants_it()
    {
        using var http = _app.CreateClient();

        using var page = await GetAsync(http, "/no/such/page", ("Accept", "text/html"));
        using var fragment = await GetAsync(http, "/no/such/page", ("Accept", "text/html"), ("HX-Request", "true"));
        using var problem = await GetAsync(http, "/no/such/page", ("Accept", "application/json"));

        Assert.Contains("<html", await page.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
        var notice = await fragment.Content.ReadAsStringAsync(Cancel);
        Assert.DoesNotContain("<html", notice, StringComparison.Ordinal);
        Assert.Contains("nothing here", notice, StringComparison.Ordinal);
        Assert.Equal("application/problem+json", problem.Content.Headers.ContentType?.MediaType);
        var details = await problem.Content.ReadFromJsonAsync<JsonElement>(Cancel);
        Assert.Equal(404, details.GetProperty("status").GetInt32());
        Assert.Contains("nothing here", details.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Contains("HX-Request", string.Join(',', fragment.Headers.Vary), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("POST", "/conversations")]
    [InlineData("POST", "/signout")]
    [InlineData("POST", "/conversations/0193a5d0-0000-7000-8000-000000000000/delete")]
    [InlineData("DELETE", "/media/assets/0193a5d0-0000-7000-8000-000000000000")]
    public async Task A_change_without_an_antiforgery_token_is_refused(string method, string path)
    {
        using var http = _app.CreateClient();
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (method == "POST")
            request.Content = new FormUrlEncodedContent([new("text", "from another site")]);

        using var response = await http.SendAsync(request, Cancel);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal("antiforgery", (await response.Content.ReadFromJsonAsync<JsonElement>(Cancel)).GetProperty("code").GetString());
    }

    [Fact]
    public async Task Pages_are_compressed_and_vary_by_it()
    {
        using var http = _app.CreateClient();

        using var response = await GetAsync(http, "/", ("Accept-Encoding", "gzip"));

        Assert.Equal(["gzip"], response.Content.Headers.ContentEncoding);
        Assert.Contains("Accept-Encoding", response.Headers.Vary);
    }

    [Fact]
    public async Task A_search_over_https_is_not_compressed()
    {
        await using var app = await StartAsync(("ForwardedHeaders:KnownNetworks:0", "127.0.0.0/8"));
        using var http = app.CreateClient();

        using var search = await GetAsync(http, "/search?q=word", ("Accept-Encoding", "gzip"), ("X-Forwarded-Proto", "https"));
        using var page = await GetAsync(http, "/", ("Accept-Encoding", "gzip"), ("X-Forwarded-Proto", "https"));

        Assert.Equal(HttpStatusCode.OK, search.StatusCode);
        Assert.Empty(search.Content.Headers.ContentEncoding);
        Assert.Equal(["gzip"], page.Content.Headers.ContentEncoding);
    }

    [Fact]
    public async Task A_request_is_logged_with_its_ids_and_without_its_query()
    {
        await using var app = await StartAsync();
        using var http = app.CreateClient();
        var conversation = await BeginAsync(http, "Hello");
        using var page = await GetAsync(http, $"/c/{conversation:D}?canary=of-the-query");

        await Eventually.TrueAsync(() => _logs.All.Any(l => l.Text.Contains($"GET /c/{conversation:D} 200", StringComparison.Ordinal)));
        var begun = Assert.Single(_logs.All, l => l.Text.Contains("POST /conversations 200", StringComparison.Ordinal)).Text;
        Assert.Matches($"trace [0-9a-f]{{32}}, user [0-9a-f-]{{36}}, conversation {conversation:D}, generation [0-9a-f-]{{36}}", begun);
        var read = Assert.Single(_logs.All, l => l.Text.Contains($"GET /c/{conversation:D} 200", StringComparison.Ordinal)).Text;
        Assert.Contains($"conversation {conversation:D}", read, StringComparison.Ordinal);
        Assert.DoesNotContain(_logs.All, l => l.Level >= LogLevel.Information && l.Text.Contains("of-the-query", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Too_many_requests_are_told_when_to_come_back()
    {
        await using var app = await StartAsync(("RateLimits:QueriesPerMinute", "4"));
        using var http = app.CreateClient();

        var statuses = new List<HttpStatusCode>();
        TimeSpan? wait = null;
        for (var i = 0; i < 6; i++)
        {
            using var response = await GetAsync(http, "/", ("Accept", "text/html"));
            statuses.Add(response.StatusCode);
            wait ??= response.Headers.RetryAfter?.Delta;
        }

        Assert.Equal(HttpStatusCode.OK, statuses[0]);
        Assert.Contains(HttpStatusCode.TooManyRequests, statuses);
        // Four a minute are one in fifteen seconds, counted from the first.
        Assert.NotNull(wait);
        Assert.InRange(wait.Value, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(15));
    }

    [Fact]
    public async Task Addresses_that_one_customer_has_count_as_one()
    {
        await using var app = await StartAsync(("RateLimits:QueriesPerMinute", "4"), ("ForwardedHeaders:KnownNetworks:0", "127.0.0.0/8"));
        using var http = app.CreateClient();

        List<HttpStatusCode> statuses = [];
        foreach (var address in (string[])["2001:db8::1", "2001:db8::2", "2001:db8::3:4", "2001:db8:0:1::1"])
        {
            using var response = await GetAsync(http, "/no/such/page", ("X-Forwarded-For", address));
            statuses.Add(response.StatusCode);
        }

        Assert.Equal([HttpStatusCode.NotFound, HttpStatusCode.NotFound, HttpStatusCode.TooManyRequests, HttpStatusCode.NotFound], statuses);
    }

    [Theory]
    [InlineData("multipart/form-data", "text", HttpStatusCode.BadRequest, "bad_request")]
    [InlineData("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=text\r\n\r\nhalf", HttpStatusCode.BadRequest, "bad_request")]
    [InlineData("application/x-www-form-urlencoded", null, HttpStatusCode.RequestEntityTooLarge, "too_large")]
    public async Task A_form_that_cannot_be_read_is_refused_and_no_fault(string type, string? body, HttpStatusCode status, string code)
    {
        await using var app = await StartAsync();
        // Told that it is too large before it is sent.
        using var http = new HttpClient(new SocketsHttpHandler { Expect100ContinueTimeout = TimeSpan.FromMinutes(1) }) { BaseAddress = app.Address };
        using var request = new HttpRequestMessage(HttpMethod.Post, "/conversations")
        {
            Content = new ByteArrayContent(body is null ? new byte[40_000_000] : Encoding.UTF8.GetBytes(body)),
        };
        request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
        request.Headers.ExpectContinue = body is null;

        using var response = await http.SendAsync(request, Cancel);

        Assert.Equal(status, response.StatusCode);
        Assert.Equal(code, (await response.Content.ReadFromJsonAsync<JsonElement>(Cancel)).GetProperty("code").GetString());
        Assert.DoesNotContain(_logs.All, l => l.Level >= LogLevel.Error);
    }

    [Fact]
    public async Task Only_a_few_forms_with_files_are_taken_in_at_once()
    {
        await using var app = await StartAsync();
        var slow = new List<TcpClient>();
        for (var i = 0; i < 4; i++)
        {
            var client = new TcpClient();
            slow.Add(client);
            await client.ConnectAsync(app.Address.Host, app.Address.Port, Cancel);
            await client.GetStream().WriteAsync(
                "POST /conversations HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 2000000\r\n\r\n--b"u8.ToArray(), Cancel);
        }

        await Eventually.TrueAsync(async () => await SendAsync() == (HttpStatusCode.ServiceUnavailable, "busy"));
        slow.ForEach(c => c.Dispose());
        await Eventually.TrueAsync(async () => await SendAsync() == (HttpStatusCode.BadRequest, "antiforgery"));

        async Task<(HttpStatusCode Status, string Code)> SendAsync()
        {
            using var http = app.CreateClient();
            using var form = new MultipartFormDataContent { { new ByteArrayContent(new byte[2_000_000]), "pictures", "a.png" } };
            using var response = await http.PostAsync(new Uri("/conversations", UriKind.Relative), form, Cancel);
            return (response.StatusCode, (await response.Content.ReadFromJsonAsync<JsonElement>(Cancel)).GetProperty("code").GetString()!);
        }
    }

    [Fact]
    public async Task A_form_that_breaks_off_with_its_connection_is_no_fault()
    {
        await using var app = await StartAsync();
        using (var client = new TcpClient())
        {
            await client.ConnectAsync(app.Address.Host, app.Address.Port, Cancel);
            await client.GetStream().WriteAsync(
                "POST /conversations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\ntext=half"u8.ToArray(), Cancel);
        }

        await Eventually.TrueAsync(() => _logs.All.Any(l => l.Text.Contains("POST /conversations ", StringComparison.Ordinal)));
        Assert.DoesNotContain(_logs.All, l => l.Level >= LogLevel.Error);
    }

    [Theory]
    [InlineData("chat.example:5042", null, false)]
    [InlineData("192.168.1.7:5042", null, false)]
    [InlineData("chat.example", "https", true)]
    [InlineData("localhost:5042", null, true)]
    public async Task Where_a_browser_would_lose_the_session_a_first_message_is_refused_before_anything_is_stored(string host, string? proto, bool taken)
    {
        await using var app = await StartAsync();
        using var http = app.CreateClient();
        http.DefaultRequestHeaders.Host = host;
        if (proto is not null)
            http.DefaultRequestHeaders.Add("X-Forwarded-Proto", proto);
        var page = await http.GetStringAsync(new Uri("/", UriKind.Relative), Cancel);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/conversations")
        {
            Content = new FormUrlEncodedContent([new("messageId", ChatBrowser.NewId().ToString()), new("text", "Hello")]),
        };
        request.Headers.Add("HX-Request", "true");
        request.Headers.Add("X-CSRF-TOKEN", CsrfToken().Match(page).Groups[1].Value);

        using var response = await http.SendAsync(request, Cancel);

        Assert.Equal(taken ? HttpStatusCode.OK : HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(taken, response.Headers.Contains("HX-Redirect"));
        Assert.Equal(taken, response.Headers.Contains("Set-Cookie"));
        var answer = await response.Content.ReadAsStringAsync(Cancel);
        Assert.NotEqual(taken, answer.Contains("over plain HTTP", StringComparison.Ordinal));
        Assert.NotEqual(taken, page.Contains("over plain HTTP", StringComparison.Ordinal));
        Assert.Equal(taken, _logs.All.Any(l => l.Text.Contains("GuestSessions Guest", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Another_origin_may_read_nothing_unless_it_is_configured()
    {
        await using var open = await StartAsync(("Cors:AllowedOrigins:0", "https://friend.example"));
        using var closedHttp = _app.CreateClient();
        using var openHttp = open.CreateClient();

        using var byDefault = await GetAsync(closedHttp, "/", ("Origin", "https://friend.example"));
        using var friend = await GetAsync(openHttp, "/", ("Origin", "https://friend.example"));
        using var stranger = await GetAsync(openHttp, "/", ("Origin", "https://stranger.example"));

        Assert.False(byDefault.Headers.Contains("Access-Control-Allow-Origin"));
        Assert.Equal("https://friend.example", Assert.Single(friend.Headers.GetValues("Access-Control-Allow-Origin")));
        Assert.False(stranger.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [Theory]
    [InlineData("127.0.0.0/8", true)]
    [InlineData("10.0.0.0/8", false)]
    [InlineData(null, false)]
    public async Task Forwarded_headers_are_believed_from_configured_proxies_only(string? network, bool believed)
    {
        await using var app = network is null ? await StartAsync() : await StartAsync(("ForwardedHeaders:KnownNetworks:0", network));
        using var http = app.CreateClient();

        using var response = await GetAsync(http, "/", ("X-Forwarded-Proto", "https"), ("Accept", "text/html"));

        // The antiforgery cookie is Secure, and bound to its host, exactly when the request is taken for one over TLS.
        var cookie = Assert.Single(response.Headers.GetValues("Set-Cookie"), c => c.Contains("ntiforgery", StringComparison.OrdinalIgnoreCase));
        Assert.StartsWith(believed ? "__Host-" : "7x42-", cookie, StringComparison.Ordinal);
        Assert.Equal(believed, cookie.Contains("; secure", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task Health_and_metrics_are_on_the_management_port_and_metrics_only_there()
    {
        var management = $"http://127.0.0.1:{HostProcess.FreePort()}";
        await using var app = await StartAsync(("Management:Url", management));
        using var http = new HttpClient();

        Assert.Equal("Healthy", await http.GetStringAsync(new Uri($"{management}/health/ready"), Cancel));
        var metrics = await http.GetStringAsync(new Uri($"{management}/metrics"), Cancel);
        using var page = await http.GetAsync(new Uri($"{management}/"), Cancel);
        using var leak = await http.GetAsync(new Uri(app.Address, "/metrics"), Cancel);

        Assert.Contains("http_server_request_duration_seconds", metrics, StringComparison.Ordinal);
        Assert.Contains("sevenx42_", metrics, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, page.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, leak.StatusCode);
    }

    private static async Task<Guid> BeginAsync(HttpClient http, string text)
    {
        var page = await http.GetStringAsync(new Uri("/", UriKind.Relative), Cancel);
        var id = Guid.CreateVersion7(TimeProvider.System.GetUtcNow());
        using var request = new HttpRequestMessage(HttpMethod.Post, "/conversations")
        {
            Content = new FormUrlEncodedContent([new("messageId", id.ToString()), new("text", text)]),
        };
        request.Headers.Add("HX-Request", "true");
        request.Headers.Add("X-CSRF-TOKEN", CsrfToken().Match(page).Groups[1].Value);
        using var response = await http.SendAsync(request, Cancel);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return id;
    }

    [GeneratedRegex("name=\"csrf-token\" content=\"([^\"]+)\"")]
    private static partial Regex CsrfToken();

    private static async Task<HttpResponseMessage> GetAsync(HttpClient http, string path, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        foreach (var (name, value) in headers)
            request.Headers.Add(name, value);
        return await http.SendAsync(request, Cancel);
    }

    private async Task<AppHost> StartAsync(params (string Key, string Value)[] settings) => await AppHost.StartAsync(
        await postgres.CreateDatabaseAsync(),
        settings.Select(s => KeyValuePair.Create(s.Key, (string?)s.Value)),
        services => services.AddSingleton<ILoggerProvider>(_logs));
}
