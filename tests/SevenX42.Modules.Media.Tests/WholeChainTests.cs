using System.Net;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using SevenX42.Modules.Media.Infrastructure;
using SevenX42.Testing;

namespace SevenX42.Modules.Media.Tests;

/// <summary>Uploads through the real Host: its antiforgery check, its headers, its limits. Only who is signed in is given.</summary>
public sealed class WholeChainTests(PostgresServer postgres)
{
    private static readonly string Ann = "0197aaaa-0000-7000-8000-000000000001";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_file_goes_through_the_real_chain_and_keeps_its_own_policy()
    {
        await using var host = await StartAsync();
        using var client = SignedIn(host, Tokens(host));
        var content = Uploads.NewText(200_000);
        var response = await client.UploadAsync(content);
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        using var served = await client.GetAsync(response.Headers.Location, Cancellation);
        Assert.Equal(content, await served.Content.ReadAsByteArrayAsync(Cancellation));
        Assert.Equal("default-src 'none'; sandbox", served.Headers.GetValues("Content-Security-Policy").Single());
        Assert.Equal("nosniff", served.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.Equal(HttpStatusCode.NoContent, (await client.DeleteAsync(response.Headers.Location, Cancellation)).StatusCode);
    }

    [Fact]
    public async Task A_form_without_scripts_uploads_with_its_token_in_a_field()
    {
        await using var host = await StartAsync();
        var tokens = Tokens(host);
        using var client = SignedIn(host, tokens);
        client.DefaultRequestHeaders.Remove(tokens.HeaderName!);
        var content = Uploads.NewText(200_000);
        using var form = new MultipartFormDataContent
        {
            { new StringContent(tokens.RequestToken!), tokens.FormFieldName },
            { new ByteArrayContent(content), "file", "picture.png" },
        };
        var response = await client.PostAsync("/media/assets", form, Cancellation);
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal(content, await client.GetByteArrayAsync(response.Headers.Location, Cancellation));
    }

    [Fact]
    public async Task Nothing_is_stored_or_deleted_without_the_antiforgery_token()
    {
        await using var host = await StartAsync();
        using var trusted = SignedIn(host, Tokens(host));
        var path = (await trusted.UploadAsync(Uploads.NewText())).Headers.Location;
        using var forged = SignedIn(host, Tokens(host));
        forged.DefaultRequestHeaders.Remove(Tokens(host).HeaderName!);
        Assert.Equal("antiforgery", await UploadAssetTests.RefusedAsync(forged.UploadAsync(Uploads.NewText())));
        Assert.Equal("antiforgery", await UploadAssetTests.RefusedAsync(forged.DeleteAsync(path, Cancellation)));
        Assert.Equal("antiforgery", await UploadAssetTests.RefusedAsync(forged.PostAsync(path + "/delete", null, Cancellation)));
        await using var scope = host.Services.CreateAsyncScope();
        Assert.Equal(1, await scope.ServiceProvider.GetRequiredService<MediaDbContext>().Assets.CountAsync(Cancellation));
    }

    [Fact]
    public async Task A_file_that_announces_to_be_too_large_is_refused_with_a_sentence()
    {
        await using var host = await StartAsync();
        using var client = SignedIn(host, Tokens(host));
        Assert.Equal("too_large", await UploadAssetTests.RefusedAsync(client.UploadAsync(Uploads.NewText(2_000_000))));
    }

    private async Task<AppHost> StartAsync() => await StartAsync(await postgres.CreateDatabaseAsync());

    private static HttpClient SignedIn(AppHost host, AntiforgeryTokenSet tokens) => SignedIn(host, Ann, tokens);

    private static AntiforgeryTokenSet Tokens(AppHost host) => Tokens(host, Ann);

    /// <summary>The real Host, in which a header says who is signed in.</summary>
    internal static Task<AppHost> StartAsync(string database) => AppHost.StartAsync(
        database,
        [new("Media:MaxAssetBytes", "1000000")],
        services =>
        {
            services.AddTransient<HeaderAuthentication>();
            services.PostConfigure<AuthenticationOptions>(options =>
            {
                options.AddScheme<HeaderAuthentication>(HeaderAuthentication.Name, null);
                options.DefaultScheme = options.DefaultAuthenticateScheme = options.DefaultChallengeScheme = HeaderAuthentication.Name;
            });
        });

    /// <summary>A browser of somebody who is signed in, with the tokens that their pages would give it; it follows no redirects.</summary>
    internal static HttpClient SignedIn(AppHost host, string user, AntiforgeryTokenSet tokens)
    {
        var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { BaseAddress = host.Address };
        client.DefaultRequestHeaders.Add(HeaderAuthentication.Name, user);
        client.DefaultRequestHeaders.Add("Cookie", $"{host.Services.GetRequiredService<IOptions<AntiforgeryOptions>>().Value.Cookie.Name}={tokens.CookieToken}");
        client.DefaultRequestHeaders.Add(tokens.HeaderName!, tokens.RequestToken);
        return client;
    }

    internal static AntiforgeryTokenSet Tokens(AppHost host, string user) => host.Services.GetRequiredService<IAntiforgery>()
        .GetTokens(new DefaultHttpContext { RequestServices = host.Services, User = HeaderAuthentication.Principal(user) });
}
