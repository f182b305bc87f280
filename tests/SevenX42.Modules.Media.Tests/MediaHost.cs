using System.Net.Http.Headers;
using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using SevenX42.Contracts.Generation;
using SevenX42.Http;
using SevenX42.Modules.Media.Features.Assets;
using SevenX42.Modules.Media.Infrastructure;
using SevenX42.Persistence;
using SevenX42.Testing;

[assembly: AssemblyFixture(typeof(PostgresServer))]

namespace SevenX42.Modules.Media.Tests;

/// <summary>
/// The module on a real Kestrel, a real database and real files. Who is signed in is said by a header: that is another
/// module's affair.
/// </summary>
internal sealed class MediaHost : IAsyncDisposable
{
    private readonly WebApplication _app;

    private MediaHost(WebApplication app, string directory) => (_app, Directory) = (app, directory);

    /// <summary>Where the files are.</summary>
    public string Directory { get; }

    public IServiceProvider Services => _app.Services;

    /// <summary>What Generation says.</summary>
    public Drawings Drawings => Services.GetRequiredService<Drawings>();

    public static async Task<MediaHost> StartAsync(PostgresServer postgres, params (string Key, string Value)[] settings)
    {
        var directory = Path.Combine(System.IO.Directory.CreateTempSubdirectory("7x42-media-").FullName, "media");
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.WebHost.UseKestrelCore();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["ConnectionStrings:Postgres"] = await postgres.CreateDatabaseAsync(),
            ["Media:Directory"] = directory,
        });
        // Of two values for a key the later one counts.
        foreach (var (key, value) in settings)
            builder.Configuration[key] = value;
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(new AppRoleContext(AppRole.All));
        builder.Services.AddSingleton<Drawings>();
        builder.Services.AddSingleton<IGenerationApi>(provider => provider.GetRequiredService<Drawings>());
        builder.Services.AddHttpBuildingBlocks();
        builder.Services.AddAuthorization();
        builder.Services.AddAuthentication(HeaderAuthentication.Name)
            .AddScheme<AuthenticationSchemeOptions, HeaderAuthentication>(HeaderAuthentication.Name, null);
        var module = new MediaModule();
        module.Add(builder.Services, builder.Configuration);
        var app = builder.Build();
        app.UseRouting();
        // What the antiforgery check of the real chain does to a form without the token's header.
        app.Use(async (http, next) =>
        {
            if (http.Request.HasFormContentType && http.Request.Headers.ContainsKey("X-Read-Form"))
                await http.Request.ReadFormAsync();
            await next(http);
        });
        app.UseAuthentication();
        app.UseAuthorization();
        module.Map(app);
        foreach (var database in app.Services.GetServices<IModuleDatabase>())
            await database.MigrateAsync(TestContext.Current.CancellationToken);
        await app.StartAsync();
        return new MediaHost(app, directory);
    }

    public HttpClient Anonymous() => new() { BaseAddress = new Uri(_app.Urls.Single()) };

    public HttpClient ClientOf(Guid user)
    {
        var client = Anonymous();
        client.DefaultRequestHeaders.Add(HeaderAuthentication.Name, user.ToString());
        return client;
    }

    /// <summary>Does something with the database that the module itself offers nobody.</summary>
    public async Task<T> QueryAsync<T>(Func<MediaDbContext, Task<T>> query)
    {
        await using var scope = Services.CreateAsyncScope();
        return await query(scope.ServiceProvider.GetRequiredService<MediaDbContext>());
    }

    /// <summary>Purges what was deleted, as if its time to be restored were over.</summary>
    public async Task PurgeAsync()
    {
        await using var scope = Services.CreateAsyncScope();
        await AssetPurge.PurgeAsync(
            scope.ServiceProvider, TimeProvider.System.GetUtcNow() + AssetPurge.Grace + TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken);
    }

    /// <summary>Lets go of what was kept and not confirmed, and purges what was deleted, as if it were that late.</summary>
    public async Task SweepAsync(TimeSpan later)
    {
        await using var scope = Services.CreateAsyncScope();
        var now = TimeProvider.System.GetUtcNow() + later;
        await AssetPurge.LetGoAsync(scope.ServiceProvider, now, TestContext.Current.CancellationToken);
        await AssetPurge.PurgeAsync(scope.ServiceProvider, now + AssetPurge.Grace + TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken);
    }

    /// <summary>Delivers an event as the outbox of the module does that raised it.</summary>
    public async Task DeliverAsync<THandler, TEvent>(TEvent integrationEvent)
        where THandler : IIntegrationEventHandler<TEvent>
        where TEvent : IIntegrationEvent
    {
        await using var scope = Services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<THandler>().HandleAsync(integrationEvent, TestContext.Current.CancellationToken);
    }

    public Task<int> CountAssetsAsync() => QueryAsync(context => context.Assets.CountAsync());

    public Task<long> BytesOfAsync(Guid user) =>
        QueryAsync(context => context.Set<Domain.Owner>().Where(o => o.Id == user).Select(o => o.Bytes).SingleOrDefaultAsync());

    /// <summary>All files, whole and half ones, by their path in the media directory.</summary>
    public IReadOnlyList<string> Files() => System.IO.Directory.Exists(Directory)
        ? [.. System.IO.Directory.EnumerateFiles(Directory, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(Directory, f)).Order()]
        : [];

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        System.IO.Directory.Delete(Path.GetDirectoryName(Directory)!, recursive: true);
    }
}

/// <summary>Who is signed in, as a header says.</summary>
internal sealed class HeaderAuthentication(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    public const string Name = "X-Test-User";

    public static ClaimsPrincipal Principal(string user) => new(new ClaimsIdentity([new Claim(UserClaims.UserId, user)], Name));

    protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(
        Request.Headers[Name].ToString() is { Length: > 0 } user
            ? AuthenticateResult.Success(new AuthenticationTicket(Principal(user), Name))
            : AuthenticateResult.NoResult());
}

/// <summary>Stands in for Generation: knows of the drawings that a test tells it of.</summary>
internal sealed class Drawings : IGenerationApi
{
    private static readonly Dictionary<Guid, IReadOnlyList<Guid>> None = [];

    /// <summary>The pictures that the ends of those drawings name.</summary>
    public Func<IReadOnlyCollection<Guid>, IReadOnlyDictionary<Guid, IReadOnlyList<Guid>>> Ended { get; set; } = _ => None;

    public Task<IReadOnlyDictionary<Guid, IReadOnlyList<Guid>>> GetEndedDrawingsAsync(
        IReadOnlyCollection<Guid> generationIds, CancellationToken cancellationToken) => Task.FromResult(Ended(generationIds));

    // Whatever else it may be asked is no affair of this module.
    public ValueTask<IReadOnlyList<ModelInfo>> GetModelsAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<IReadOnlyList<ImageModelInfo>> GetImageModelsAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<Result> CheckImageAsync(string model, string prompt, ImageOptions options, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public ValueTask<IReadOnlyList<ProviderInfo>> GetProvidersAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<bool> CancelAsync(Guid generationId, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<IReadOnlyDictionary<Guid, GenerationCheckpoint>> GetCheckpointsAsync(
        IReadOnlyCollection<Guid> generationIds, CancellationToken cancellationToken) => throw new NotSupportedException();
}

/// <summary>Uploads as a browser makes them.</summary>
internal static class Uploads
{
    public static Task<HttpResponseMessage> UploadAsync(this HttpClient client, byte[] content, string fileName = "picture.png", string claimedType = "image/png")
    {
        var file = new ByteArrayContent(content);
        file.Headers.ContentType = MediaTypeHeaderValue.Parse(claimedType);
        return client.PostAsync("/media/assets", new MultipartFormDataContent { { file, "file", fileName } }, TestContext.Current.CancellationToken);
    }

    /// <summary>A text that no other test has.</summary>
    public static byte[] NewText(int bytes = 100)
    {
        var content = new byte[bytes];
        for (var i = 0; i < bytes; i++)
            content[i] = (byte)Random.Shared.Next('a', 'z' + 1);
        return content;
    }
}
