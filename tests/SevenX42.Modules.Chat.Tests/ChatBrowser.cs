using System.Net;
using AngleSharp.Html.Dom;
using AngleSharp.Html.Parser;
using SevenX42.Testing;

[assembly: AssemblyFixture(typeof(PostgresServer))]

namespace SevenX42.Modules.Chat.Tests;

/// <summary>A person at the real application: cookies, antiforgery token, htmx's headers.</summary>
internal sealed class ChatBrowser(AppHost app) : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly HttpClient _http = app.CreateClient();
    private string? _token;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Begins a conversation and returns its id, which is the first message's.</summary>
    public async Task<Guid> BeginAsync(string text, Guid? messageId = null)
    {
        var id = messageId ?? NewId();
        using var response = await PostAsync("/conversations", ("messageId", id.ToString()), ("text", text));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal($"/c/{id:D}", Assert.Single(response.Headers.GetValues("HX-Redirect")));
        // The page that was rendered for nobody had nobody's token.
        _token = null;
        return id;
    }

    public static Guid NewId() => Guid.CreateVersion7(TimeProvider.System.GetUtcNow());

    public async Task<HttpResponseMessage> PostAsync(string path, params (string Name, string Value)[] fields)
    {
        _token ??= (await PageAsync("/")).QuerySelector("meta[name=csrf-token]")!.GetAttribute("content");
        using var request = new HttpRequestMessage(HttpMethod.Post, path)
        {
            Content = new FormUrlEncodedContent(fields.Select(f => KeyValuePair.Create(f.Name, f.Value))),
        };
        request.Headers.Add("HX-Request", "true");
        request.Headers.Add("X-CSRF-TOKEN", _token);
        return await _http.SendAsync(request, Cancellation);
    }

    public Task<HttpResponseMessage> GetAsync(string path) => _http.GetAsync(new Uri(path, UriKind.Relative), Cancellation);

    public async Task<IHtmlDocument> PageAsync(string path)
    {
        using var response = await GetAsync(path);
        Assert.True(response.IsSuccessStatusCode, $"{path} answered {response.StatusCode}");
        return await new HtmlParser().ParseDocumentAsync(await response.Content.ReadAsStringAsync(Cancellation));
    }

    /// <summary>The conversation's page, once its last answer has ended.</summary>
    public async Task<IHtmlDocument> FinishedAsync(Guid conversationId)
    {
        var deadline = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var page = await PageAsync($"/c/{conversationId:D}");
            if (page.QuerySelector("article:last-of-type") is { } last && last.GetAttribute("aria-busy") is null)
                return page;
            Assert.True(TimeProvider.System.GetElapsedTime(deadline) < Limit, "The answer did not end in time.");
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Cancellation);
        }
    }

    public void Dispose() => _http.Dispose();
}
