using System.Net;
using System.Net.Http.Json;
using AngleSharp;
using AngleSharp.Dom;

namespace SevenX42.Modules.Identity.Tests;

/// <summary>A browser without scripts: keeps cookies, sends forms as they are on the page, follows nothing by itself.</summary>
internal sealed class Browser : IDisposable
{
    private readonly HttpClient _client;

    public Browser(Uri address, string? scheme = null)
    {
        Cookies = new CookieContainer();
        _client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, CookieContainer = Cookies }) { BaseAddress = address };
        _client.DefaultRequestHeaders.Accept.ParseAdd("text/html");
        if (scheme is not null)
            _client.DefaultRequestHeaders.Add("X-Forwarded-Proto", scheme);
    }

    public CookieContainer Cookies { get; }

    public HttpClient Http => _client;

    public async Task<WhoIs> WhoAmIAsync() =>
        (await _client.GetFromJsonAsync<WhoIs>("/who", TestContext.Current.CancellationToken))!;

    public Task<HttpResponseMessage> GetAsync(string path) => _client.GetAsync(path, TestContext.Current.CancellationToken);

    public Task<HttpResponseMessage> PostAsync(string path, HttpContent? content = null) =>
        _client.PostAsync(path, content, TestContext.Current.CancellationToken);

    public void Dispose() => _client.Dispose();
}
