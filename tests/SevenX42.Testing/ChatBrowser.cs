using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AngleSharp.Html.Dom;
using AngleSharp.Html.Parser;
using Xunit;

namespace SevenX42.Testing;

/// <summary>A person at the real application: cookies, antiforgery token, htmx's headers. No scripts.</summary>
public sealed class ChatBrowser : IDisposable
{
    /// <summary>What people type who don't care.</summary>
    public const string Password = "seven little words suffice";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly HttpClient _http;
    private string? _token;

    /// <summary>Somebody new.</summary>
    public ChatBrowser(AppHost app)
        : this(app.Address)
    {
    }

    /// <summary>Somebody new.</summary>
    /// <param name="address">The application's address.</param>
    /// <param name="patience">How long a request may take.</param>
    public ChatBrowser(Uri address, TimeSpan? patience = null) =>
        _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = true, CookieContainer = new() })
        {
            BaseAddress = address,
            Timeout = patience ?? TimeSpan.FromSeconds(100),
        };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>An id such as the browser's script gives to a message.</summary>
    public static Guid NewId() => Guid.CreateVersion7(TimeProvider.System.GetUtcNow());

    /// <summary>Begins a conversation and returns its id, which is the first message's.</summary>
    public async Task<Guid> BeginAsync(string text, Guid? messageId = null, string model = "")
    {
        var id = messageId ?? NewId();
        using var response = await PostAsync("/conversations", ("messageId", id.ToString()), ("text", text), ("model", model));
        if (response.StatusCode != HttpStatusCode.OK || LedTo(response) != $"/c/{id:D}")
            throw new InvalidOperationException($"{response.StatusCode}: {await response.Content.ReadAsStringAsync(Cancellation)}");
        ForgetToken();
        return id;
    }

    /// <summary>Where an answer leads: whoever is a guest by this request gets a page of their own, others a part of theirs.</summary>
    public static string? LedTo(HttpResponseMessage response) =>
        response.Headers.Where(h => h.Key is "HX-Push-Url" or "HX-Redirect").SelectMany(h => h.Value).SingleOrDefault();

    /// <summary>Makes an account; a guest keeps what they have.</summary>
    public async Task SignUpAsync(string email, string password = Password, string displayName = "Somebody")
    {
        ForgetToken();
        using var response = await PostAsync("/signup", ("displayName", displayName), ("email", email), ("password", password));
        EnsureRedirect(response);
    }

    /// <summary>Signs in.</summary>
    public async Task SignInAsync(string email, string password = Password)
    {
        ForgetToken();
        using var response = await PostAsync("/signin", ("email", email), ("password", password));
        EnsureRedirect(response);
    }

    /// <summary>Uploads a file and returns its id.</summary>
    public async Task<Guid> UploadAsync(byte[] content, string fileName)
    {
        using var form = new MultipartFormDataContent { { new ByteArrayContent(content), "file", fileName } };
        using var response = await PostAsync("/media/assets", form);
        response.EnsureSuccessStatusCode();
        return Guid.Parse(response.Headers.Location!.OriginalString.Split('/')[^1]);
    }

    /// <summary>Sends what no form sends, with the page's token.</summary>
    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, params (string Name, string Value)[] fields)
    {
        using var request = new HttpRequestMessage(method, path);
        if (method != HttpMethod.Get && method != HttpMethod.Head)
        {
            request.Content = new FormUrlEncodedContent(fields.Select(f => KeyValuePair.Create(f.Name, f.Value)));
            request.Headers.Add("X-CSRF-TOKEN", await TokenAsync());
        }

        return await _http.SendAsync(request, Cancellation);
    }

    /// <summary>Submits a form as htmx does.</summary>
    public Task<HttpResponseMessage> PostAsync(string path, params (string Name, string Value)[] fields) =>
        PostAsync(path, new FormUrlEncodedContent(fields.Select(f => KeyValuePair.Create(f.Name, f.Value))));

    /// <summary>Submits a form with pictures as htmx does.</summary>
    public async Task<HttpResponseMessage> PostAsync(
        string path, IEnumerable<(string FileName, byte[] Content)> pictures, params (string Name, string Value)[] fields)
    {
        using var form = new MultipartFormDataContent();
        foreach (var (name, value) in fields)
            form.Add(new StringContent(value), name);
        foreach (var (fileName, content) in pictures)
            form.Add(new ByteArrayContent(content), "pictures", fileName);
        return await PostAsync(path, form);
    }

    /// <summary>Sends a request as it is, with the browser's cookies.</summary>
    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request) => _http.SendAsync(request, Cancellation);

    /// <summary>Asks for a page, a fragment or whatever stands there.</summary>
    public Task<HttpResponseMessage> GetAsync(string path) => _http.GetAsync(new Uri(path, UriKind.Relative), Cancellation);

    /// <summary>The text that stands at an address.</summary>
    /// <exception cref="HttpRequestException">Nothing stands there, or nobody answers.</exception>
    public async Task<string> TextAsync(string path)
    {
        using var response = await GetAsync(path);
        if (!response.IsSuccessStatusCode)
            throw new HttpRequestException($"{path} answered {response.StatusCode}", inner: null, response.StatusCode);
        return await response.Content.ReadAsStringAsync(Cancellation);
    }

    /// <summary>The page or fragment that stands at an address.</summary>
    public async Task<IHtmlDocument> PageAsync(string path) => new HtmlParser().ParseDocument(await TextAsync(path));

    /// <summary>The JSON that stands at an address.</summary>
    public async Task<JsonElement> JsonAsync(string path)
    {
        using var document = JsonDocument.Parse(await TextAsync(path));
        return document.RootElement.Clone();
    }

    /// <summary>Loads the page anew before the next form: somebody else is signed in now.</summary>
    // A page that was rendered for nobody has nobody's token.
    public void ForgetToken() => _token = null;

    /// <summary>A token for the real-time handshake.</summary>
    public async Task<string> RealtimeTokenAsync()
    {
        using var response = await PostAsync("/realtime/token", content: null);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<JsonElement>(Cancellation)).GetProperty("token").GetString()!;
    }

    /// <summary>The conversation's page, once its last answer has ended.</summary>
    public async Task<IHtmlDocument> FinishedAsync(Guid conversationId)
    {
        IHtmlDocument? page = null;
        await Eventually.TrueAsync(
            async () =>
            {
                page = await PageAsync($"/c/{conversationId:D}");
                return page.QuerySelector("article:last-of-type") is { } last && last.GetAttribute("aria-busy") is null;
            },
            Limit);
        return page!;
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task<HttpResponseMessage> PostAsync(string path, HttpContent? content)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = content };
        request.Headers.Add("HX-Request", "true");
        request.Headers.Add("X-CSRF-TOKEN", await TokenAsync());
        return await _http.SendAsync(request, Cancellation);
    }

    private async Task<string> TokenAsync()
    {
        if (_token is not null)
            return _token;
        // Where guests are off, whoever is nobody gets the way in and no other page.
        using var home = await GetAsync("/");
        var page = await PageAsync(home.IsSuccessStatusCode ? "/" : "/signin");
        return _token = page.QuerySelector("meta[name=csrf-token]")!.GetAttribute("content")!;
    }

    private void EnsureRedirect(HttpResponseMessage response)
    {
        if (response.StatusCode != HttpStatusCode.OK || !response.Headers.Contains("HX-Redirect"))
            throw new InvalidOperationException($"{response.RequestMessage!.RequestUri} answered {response.StatusCode}");
        ForgetToken();
    }
}
