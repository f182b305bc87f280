using System.Diagnostics;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;
using SevenX42.Contracts.Chat;
using SevenX42.Contracts.Generation;
using SevenX42.Contracts.Media;
using SevenX42.Modules.Generation.Infrastructure.Images;
using SevenX42.Modules.Generation.Infrastructure.Jobs;
using SevenX42.Modules.Generation.Infrastructure.Providers;
using SevenX42.Modules.Generation.Infrastructure.Work;
using SevenX42.Realtime;
using SevenX42.Testing;
using SevenX42.Testing.ImageServers;

namespace SevenX42.Modules.Generation.Tests.Images;

/// <summary>Pictures as jobs: queued, claimed, told of, stored, stopped, taken over; with the real Media behind them.</summary>
public sealed class ImageJobTests(PostgresServer postgres) : IAsyncLifetime
{
    private const string Demo = "demo-images/demo";

    private static readonly (string, string)[] ShortLease =
        [("Generation:Lease", "00:00:02"), ("Generation:Heartbeat", "00:00:00.5"), ("Generation:CheckpointInterval", "00:00:00.1")];

    private readonly DirectoryInfo _pictures = Directory.CreateTempSubdirectory("7x42-pictures-");
    private string _database = "";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _database = await postgres.CreateDatabaseAsync();

    public ValueTask DisposeAsync()
    {
        _pictures.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Pictures_are_drawn_in_steps_that_are_told_on_both_channels_and_stored_for_who_asked()
    {
        await using var host = await StartAsync(settings: ("Generation:DemoStepsPerSecond", "100"));
        var request = await host.DeliverAsync(Request(count: 2, seed: 7, steps: 30));
        var finished = await host.FinishAsync(request.GenerationId);

        Assert.Equal((GenerationStatus.Completed, "image", "", 7L), (finished.Status, finished.Purpose, finished.Text, finished.Seed));
        var found = await MediaOf(host).FindAsync(request.UserId, finished.Pictures!, Cancelled);
        Assert.Equal([(768, 512), (768, 512)], found.Select(f => (f.Picture!.Width, f.Picture.Height)));
        Assert.Equal(2, found.DistinctBy(f => f.ContentHash).Count());
        foreach (var channel in (string[])[request.Channel, $"image/{request.GenerationId}"])
        {
            var events = await UntilDoneAsync(host, channel);
            Assert.Equal(GenerationEvents.Queued, events[0].Type);
            var told = Progress(events);
            Assert.All(told.Skip(1).Zip(told), pair => Assert.True(pair.First.Step >= pair.Second.Step));
            Assert.Equal((2, 2, 60, 60), (told[^1].Count, told[^1].Done, told[^1].Step, told[^1].Steps));
            Assert.Contains(told, p => p.Preview.StartsWith($"/images/{request.GenerationId}/preview?v=1-", StringComparison.Ordinal));
            Assert.DoesNotContain(events, e => e.Data.Length > 1_000);
        }
    }

    [Fact]
    public async Task Whoever_asks_without_a_seed_gets_one_that_the_job_keeps_however_often_it_is_delivered()
    {
        await using var host = await StartAsync(settings: ("Generation:DemoStepsPerSecond", "1"));
        var request = await host.DeliverAsync(Request(steps: 50));
        var first = await host.UntilJobAsync(request.GenerationId, j => j.Image is not null, "it is queued");
        await host.DeliverAsync(request with { EventId = GenerationHost.NewId() });
        Assert.Equal(first.Image, (await host.FindJobAsync(request.GenerationId))!.Image);
        Assert.True(JsonDocument.Parse(first.Image!).RootElement.GetProperty("Seed").GetInt64() > 0);
    }

    [Fact]
    public async Task Stopping_at_step_5_interrupts_the_server_within_a_second_and_stores_nothing()
    {
        await using var server = await WebUIServer.StartAsync();
        await using var host = await StartAsync(server, "WebUI");
        server.Allow(5);
        var request = await host.DeliverAsync(Request("painter/v1-5-pruned-emaonly.safetensors [6ce0161689]", steps: 20));
        await UntilAsync(host, request, p => p is { Step: 5, Steps: 20 });
        var asked = server.UntilAskedAsync("POST /sdapi/v1/interrupt", TimeSpan.FromSeconds(1));
        await host.Api.CancelAsync(request.GenerationId, Cancelled);
        await asked;
        var finished = await host.FinishAsync(request.GenerationId);
        Assert.Equal(GenerationStatus.Stopped, finished.Status);
        Assert.Empty(finished.Pictures!);
        Assert.True(server.IsInterrupted);
        Assert.Empty(Files());
    }

    [Fact]
    public async Task A_worker_that_takes_over_draws_only_what_is_missing_and_nothing_twice()
    {
        await using var server = await ComfyUIServer.StartAsync();
        var log = WorkerFaultTests.SharedLog();
        await using var network = new Frozen(_database);
        var model = "painter/v1-5-pruned-emaonly.safetensors";
        var request = Request(model, count: 3, seed: 100, steps: 4);
        await using var dead = await StartAsync(server, "ComfyUI", network.ConnectionString, network.Wrap(log), ShortLease);
        server.Allow(4 + 2);
        await dead.DeliverAsync(request);
        var stored = await dead.UntilJobAsync(request.GenerationId, j => j.Drawn?.Contains("AssetId", StringComparison.Ordinal) == true, "a picture is stored");
        network.Freeze();

        await using var heir = await StartAsync(server, "ComfyUI", _database, log, ShortLease);
        await heir.UntilJobAsync(request.GenerationId, j => j.Attempt == 2, "it is taken over");
        server.Allow(100);
        var finished = await heir.FinishAsync(request.GenerationId);
        network.Thaw();

        Assert.Equal((GenerationStatus.Completed, 100L), (finished.Status, finished.Seed));
        Assert.Equal(3, finished.Pictures!.Distinct().Count());
        Assert.Contains(finished.Pictures![0].ToString(), stored.Drawn, StringComparison.Ordinal);
        Assert.Equal(3, (await MediaOf(heir).FindAsync(request.UserId, finished.Pictures!, Cancelled)).Count);
        var seeds = server.Bodies.Where(b => b.TryGetProperty("prompt", out _))
            .Select(b => b.GetProperty("prompt").GetProperty("3").GetProperty("inputs").GetProperty("seed").GetInt64());
        Assert.Equal(1, seeds.Count(s => s == 100));
        Assert.Equal(1, seeds.Count(s => s == 102));
        var last = Progress(await UntilDoneAsync(heir, request.Channel))[^1];
        Assert.Equal((3, 12, 12), (last.Done, last.Step, last.Steps));
    }

    /// <param name="unrecorded">How many of the two pictures the worker could not say that they are stored.</param>
    /// <param name="missing">How many of these are not.</param>
    /// <param name="hasModel">Whether the model is still there.</param>
    [Theory]
    [InlineData(0, 0, false)]
    [InlineData(1, 1, true)]
    [InlineData(2, 0, false)]
    public async Task What_was_drawn_when_its_worker_died_is_complete_though_its_model_or_its_seeds_may_be_gone(int unrecorded, int missing, bool hasModel)
    {
        Guid id;
        IReadOnlyList<Guid> drawn;
        await using (var first = await StartAsync(settings: ("Generation:DemoStepsPerSecond", "500")))
        {
            id = (await first.DeliverAsync(Request(count: 2, seed: uint.MaxValue, steps: 1))).GenerationId;
            drawn = (await first.FinishAsync(id)).Pictures!;
            await ForgetEndAsync();
        }

        // What a worker leaves that is killed after a picture.
        await ScalarAsync<Guid>($"""
            WITH missing AS (DELETE FROM media.assets WHERE job_index >= {2 - missing})
            UPDATE generation.jobs SET status = 'running', worker_id = 'dead', lease_until = now() - interval '1 second', finished_at = NULL,
                roles = ARRAY['user'], contents = ARRAY['a boat'],
                drawn = jsonb_set(drawn, ARRAY['Pictures'], jsonb_path_query_array(drawn, '$.Pictures[0 to {1 - unrecorded}]'))
            RETURNING id
            """);
        await using var heir = await StartAsync(
            settings:
            [
                ("Generation:Demo", hasModel ? "true" : "false"),
                ("Generation:DemoStepsPerSecond", "500"),
                ("Generation:Discovery", "true"),
                ("Generation:DiscoveryTargets:0", "nobody=http://127.0.0.1:9"),
            ]);
        var finished = await heir.FinishAsync(id);
        Assert.Equal((GenerationStatus.Completed, ""), (finished.Status, finished.ErrorCode));
        Assert.Equal(drawn.SkipLast(missing), finished.Pictures!.SkipLast(missing));
        Assert.Equal(2, finished.Pictures!.Distinct().Count());
        Assert.Equal(2L, await ScalarAsync<long>("SELECT count(*) FROM media.assets"));
    }

    [Fact]
    public async Task A_picture_that_its_worker_could_not_record_is_gone_when_the_job_is_stopped_before_another_takes_it_over()
    {
        await using var host = await StartAsync(settings: ("Generation:DemoStepsPerSecond", "500"));
        var request = await host.DeliverAsync(Request(steps: 1));
        Assert.Single((await host.FinishAsync(request.GenerationId)).Pictures!);
        await ForgetEndAsync();
        await ScalarAsync<Guid>("""
            UPDATE generation.jobs SET status = 'queued', crashes = 1, finished_at = NULL, drawn = NULL, pictures_not_before = now() + interval '1 hour'
            RETURNING id
            """);
        await host.Api.CancelAsync(request.GenerationId, Cancelled);
        var stopped = await GenerationHost.EventuallyAsync(() => Task.FromResult(host.Finished.ElementAtOrDefault(1)), "it is stopped");
        Assert.Equal(GenerationStatus.Stopped, stopped.Status);
        Assert.Empty(stopped.Pictures!);
        await Eventually.TrueAsync(() => Files().Length == 0);
        Assert.Equal((0L, 0L), (await ScalarAsync<long>("SELECT count(*) FROM media.assets"), await ScalarAsync<long>("SELECT bytes FROM media.owners")));
    }

    [Fact]
    public async Task A_server_that_is_busy_before_the_second_picture_is_asked_for_it_again()
    {
        await using var server = await ComfyUIServer.StartAsync();
        await using var host = await StartAsync(server, "ComfyUI", settings: ("Generation:Providers:0:RetryDelay", "00:00:00.1"));
        var request = await host.DeliverAsync(Request("painter/v1-5-pruned-emaonly.safetensors", count: 2, seed: 1, steps: 4));
        server.Allow(3);
        await UntilAsync(host, request, p => p.Step == 3);
        server.Refusal = (503, "application/json", """{"error":"Busy"}""");
        server.Allow(1);
        await server.UntilAskedAsync("POST /prompt", TimeSpan.FromSeconds(20), count: 2);
        server.Refusal = null;
        server.Allow(4);
        var finished = await host.FinishAsync(request.GenerationId);
        Assert.Equal((GenerationStatus.Completed, 2), (finished.Status, finished.Pictures!.Count));
    }

    [Fact]
    public async Task A_picture_that_is_being_stored_when_it_is_stopped_is_kept_and_in_the_answer()
    {
        await using var host = await StartAsync(settings: ("Generation:DemoStepsPerSecond", "500"));
        await using var connection = new NpgsqlConnection(_database);
        await connection.OpenAsync(Cancelled);
        await using var transaction = await connection.BeginTransactionAsync(Cancelled);
        await using (var hold = new NpgsqlCommand("LOCK TABLE media.assets", connection, transaction))
            await hold.ExecuteNonQueryAsync(Cancelled);
        var request = await host.DeliverAsync(Request(count: 2, steps: 1));
        await GenerationHost.EventuallyAsync<object>(
            async () => await ScalarAsync<long>(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") > 0 ? true : null,
            "the picture is being stored");
        await host.Api.CancelAsync(request.GenerationId, Cancelled);
        await transaction.CommitAsync(Cancelled);
        var finished = await host.FinishAsync(request.GenerationId);
        Assert.Equal(GenerationStatus.Stopped, finished.Status);
        Assert.Single(finished.Pictures!);
        Assert.Equal(1L, await ScalarAsync<long>("SELECT count(*) FROM media.assets"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_picture_waits_for_a_store_that_is_away_but_not_for_ever(bool comesBack)
    {
        using var lines = new LogLines();
        var clock = new ForwardClock();
        await using var host = await GenerationHost.StartAsync(
            _database,
            [new("Generation:DemoStepsPerSecond", "500")],
            services: services => services.AddSingleton<ILoggerProvider>(lines).AddSingleton<TimeProvider>(clock),
            pictures: _pictures.FullName);
        _pictures.Delete(recursive: true);
        await File.WriteAllTextAsync(_pictures.FullName, "not a directory", Cancelled);
        var request = await host.DeliverAsync(Request(steps: 1));
        await GenerationHost.EventuallyAsync<object>(
            () => Task.FromResult<object?>(lines.All.Any(l => l.Text.Contains("can't be stored now", StringComparison.Ordinal)) ? true : null),
            "the store is found to be away");
        if (comesBack)
            ComeBack();
        else
            clock.Forward(TimeSpan.FromMinutes(3));
        var finished = await host.FinishAsync(request.GenerationId);
        if (!comesBack)
            ComeBack();
        Assert.Equal(comesBack ? (GenerationStatus.Completed, 1) : (GenerationStatus.Failed, 0), (finished.Status, finished.Pictures!.Count));
        Assert.Equal(
            comesBack ? "" : "The picture could not be kept: The server can't store files right now. Nothing of this file was kept; try again later.",
            finished.ErrorMessage);
        Assert.Equal(comesBack ? 1L : 0L, await ScalarAsync<long>("SELECT count(*) FROM media.assets"));

        void ComeBack()
        {
            File.Delete(_pictures.FullName);
            _pictures.Create();
        }
    }

    [Fact]
    public async Task A_worker_that_slept_beyond_its_lease_stores_nothing_of_what_is_anothers()
    {
        await using var server = await ComfyUIServer.StartAsync();
        await using var host = await StartAsync(server, "ComfyUI", settings: ("Generation:CheckpointInterval", "00:10:00"));
        var request = await host.DeliverAsync(Request("painter/v1-5-pruned-emaonly.safetensors", steps: 4));
        server.Allow(3);
        await UntilAsync(host, request, p => p.Step == 3);
        await ScalarAsync<int>("UPDATE generation.jobs SET attempt = attempt + 1, lease_until = now() + interval '1 hour' RETURNING attempt");
        server.Allow(1);
        await GenerationHost.EventuallyAsync<object>(
            () => Task.FromResult<object?>(host.Services.GetRequiredService<RunningGenerations>().Count == 0 ? true : null), "it is left");
        Assert.Equal(0L, await ScalarAsync<long>("SELECT count(*) FROM media.assets"));
    }

    [Fact]
    public async Task What_the_end_of_a_drawing_names_is_remembered_with_the_job_and_nothing_of_one_that_goes_on()
    {
        await using var host = await StartAsync(settings: ("Generation:DemoStepsPerSecond", "500"));
        var request = await host.DeliverAsync(Request(count: 2, steps: 1));
        var finished = await host.FinishAsync(request.GenerationId);
        var goesOn = await host.DeliverAsync(Request(steps: 1) with { Model = "gone/model" });
        await host.UntilJobAsync(goesOn.GenerationId, j => j.FinishedAt is not null, "it has failed");
        await ScalarAsync<int>($"UPDATE generation.jobs SET finished_at = NULL, status = 'running', lease_until = now() + interval '1 hour' WHERE id = '{goesOn.GenerationId}' RETURNING attempt");
        await host.Services.GetRequiredService<JobStore>().SweepAsync(TimeSpan.Zero, TimeSpan.FromDays(30), 100, Cancelled);

        var ended = await host.Api.GetEndedDrawingsAsync([request.GenerationId, goesOn.GenerationId, GenerationHost.NewId()], Cancelled);
        Assert.Equal([request.GenerationId], ended.Keys);
        Assert.Equal(finished.Pictures, ended[request.GenerationId]);
        Assert.Equal(2, finished.Pictures!.Count);
    }

    [Fact]
    public async Task A_drawing_that_was_stopped_in_the_queue_is_remembered_as_one_that_names_no_pictures()
    {
        await using var host = await StartAsync(settings: [("Generation:MaxConcurrent", "1"), ("Generation:DemoStepsPerSecond", "1")]);
        var drawn = await host.DeliverAsync(Request(steps: 50));
        await host.UntilJobAsync(drawn.GenerationId, j => j.Attempt == 1, "it is drawn");
        // As a worker leaves it that died before it could say which pictures there are.
        var queued = await host.DeliverAsync(Request(steps: 50));
        await host.Api.CancelAsync(queued.GenerationId, Cancelled);
        Assert.Empty((await host.FinishAsync(queued.GenerationId)).Pictures!);
        await host.Services.GetRequiredService<JobStore>().SweepAsync(TimeSpan.Zero, TimeSpan.FromDays(30), 100, Cancelled);
        Assert.Null((await host.FindJobAsync(queued.GenerationId))!.Text);

        var ended = await host.Api.GetEndedDrawingsAsync([drawn.GenerationId, queued.GenerationId], Cancelled);
        Assert.Equal([queued.GenerationId], ended.Keys);
        Assert.Empty(ended[queued.GenerationId]);
    }

    [Fact]
    public async Task An_end_that_can_not_be_read_hides_no_other()
    {
        await using var host = await StartAsync(settings: ("Generation:DemoStepsPerSecond", "500"));
        List<Guid> newer = [];
        foreach (var drawn in (string[])["""{"Pictures":"elsewhere"}""", """{"Images":[]}""", """{"Pictures":[null]}""", """{"Pictures":[{"Id":"0198f0a0-0000-7000-8000-000000000001"}]}"""])
        {
            newer.Add((await host.DeliverAsync(Request(steps: 1))).GenerationId);
            await host.FinishAsync(newer[^1]);
            await ScalarAsync<int>($"UPDATE generation.jobs SET drawn = '{drawn}' WHERE id = '{newer[^1]}' RETURNING attempt");
        }

        var known = await host.DeliverAsync(Request(steps: 1));
        var finished = await host.FinishAsync(known.GenerationId);

        var ended = await host.Api.GetEndedDrawingsAsync([.. newer, known.GenerationId], Cancelled);
        Assert.Equal([known.GenerationId], ended.Keys);
        Assert.Equal(finished.Pictures, ended[known.GenerationId]);
    }

    [Fact]
    public async Task A_drawing_whose_workers_died_is_given_up_as_a_drawing()
    {
        await using var host = await StartAsync(settings: [("Generation:DemoStepsPerSecond", "1")]);
        var request = await host.DeliverAsync(Request(steps: 50));
        await host.UntilJobAsync(request.GenerationId, j => j.Attempt == 1, "it is drawn");
        await ScalarAsync<int>("UPDATE generation.jobs SET status = 'queued', attempt = 2, crashes = 3, worker_id = NULL, lease_until = NULL RETURNING attempt");
        var finished = await host.FinishAsync(request.GenerationId);
        Assert.Equal(
            (GenerationStatus.Failed, "attempts_exhausted", "The drawing was begun 3 times and broke off each time without a reason given. Try again."),
            (finished.Status, finished.ErrorCode, finished.ErrorMessage));
    }

    [Fact]
    public async Task What_waits_for_a_server_that_is_too_busy_to_tell_its_models_is_drawn_all_the_same()
    {
        await using var server = await WebUIServer.StartAsync();
        await using var host = await StartAsync(
            settings: [("Generation:Discovery", "true"), ("Generation:DiscoveryTargets:0", $"webui={server.BaseUrl}")]);
        const string Model = "webui/v1-5-pruned-emaonly.safetensors [6ce0161689]";
        Assert.Contains(await host.Api.GetImageModelsAsync(Cancelled), m => m.Id == Model);
        var first = await host.DeliverAsync(Request(Model, steps: 4));
        server.Allow(2);
        await UntilAsync(host, first, p => p.Step == 2);
        var second = await host.DeliverAsync(Request(Model, steps: 4));
        server.TellsModels = false;
        await host.Services.GetRequiredService<ProviderRefresher>().LookAgainAsync(Cancelled);
        Assert.DoesNotContain(await host.Api.GetImageModelsAsync(Cancelled), m => m.Id == Model);
        Assert.Equal("unknown_model", (await host.Api.CheckImageAsync(Model, "a boat", new ImageOptions(512, 512, 1), Cancelled)).Error!.Code);
        server.Allow(6);
        Assert.Equal(GenerationStatus.Completed, (await host.FinishAsync(first.GenerationId)).Status);
        Assert.Equal(GenerationStatus.Completed, (await host.FinishAsync(second.GenerationId)).Status);
    }

    [Fact]
    public async Task A_worker_of_the_version_before_leaves_pictures_to_those_that_can_draw()
    {
        await using var host = await StartAsync(settings: [("Generation:MaxConcurrent", "1"), ("Generation:DemoStepsPerSecond", "1")]);
        var begun = await host.DeliverAsync(Request(steps: 50));
        await host.UntilJobAsync(begun.GenerationId, j => j.Attempt == 1, "it is drawn");
        await host.DeliverAsync(Request(steps: 50));
        await host.DeliverAsync(GenerationHost.Request());
        await host.StopAsync();

        // One was given back, two have not begun. This is all that it claims by.
        await using var connection = new NpgsqlConnection(_database);
        await connection.OpenAsync(Cancelled);
        await using var claim = new NpgsqlCommand(
            """
            UPDATE generation.jobs SET status = 'running', attempt = attempt + 1, worker_id = 'old', lease_until = clock_timestamp()
            WHERE status = 'queued' AND not_before <= clock_timestamp() RETURNING purpose
            """,
            connection);
        var claimed = new List<string>();
        await using (var reader = await claim.ExecuteReaderAsync(Cancelled))
        {
            while (await reader.ReadAsync(Cancelled))
                claimed.Add(reader.GetString(0));
        }

        Assert.Equal(["answer"], claimed);
    }

    [Fact]
    public async Task A_prompt_that_is_refused_fails_with_the_servers_reason_and_keeps_nothing()
    {
        await using var server = await WebUIServer.StartAsync();
        await using var host = await StartAsync(server, "WebUI");
        server.Refusal = (422, "application/json", """{"detail":"Not in this house"}""");
        var finished = await host.FinishAsync((await host.DeliverAsync(Request("painter/v1-5-pruned-emaonly.safetensors [6ce0161689]"))).GenerationId);
        Assert.Equal((GenerationStatus.Failed, "provider_rejected"), (finished.Status, finished.ErrorCode));
        Assert.Contains("Not in this house", finished.ErrorMessage, StringComparison.Ordinal);
        Assert.Empty(Files());
    }

    [Fact]
    public async Task A_picture_that_finds_no_room_fails_with_a_sentence_and_keeps_nothing()
    {
        await using var host = await StartAsync(settings: [("Media:QuotaBytes", "1000"), ("Generation:DemoStepsPerSecond", "200")]);
        var finished = await host.FinishAsync((await host.DeliverAsync(Request(steps: 1))).GenerationId);
        Assert.Equal(GenerationStatus.Failed, finished.Status);
        Assert.StartsWith("The picture could not be kept: ", finished.ErrorMessage, StringComparison.Ordinal);
        Assert.Empty(finished.Pictures!);
        Assert.Empty(Files());
    }

    [Fact]
    public async Task A_preview_is_its_owners_and_an_older_attempt_does_not_put_it_back()
    {
        await using var host = await StartAsync(settings: ("Generation:DemoStepsPerSecond", "10"));
        var previews = host.Services.GetRequiredService<PreviewStore>();
        var request = await host.DeliverAsync(Request(steps: 50));
        await UntilAsync(host, request, p => p.Preview.Length > 0);
        Assert.Equal("image/png", (await previews.FindAsync(request.UserId, request.GenerationId, Cancelled))!.MediaType);
        Assert.Null(await previews.FindAsync(GenerationHost.NewId(), request.GenerationId, Cancelled));
        Assert.Equal("e", await ScalarAsync<string>(
            "SELECT attstorage::text FROM pg_attribute WHERE attrelid = 'generation.previews'::regclass AND attname = 'bytes'"));
        Assert.False(await previews.SaveAsync(request.GenerationId, 0, "0-1", "image/png", new byte[] { 1 }, Cancelled));
        await host.Api.CancelAsync(request.GenerationId, Cancelled);
        await host.FinishAsync(request.GenerationId);
        Assert.False(await previews.SaveAsync(request.GenerationId, 1, "1-99", "image/png", new byte[] { 1 }, Cancelled));
    }

    [Theory]
    [InlineData("", 512, 512, 1, null, "Say what the picture shall show.")]
    [InlineData("20000", 512, 512, 1, null, "The prompt has 20,000 characters; this model reads at most 10,000.")]
    [InlineData("a boat", 0, 0, 1, null, "This model does not draw 0×0 pixels")]
    [InlineData("a boat", 20_000, 20_000, 1, null, "This model does not draw 20000×20000 pixels")]
    [InlineData("a boat", 512, 512, 5, null, "Ask for 1 to 4 pictures.")]
    [InlineData("a boat", 512, 512, 1, -1L, "A seed is a number from 0 to 4294967295.")]
    public async Task What_can_not_be_drawn_is_refused_in_a_sentence_before_anything_is_stored(
        string prompt, int width, int height, int count, long? seed, string sentence)
    {
        await using var host = await StartAsync();
        var text = int.TryParse(prompt, out var length) ? new string('x', length) : prompt;
        var result = await host.Api.CheckImageAsync(Demo, text, new ImageOptions(width, height, count, seed), Cancelled);
        Assert.StartsWith(sentence, result.Error!.Message, StringComparison.Ordinal);
    }

    private static ImageRequested Request(string model = Demo, int count = 1, long? seed = null, int? steps = null)
    {
        var conversation = GenerationHost.NewId();
        return new ImageRequested(
            GenerationHost.NewId(), GenerationHost.NewId(), GenerationHost.NewId(), conversation, GenerationHost.NewId(),
            $"conversation/{conversation}", "2", model, "a boat", model == Demo ? 768 : 512, 512, count, seed, "", steps);
    }

    private static IMediaApi MediaOf(GenerationHost host) => host.Services.GetRequiredService<IMediaApi>();

    private static List<ImageProgress> Progress(IEnumerable<ChannelEvent> events) =>
        [.. events.Where(e => e.Type == GenerationEvents.Image)
            .Select(e => JsonSerializer.Deserialize(e.Data.Span, GenerationEventsJson.Wire.ImageProgressData)!.Progress)];

    private static Task<List<ChannelEvent>> UntilDoneAsync(GenerationHost host, string channel) => GenerationHost.EventuallyAsync(
        async () =>
        {
            var events = new List<ChannelEvent>();
            await host.Log.ReadRetainedAsync(channel, events, Cancelled);
            return events.Exists(e => e.Type == GenerationEvents.Done) ? events : null;
        },
        "the end is told");

    private static Task<List<ChannelEvent>> UntilAsync(GenerationHost host, ImageRequested request, Func<ImageProgress, bool> holds) => GenerationHost.EventuallyAsync(
        async () =>
        {
            var events = new List<ChannelEvent>();
            await host.Log.ReadRetainedAsync(request.Channel, events, Cancelled);
            return Progress(events).Exists(p => holds(p)) ? events : null;
        },
        "it is that far");

    private async Task<T> ScalarAsync<T>(string sql)
    {
        await using var connection = new NpgsqlConnection(_database);
        await connection.OpenAsync(Cancelled);
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync(Cancelled))!;
    }

    // Media hears of an end a moment later than others may.
    private async Task ForgetEndAsync()
    {
        await Eventually.TrueAsync(async () => await ScalarAsync<long>("SELECT count(*) FROM media.ended_jobs") == 1);
        await ScalarAsync<Guid>("DELETE FROM media.ended_jobs RETURNING id");
    }

    private string[] Files() => Directory.GetFiles(_pictures.FullName, "*", SearchOption.AllDirectories);

    private Task<GenerationHost> StartAsync(params (string Key, string Value)[] settings) =>
        GenerationHost.StartAsync(_database, settings.Select(s => KeyValuePair.Create(s.Key, (string?)s.Value)), pictures: _pictures.FullName);

    private Task<GenerationHost> StartAsync(
        ImageServerHost server, string kind, string? database = null, IChannelLog? log = null, params (string Key, string Value)[] settings) =>
        GenerationHost.StartAsync(
            database ?? _database,
            [
                .. settings.Select(s => KeyValuePair.Create(s.Key, (string?)s.Value)),
                new("Generation:Providers:0:Kind", kind),
                new("Generation:Providers:0:Name", "painter"),
                new("Generation:Providers:0:BaseUrl", server.BaseUrl.ToString()),
            ],
            log,
            pictures: _pictures.FullName);
}
