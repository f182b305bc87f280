using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using SevenX42.Contracts.Chat;
using SevenX42.Contracts.Generation;
using SevenX42.Contracts.Media;
using SevenX42.Modules.Generation.Integration;
using SevenX42.Testing;

namespace SevenX42.Modules.Generation.Tests;

/// <summary>What a model is shown of the pictures that people send; with the real Media behind it.</summary>
public sealed class SeeingTests(PostgresServer postgres) : IAsyncLifetime
{
    private readonly DirectoryInfo _pictures = Directory.CreateTempSubdirectory("7x42-shown-");
    private readonly Guid _user = GenerationHost.NewId();
    private readonly Guid _conversation = GenerationHost.NewId();
    private string _database = "";
    private ScriptedProvider _server = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _database = await postgres.CreateDatabaseAsync();
        _server = await ScriptedProvider.StartAsync();
        _server.Script("m", Script.Answer("I see."));
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _pictures.Delete(recursive: true);
    }

    [Fact]
    public async Task Pictures_go_to_the_server_small_where_they_were_said_and_what_is_gone_is_named()
    {
        await using var host = await StartAsync();
        var large = await StoreAsync(host, Photo.Png(3000, 1500));
        var small = await StoreAsync(host, Photo.Png(40, 30));
        var request = Request(
            ["system", "user", "assistant", "user", "user"],
            ["Be kind.", "What is this?", "A picture.", "", "And this?"],
            [[], [large, small], [], [GenerationHost.NewId()], []]);
        await DeliverAsync(host, request);
        Assert.Equal("I see.", (await host.FinishAsync(request.GenerationId)).Text);

        var asked = _server.Requests.Single();
        Assert.Equal(
            [("system", "Be kind."), ("user", "What is this?"), ("assistant", "A picture."), ("user", "(A picture that was deleted.)"), ("user", "And this?")],
            asked.Messages);
        Assert.Equal([0, 2, 0, 0, 0], asked.Pictures.Select(p => p.Count));
        var first = asked.Json.GetProperty("messages")[1].GetProperty("content");
        Assert.Equal(["text", "image_url", "image_url"], first.EnumerateArray().Select(p => p.GetProperty("type").GetString()));
        Assert.Equal([(1024, 512), (40, 30)], asked.Pictures[1].Select(SizeOf));
    }

    [Fact]
    public async Task Somebody_elses_picture_is_shown_to_no_model_of_ones_own()
    {
        await using var host = await StartAsync();
        var theirs = await StoreAsync(host, Photo.Png(), GenerationHost.NewId());
        var request = Request(["user"], ["Look"], [[theirs]]);
        await DeliverAsync(host, request);
        await host.FinishAsync(request.GenerationId);
        Assert.Empty(_server.Requests.Single().Pictures[0]);
    }

    [Fact]
    public async Task A_job_with_pictures_waits_for_a_worker_that_can_show_them()
    {
        await using var host = await StartAsync();
        var request = Request(["user"], ["Look"], [[await StoreAsync(host, Photo.Png())]]);
        await DeliverAsync(host, request);
        await DeliverAsync(host, request with { EventId = GenerationHost.NewId() });
        await host.FinishAsync(request.GenerationId);
        // What a worker of a version before pictures looks at, and what one of this version does.
        await using var connection = new NpgsqlConnection(_database);
        await connection.OpenAsync(Cancelled);
        await using var command = new NpgsqlCommand(
            "SELECT count(*) FROM generation.jobs WHERE not_before = 'infinity' AND pictures_not_before <= now() AND image IS NULL", connection);
        Assert.Equal(1L, await command.ExecuteScalarAsync(Cancelled));
        Assert.Single(_server.Requests);
    }

    private static (int Width, int Height) SizeOf(string url)
    {
        const string prefix = "data:image/jpeg;base64,";
        Assert.StartsWith(prefix, url, StringComparison.Ordinal);
        using var image = NetVips.Image.NewFromBuffer(Convert.FromBase64String(url[prefix.Length..]));
        return (image.Width, image.Height);
    }

    private static async Task DeliverAsync(GenerationHost host, AnswerToPicturesRequested request)
    {
        await using var scope = host.Services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<AnswerToPicturesRequestedHandler>().HandleAsync(request, Cancelled);
    }

    private async Task<Guid> StoreAsync(GenerationHost host, byte[] picture, Guid? owner = null)
    {
        await using var scope = host.Services.CreateAsyncScope();
        var media = scope.ServiceProvider.GetRequiredService<IMediaApi>();
        using var content = new MemoryStream(picture);
        var id = (await media.HoldAsync(owner ?? _user, content, new SentImage(GenerationHost.NewId(), 0, "photo.png"), Cancelled)).Value;
        Assert.True((await media.KeepAsync(owner ?? _user, [id], _conversation, Cancelled)).IsSuccess);
        return id;
    }

    private AnswerToPicturesRequested Request(string[] roles, string[] contents, Guid[][] pictures) => new(
        GenerationHost.NewId(), GenerationHost.NewId(), GenerationHost.NewId(), _conversation, _user, $"conversation/{_conversation}", "2", "scripted/m",
        roles, contents, pictures, Prefix: "");

    private Task<GenerationHost> StartAsync() =>
        GenerationHost.StartAsync(_database, GenerationHost.Settings(_server, ("Models:0", "m")), pictures: _pictures.FullName);
}
