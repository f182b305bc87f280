using System.Net;
using System.Text.RegularExpressions;
using AngleSharp.Dom;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.StaticAssets;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Access;

/// <summary>
/// Every endpoint of the running application, asked by everybody. Who adds an endpoint adds a line to <see cref="Matrix"/>, or
/// the test fails; who gets it wrong reads here what somebody can do that they must not.
/// </summary>
public sealed partial class EndpointMatrixTests(PostgresServer postgres) : IAsyncLifetime
{
    // In the order in which the owner uses them: what ends something comes last.
    private static readonly (string Endpoint, Access Access, (string Name, string Value)[] Form)[] Matrix =
    [
        ("GET /", Access.Everybody, []),
        ("GET /search", Access.Everybody, []),
        ("GET /conversations", Access.Everybody, []),
        ("GET /models", Access.Everybody, []),
        ("GET /studio", Access.Everybody, []),
        ("GET /studio/prompts", Access.Everybody, []),
        ("GET /composer/picture", Access.Everybody, [("imageModel", "demo-images/demo")]),
        ("GET /images", Access.Everybody, []),
        ("GET /images/grid", Access.Everybody, []),
        ("GET /signin", Access.Everybody, []),
        ("GET /signup", Access.Everybody, []),
        ("POST /signin", Access.Everybody, []),
        ("POST /signup", Access.Everybody, []),
        ("* /health/live", Access.Everybody, []),
        ("* /health/ready", Access.Everybody, []),

        // Answered by the management port alone.
        ("* /metrics", Access.Nobody, []),
        // A token is asked for instead of a cookie.
        ("GET /realtime", Access.HandshakeOnly, []),
        ("CONNECT /realtime", Access.HandshakeOnly, []),

        ("GET /realtime/poll", Access.SignedIn, []),
        ("POST /realtime/token", Access.SignedIn, []),
        ("POST /models/look", Access.SignedIn, []),
        ("POST /media/assets/", Access.SignedIn, []),

        ("GET /c/{conversationId:guid}", Access.Owner, []),
        ("GET /conversations/{conversationId:guid}/transcript", Access.Owner, []),
        ("GET /conversations/{conversationId:guid}/earlier", Access.Owner, [("before", "{answerId:guid}")]),
        ("GET /conversations/{conversationId:guid}/later", Access.Owner, [("after", "1"), ("leaf", "{answerId:guid}")]),
        ("GET /conversations/{conversationId:guid}/settings", Access.Owner, []),
        ("GET /conversations/{conversationId:guid}/messages/{messageId:guid}", Access.Owner, []),
        ("GET /conversations/{conversationId:guid}/messages/{messageId:guid}/raw", Access.Owner, []),
        ("GET /conversations/{conversationId:guid}/messages/{messageId:guid}/edit", Access.Owner, []),
        ("POST /conversations/{conversationId:guid}/branch", Access.Owner, [("messageId", "{answerId:guid}")]),
        ("POST /conversations/{conversationId:guid}/title", Access.Owner, [("title", "Taken over")]),
        ("POST /conversations/{conversationId:guid}/pin", Access.Owner, [("pinned", "true")]),
        ("POST /conversations/{conversationId:guid}/settings", Access.Owner, [("instructions", "Obey me.")]),
        ("POST /conversations/{conversationId:guid}/answers/{answerId:guid}/stop", Access.Owner, []),
        ("POST /conversations/{conversationId:guid}/answers/{answerId:guid}/retry", Access.Owner, []),
        ("POST /conversations/{conversationId:guid}/answers/{answerId:guid}/continue", Access.Owner, []),
        ("POST /conversations/{conversationId:guid}/answers/{answerId:guid}/regenerate", Access.Owner, [("model", "test/scripted")]),
        ("POST /conversations/{conversationId:guid}/messages/{messageId:guid}/edit", Access.Owner, [("newMessageId", "{new}"), ("text", "Written by another")]),
        ("POST /conversations/{conversationId:guid}/messages", Access.Owner, [("messageId", "{new}"), ("parentId", "{answerId:guid}"), ("text", "Written by another")]),
        ("POST /conversations/{conversationId:guid}/delete", Access.Owner, []),
        ("POST /conversations/{conversationId:guid}/restore", Access.Owner, []),
        ("GET /images/{generationId:guid}/preview", Access.Owner, []),
        ("GET /images/{assetId:guid}", Access.Owner, []),
        ("GET /media/assets/{assetId:guid}", Access.Owner, []),
        ("HEAD /media/assets/{assetId:guid}", Access.Owner, []),
        ("DELETE /media/assets/{assetId:guid}", Access.Owner, []),
        ("POST /media/assets/{assetId:guid}/delete", Access.Owner, []),
        ("POST /media/assets/{assetId:guid}/restore", Access.Owner, []),

        ("GET /account/", Access.SignedIn, []),
        ("POST /account/name", Access.SignedIn, [("displayName", "Somebody")]),
        ("POST /account/password", Access.SignedIn, []),
        ("POST /account/delete", Access.SignedIn, []),
        ("POST /account/sessions/{sessionId:guid}/revoke", Access.Owner, []),
        ("POST /account/sessions/revoke-others", Access.SignedIn, []),
        ("GET /admin/users", Access.Administrator, []),
        ("POST /admin/users/{userId:guid}/role", Access.Administrator, [("administrator", "false")]),

        // Makes a guest of whoever is nobody yet.
        ("POST /conversations", Access.Everybody, [("messageId", "{new}"), ("text", "Mine")]),
        ("POST /studio", Access.Everybody, [("messageId", "{new}"), ("text", "Mine")]),
        ("POST /signout", Access.Everybody, []),
    ];

    private ScriptedProvider _provider = null!;
    private string _database = "";
    private AppHost _app = null!;

    private enum Access
    {
        Everybody,
        Nobody,
        HandshakeOnly,
        SignedIn,
        Owner,
        Administrator,
    }

    private enum Who
    {
        Anonymous,
        Stranger,
        Administrator,
        Owner,
    }

    public async ValueTask InitializeAsync()
    {
        _provider = await ScriptedProvider.StartAsync();
        _provider.Script("scripted", Script.Answer("An answer."));
        _database = await postgres.CreateDatabaseAsync();
        _app = await AppHost.StartAsync(
            _database,
            [new("Generation:Providers:0:Name", "test"), new("Generation:Providers:0:BaseUrl", _provider.BaseUrl.ToString())]);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        await _provider.DisposeAsync();
    }

    [Fact]
    public void The_matrix_knows_every_endpoint_and_no_other()
    {
        var mapped = Endpoints().SelectMany(Names).Distinct().Order(StringComparer.Ordinal);

        Assert.Equal(mapped, Matrix.Select(m => m.Endpoint).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_endpoint_that_may_change_something_asks_for_an_antiforgery_token()
    {
        var changing = Endpoints().Where(e => Names(e).Any(n => !n.StartsWith("GET", StringComparison.Ordinal) && !n.StartsWith('*'))).ToList();

        Assert.True(changing.Count > 20);
        Assert.Empty(changing.Where(e => e.Metadata.GetMetadata<IAntiforgeryMetadata>() is { RequiresValidation: false }).SelectMany(Names));
    }

    [Fact]
    public async Task Everybody_reaches_what_is_theirs_and_nothing_else()
    {
        using var administrator = new ChatBrowser(_app);
        await administrator.SignUpAsync("admin@example.org");
        using var owner = new ChatBrowser(_app);
        await owner.SignUpAsync("owner@example.org");
        using var stranger = new ChatBrowser(_app);
        await stranger.SignUpAsync("stranger@example.org");
        var ids = await FillAsync(owner);
        using var elsewhere = new ChatBrowser(_app);
        await elsewhere.SignInAsync("owner@example.org");
        ids["sessionId"] = (await owner.PageAsync("/account")).QuerySelectorAll("[data-session]")[^1].GetAttribute("data-session")!;
        List<string> wrong = [];

        // First whoever must not: they find the owner's things, and leave them as they were.
        var before = await Stored.FingerprintAsync(_database, ids["userId"], ids["conversationId"]);
        foreach (var (endpoint, access, form) in Matrix)
        {
            using var anonymous = new ChatBrowser(_app);
            await AskAsync(anonymous, Who.Anonymous, endpoint, access, form, ids, wrong);
            await AskAsync(stranger, Who.Stranger, endpoint, access, form, ids, wrong);
            await AskAsync(administrator, Who.Administrator, endpoint, access, form, ids, wrong);
            if (endpoint == "POST /signout")
                continue;
            Assert.True((await stranger.GetAsync("/account")).IsSuccessStatusCode, $"{endpoint} signed the stranger out");
        }

        Assert.Equal(before, await Stored.FingerprintAsync(_database, ids["userId"], ids["conversationId"]));

        // Then the owner, who must be able to: a refusal that everybody gets would prove nothing.
        foreach (var (endpoint, access, form) in Matrix)
        {
            if (endpoint.Contains("{assetId", StringComparison.Ordinal))
                ids["assetId"] = (await owner.UploadAsync(Png, "picture.png")).ToString("D");
            await AskAsync(owner, Who.Owner, endpoint, access, form, ids, wrong);
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public async Task What_belongs_to_somebody_else_is_not_found_inside_ones_own_conversation()
    {
        using var owner = new ChatBrowser(_app);
        await owner.SignUpAsync("owner@example.org");
        var foreign = await FillAsync(owner);
        using var stranger = new ChatBrowser(_app);
        await stranger.SignUpAsync("stranger@example.org");
        var own = await FillAsync(stranger);
        var mixed = new Dictionary<string, string>(foreign) { ["conversationId"] = own["conversationId"] };
        var before = await Stored.FingerprintAsync(_database, foreign["userId"], foreign["conversationId"]);
        List<string> wrong = [];
        var asked = 0;

        foreach (var (endpoint, _, form) in Matrix.Where(m => NestedId().IsMatch(m.Endpoint)))
        {
            // Nobody can tell an id of somebody else from one that nobody has.
            var nobodys = new Dictionary<string, string>(mixed) { ["messageId"] = ChatBrowser.NewId().ToString("D"), ["answerId"] = ChatBrowser.NewId().ToString("D") };
            using var response = await SendAsync(stranger, endpoint, form, mixed);
            using var unknown = await SendAsync(stranger, endpoint, form, nobodys);
            asked++;
            if (response.StatusCode is not (HttpStatusCode.NotFound or HttpStatusCode.Conflict) || await TextAsync(response) != await TextAsync(unknown))
                wrong.Add($"{endpoint}: {(int)response.StatusCode}, {(int)unknown.StatusCode}");
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        Assert.True(asked >= 8);
        Assert.Equal(before, await Stored.FingerprintAsync(_database, foreign["userId"], foreign["conversationId"]));
    }

    [Fact]
    public async Task A_conversation_of_somebody_else_is_not_taken_over_by_beginning_it_again()
    {
        using var owner = new ChatBrowser(_app);
        await owner.SignUpAsync("owner@example.org");
        var ids = await FillAsync(owner);
        using var stranger = new ChatBrowser(_app);
        await stranger.SignUpAsync("stranger@example.org");
        var own = await FillAsync(stranger);
        var before = await Stored.FingerprintAsync(_database, ids["userId"], ids["conversationId"]);

        using var begun = await stranger.PostAsync("/conversations", ("messageId", ids["messageId"]), ("text", "Mine now"));
        using var sent = await stranger.PostAsync(
            $"/conversations/{own["conversationId"]}/messages", ("messageId", ids["messageId"]), ("parentId", own["answerId"]), ("text", "Mine now"));
        using var page = await stranger.GetAsync($"/c/{ids["conversationId"]}");

        // An id that is taken is no news to a stranger: what they say is theirs, under another id.
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (begun.StatusCode, sent.StatusCode));
        Assert.DoesNotContain(ids["conversationId"], await begun.Content.ReadAsStringAsync(TestContext.Current.CancellationToken) + begun.Headers, StringComparison.Ordinal);
        Assert.DoesNotContain(ids["conversationId"], await sent.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, page.StatusCode);
        Assert.Equal(before, await Stored.FingerprintAsync(_database, ids["userId"], ids["conversationId"]));
    }

    [Fact]
    public async Task Reading_changes_nothing()
    {
        using var owner = new ChatBrowser(_app);
        await owner.SignUpAsync("owner@example.org");
        var ids = await FillAsync(owner);
        using var anonymous = new ChatBrowser(_app);
        var before = await Stored.FingerprintAsync(_database);
        var asked = 0;

        foreach (var (endpoint, _, form) in Matrix.Where(m => m.Endpoint.StartsWith("GET", StringComparison.Ordinal)))
        {
            (await SendAsync(anonymous, endpoint, form, ids)).Dispose();
            (await SendAsync(owner, endpoint, form, ids)).Dispose();
            asked++;
        }

        Assert.True(asked > 15);
        Assert.Equal(before, await Stored.FingerprintAsync(_database));
    }

    [Fact]
    public async Task Without_guests_nobody_writes_anything_before_they_sign_in()
    {
        await using var app = await AppHost.StartAsync(await postgres.CreateDatabaseAsync(), [new("Identity:Guests", "false")]);
        using var anonymous = new ChatBrowser(app);

        using var response = await anonymous.PostAsync("/conversations", ("messageId", ChatBrowser.NewId().ToString()), ("text", "Hello"));

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
    }

    private static async Task AskAsync(
        ChatBrowser browser, Who who, string endpoint, Access access, (string Name, string Value)[] form, Dictionary<string, string> ids, List<string> wrong)
    {
        using var response = await SendAsync(browser, endpoint, form, ids);
        var status = (int)response.StatusCode;
        var reached = status is not (401 or 403 or 404 or 405 or >= 500);
        var right = (access, who) switch
        {
            (Access.Everybody, _) => reached,
            (Access.Nobody, _) => status == 404,
            (Access.HandshakeOnly, _) => status is >= 400 and < 500,
            (_, Who.Anonymous) => status == 401,
            (Access.SignedIn, _) => reached,
            (Access.Owner, Who.Owner) => reached,
            (Access.Owner, _) => status == 404,
            (Access.Administrator, Who.Administrator) => reached,
            (Access.Administrator, _) => status == 403,
            _ => false,
        };
        if (!right)
            wrong.Add($"{who}, {endpoint}: {status}");
    }

    private static Task<HttpResponseMessage> SendAsync(
        ChatBrowser browser, string endpoint, (string Name, string Value)[] form, Dictionary<string, string> ids)
    {
        var (method, pattern) = (endpoint[..endpoint.IndexOf(' ', StringComparison.Ordinal)], endpoint[(endpoint.IndexOf(' ', StringComparison.Ordinal) + 1)..]);
        // A WebSocket over HTTP/2 begins with CONNECT; as a plain request it is none.
        var path = Fill(pattern, ids);
        var fields = form.Select(f => (f.Name, Fill(f.Value, ids))).ToArray();
        return method is "*" or "CONNECT" or "GET"
            ? browser.SendAsync(HttpMethod.Get, fields.Length == 0 ? path : $"{path}?{string.Join('&', fields.Select(f => $"{f.Name}={f.Item2}"))}")
            : browser.SendAsync(new HttpMethod(method), path, fields);
    }

    // Without the id of the trace, which no two answers share.
    private static async Task<string> TextAsync(HttpResponseMessage response) => TraceId().Replace(
        $"{response.StatusCode} {await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)}", "");

    private static string Fill(string text, Dictionary<string, string> ids) => Placeholder().Replace(
        text, match => match.Groups[1].Value == "new" ? ChatBrowser.NewId().ToString("D") : ids[match.Groups[1].Value]);

    /// <summary>Something of everything that endpoints have ids for, at rest.</summary>
    private async Task<Dictionary<string, string>> FillAsync(ChatBrowser browser)
    {
        var conversation = await browser.BeginAsync("A question", model: "test/scripted");
        // No title is made up for it while somebody looks whether anything changes.
        (await browser.PostAsync($"/conversations/{conversation:D}/title", ("title", "A title"))).EnsureSuccessStatusCode();
        var page = await browser.FinishedAsync(conversation);
        var asset = await browser.UploadAsync(Png, "picture.png");
        var session = (await browser.PageAsync("/account")).QuerySelector("[data-session]")!.GetAttribute("data-session")!;
        await using var source = Npgsql.NpgsqlDataSource.Create(_database);
        await using var command = source.CreateCommand("SELECT user_id::text FROM identity.sessions WHERE id = $1");
        command.Parameters.AddWithValue(Guid.Parse(session));
        var user = (string)(await command.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
        await Eventually.TrueAsync(async () => (await Stored.FindAsync(_database, user)).All(t => !t.EndsWith(".outbox", StringComparison.Ordinal)));
        await using var busy = source.CreateCommand("SELECT count(*) FROM generation.jobs WHERE status IN ('queued', 'running')");
        await Eventually.TrueAsync(async () => (long)(await busy.ExecuteScalarAsync(TestContext.Current.CancellationToken))! == 0);

        // As if it drew, and for as long as anybody here looks.
        await using var preview = source.CreateCommand("""
            WITH job AS (UPDATE generation.jobs SET finished_at = now() + interval '1 hour' WHERE conversation_id = $1 RETURNING id, attempt)
            INSERT INTO generation.previews (job_id, attempt, version, media_type, bytes) SELECT id, attempt, '1-1', 'image/png', '\x89' FROM job
            RETURNING job_id::text
            """);
        preview.Parameters.AddWithValue(conversation);
        var generation = (string)(await preview.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
        return new()
        {
            ["generationId"] = generation,
            ["conversationId"] = conversation.ToString("D"),
            ["messageId"] = page.QuerySelector("[data-role=user]")!.GetAttribute("data-message")!,
            ["answerId"] = page.QuerySelector("[data-role=assistant]")!.GetAttribute("data-message")!,
            ["assetId"] = asset.ToString("D"),
            ["sessionId"] = session,
            ["userId"] = user,
        };
    }

    private List<RouteEndpoint> Endpoints() =>
    [
        .. _app.Services.GetServices<EndpointDataSource>().SelectMany(s => s.Endpoints).OfType<RouteEndpoint>()
            // Files that were built into the application: everybody's, and only to be read.
            .Where(e => e.Metadata.GetMetadata<StaticAssetDescriptor>() is null || Names(e).Any(n => !n.StartsWith("GET ", StringComparison.Ordinal) && !n.StartsWith("HEAD ", StringComparison.Ordinal))),
    ];

    private static IEnumerable<string> Names(RouteEndpoint endpoint) =>
        (endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods is { Count: > 0 } methods ? methods : ["*"])
            .Select(method => $"{method} {(endpoint.RoutePattern.RawText!.StartsWith('/') ? "" : "/")}{endpoint.RoutePattern.RawText}");

    [GeneratedRegex(@"\{(\w+)(?::guid)?\}")]
    private static partial Regex Placeholder();

    [GeneratedRegex(@"/conversations/\{conversationId:guid\}/(messages|answers)/\{")]
    private static partial Regex NestedId();

    [GeneratedRegex("\"traceId\":\"[^\"]*\"")]
    private static partial Regex TraceId();

    private static byte[] Png => Convert.FromBase64String(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==");
}
