using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Access;

/// <summary>Where there are no guests, everybody signs in first, and then is where they wanted to be.</summary>
public sealed class GuestsOffTests(PostgresServer postgres) : IAsyncLifetime
{
    private const string Email = "ada@example.org";

    private AppHost _app = null!;

    public static TheoryData<string> Pages => ["/", "/search?q=zebra%20crossing", "/conversations", "/models", "/c/236771b0-c5d4-4b82-8a18-2d891ad5604d"];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() =>
        _app = await AppHost.StartAsync(await postgres.CreateDatabaseAsync(), [new("Identity:Guests", "false")]);

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Theory]
    [MemberData(nameof(Pages))]
    public async Task A_page_sends_whoever_is_nobody_to_sign_in_and_back(string page)
    {
        using var http = _app.CreateClient();

        using var response = await SendAsync(http, page, ("Accept", "text/html"));

        Assert.Equal(HttpStatusCode.SeeOther, response.StatusCode);
        Assert.Equal(SignIn(page), response.Headers.Location!.OriginalString);
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public async Task Htmx_leads_there_when_it_asks_for_a_page_and_stays_when_it_asks_for_a_part_of_one(string page)
    {
        using var http = _app.CreateClient();

        using var whole = await SendAsync(http, page, ("Accept", "text/html"), ("HX-Request", "true"), ("HX-Target", "main#main"));
        using var part = await SendAsync(http, page, ("Accept", "text/html"), ("HX-Request", "true"), ("HX-Target", "div#conversations"));

        Assert.Equal(HttpStatusCode.Unauthorized, whole.StatusCode);
        Assert.Equal(SignIn(page), Assert.Single(whole.Headers.GetValues("HX-Redirect")));
        Assert.Equal(HttpStatusCode.Unauthorized, part.StatusCode);
        Assert.False(part.Headers.Contains("HX-Redirect"));
        Assert.Contains("Sign in to go on.", await part.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public async Task A_program_is_told_a_problem(string page)
    {
        using var http = _app.CreateClient();

        using var response = await SendAsync(http, page, ("Accept", "application/json"));

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal("unauthenticated", (await response.Content.ReadFromJsonAsync<JsonElement>(Cancel)).GetProperty("code").GetString());
    }

    [Fact]
    public async Task Whoever_signs_in_gets_every_page()
    {
        using var browser = new ChatBrowser(_app);
        await browser.SignUpAsync(Email);

        foreach (var page in (string[])["/", "/search?q=zebra", "/conversations"])
            Assert.Equal(HttpStatusCode.OK, (await browser.GetAsync(page)).StatusCode);
    }

    [Fact]
    public async Task The_way_in_shows_nothing_that_leads_back_to_it()
    {
        using var anonymous = new ChatBrowser(_app);
        using var browser = new ChatBrowser(_app);
        await browser.SignUpAsync(Email);

        Assert.Empty((await anonymous.PageAsync("/signin")).QuerySelectorAll("#new-chat, #search, #conversations"));
        Assert.Equal(3, (await browser.PageAsync("/account")).QuerySelectorAll("#new-chat, #search, #conversations").Length);
    }

    private static string SignIn(string back) => $"/signin?returnUrl={Uri.EscapeDataString(back)}";

    private static Task<HttpResponseMessage> SendAsync(HttpClient http, string path, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        foreach (var (name, value) in headers)
            request.Headers.Add(name, value);
        return http.SendAsync(request, Cancel);
    }
}
