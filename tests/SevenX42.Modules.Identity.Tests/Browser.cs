using System.Net;
using System.Net.Http.Json;
using AngleSharp.Dom;
using AngleSharp.Html.Dom;
using AngleSharp.Html.Parser;

namespace SevenX42.Modules.Identity.Tests;

/// <summary>A browser without scripts: keeps cookies, sends forms as they are on the page, follows nothing by itself.</summary>
internal sealed class Browser : IDisposable
{
    public const string Password = "seven little words suffice";

    public const string UserAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

    public Browser(Uri address)
    {
        Http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, CookieContainer = Cookies }) { BaseAddress = address };
        Http.DefaultRequestHeaders.Accept.ParseAdd("text/html");
        Http.DefaultRequestHeaders.UserAgent.ParseAdd(UserAgent);
    }

    public CookieContainer Cookies { get; } = new();

    public HttpClient Http { get; }

    public Cookie? SessionCookie => Cookies.GetAllCookies().SingleOrDefault(c => c.Name == "7x42-session");

    public async Task<WhoIs> WhoAmIAsync() => (await Http.GetFromJsonAsync<WhoIs>("/who", TestContext.Current.CancellationToken))!;

    public Task<HttpResponseMessage> GetAsync(string path) => Http.GetAsync(path, TestContext.Current.CancellationToken);

    public Task<HttpResponseMessage> PostAsync(string path, HttpContent? content = null) =>
        Http.PostAsync(path, content, TestContext.Current.CancellationToken);

    /// <summary>Becomes a guest, as by a first message.</summary>
    public async Task<WhoIs> BecomeGuestAsync()
    {
        (await PostAsync("/things")).EnsureSuccessStatusCode();
        return await WhoAmIAsync();
    }

    /// <summary>Opens a page and sends one of its forms.</summary>
    /// <param name="page">Where the form is.</param>
    /// <param name="action">Where the form goes to.</param>
    /// <param name="htmx">Whether htmx sends it.</param>
    /// <param name="fields">What is typed; everything else is sent as it stands there.</param>
    public async Task<HttpResponseMessage> SubmitAsync(string page, string action, bool htmx, params (string Name, string Value)[] fields)
    {
        using var shown = await GetAsync(page);
        var document = await ReadAsync(shown);
        var form = document.Forms.SingleOrDefault(f => f.GetAttribute("action") == action);
        Assert.True(form is not null, $"{page} answered {shown.StatusCode} without a form to {action}: {document.DocumentElement.OuterHtml}");
        var values = form.QuerySelectorAll<IHtmlInputElement>("input[name]").ToDictionary(i => i.Name!, i => i.Value);
        foreach (var (name, value) in fields)
            values[name] = value;
        using var request = new HttpRequestMessage(HttpMethod.Post, action) { Content = new FormUrlEncodedContent(values) };
        if (htmx)
            request.Headers.Add("HX-Request", "true");
        return await Http.SendAsync(request, TestContext.Current.CancellationToken);
    }

    public Task<HttpResponseMessage> SubmitAsync(string page, string action, params (string Name, string Value)[] fields) =>
        SubmitAsync(page, action, htmx: false, fields);

    public async Task<WhoIs> SignUpAsync(string email, string password = Password, string displayName = "Somebody")
    {
        var response = await SubmitAsync("/signup", "/signup", ("displayName", displayName), ("email", email), ("password", password));
        Assert.Equal(HttpStatusCode.SeeOther, response.StatusCode);
        return await WhoAmIAsync();
    }

    public Task<HttpResponseMessage> SignInAsync(string email, string password = Password, string page = "/signin") =>
        SubmitAsync(page, "/signin", ("email", email), ("password", password));

    public static async Task<IHtmlDocument> ReadAsync(HttpResponseMessage response)
    {
        var html = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return await new HtmlParser().ParseDocumentAsync(html, TestContext.Current.CancellationToken);
    }

    public void Dispose() => Http.Dispose();
}
