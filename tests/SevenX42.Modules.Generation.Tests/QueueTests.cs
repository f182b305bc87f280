using System.Diagnostics.Metrics;
using CsCheck;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Contracts.Chat;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Infrastructure;
using SevenX42.Modules.Generation.Infrastructure.Jobs;
using SevenX42.Modules.Generation.Infrastructure.Work;
using SevenX42.Testing;

namespace SevenX42.Modules.Generation.Tests;

/// <summary>Whose turn it is.</summary>
public sealed class QueueTests(PostgresServer postgres) : IAsyncLifetime
{
    private ScriptedProvider _server = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _server = await ScriptedProvider.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Turns_are_fair_between_users_and_titles_come_last()
    {
        await using var host = await StartAsync(("MaxConcurrent", "1"));
        var gates = Enumerable.Range(0, 7).Select(_ => new TaskCompletionSource()).ToList();
        foreach (var gate in gates)
            _server.Enqueue("m", Script.Stream.Say("x").Until(gate.Task).Finish().Done());
        var (greedy, modest) = (GenerationHost.NewId(), GenerationHost.NewId());
        await AskAsync(host, "running", greedy);
        await _server.UntilAskedAsync(1, Cancelled);
        await AskAsync(host, "title", modest, "title");
        foreach (var prompt in (string[])["greedy 1", "greedy 2", "greedy 3"])
            await AskAsync(host, prompt, greedy);
        await AskAsync(host, "modest 1", modest);
        await AskAsync(host, "modest 2", modest);
        for (var i = 0; i < 7; i++)
        {
            await _server.UntilAskedAsync(i + 1, Cancelled);
            gates[i].SetResult();
        }

        // While the greedy one runs, the modest one is next; from then on they take turns, the older first.
        Assert.Equal(
            ["running", "modest 1", "greedy 1", "modest 2", "greedy 2", "greedy 3", "title"],
            _server.Requests.Select(r => r.Messages[0].Content));
    }

    [Fact]
    public async Task A_place_in_the_queue_is_told_and_told_again_when_it_changes()
    {
        await using var host = await StartAsync(("MaxConcurrent", "1"));
        var gates = Enumerable.Range(0, 3).Select(_ => new TaskCompletionSource()).ToList();
        foreach (var gate in gates)
            _server.Enqueue("m", Script.Stream.Say("x").Until(gate.Task).Finish().Done());
        await AskAsync(host, "0");
        await _server.UntilAskedAsync(1, Cancelled);
        await AskAsync(host, "1");
        var last = await AskAsync(host, "2");
        var waiting = await host.UntilReadAsync(last, r => r.Queued.Any(q => q.Position == 1), "the place is told");
        Assert.Empty(waiting.Started);
        await host.UntilJobAsync(last.GenerationId, j => j.QueuePosition == 1, "the place is stored");
        Assert.Equal(1, (await host.Api.GetCheckpointsAsync([last.GenerationId], Cancelled)).Single().Value.QueuePosition);
        gates[0].SetResult();
        await host.UntilReadAsync(last, r => r.Queued.Last().Position == 0, "the new place is told");
        gates[1].SetResult();
        gates[2].SetResult();
        await host.FinishAsync(last);
        var types = (await host.ReadAsync(last)).Events.Select(e => e.Type).ToList();
        Assert.True(types.LastIndexOf(GenerationEvents.Queued) < types.IndexOf(GenerationEvents.Started), string.Join(' ', types));
    }

    [Fact]
    public async Task Two_workers_together_keep_a_providers_limit()
    {
        var database = await postgres.CreateDatabaseAsync();
        // Neither worker can take all three, whoever claims first and whoever has the processor.
        var settings = GenerationHost.Settings(_server, ("MaxConcurrent", "3"), ("Generation:MaxConcurrent", "2")).ToList();
        await using var one = await GenerationHost.StartAsync(database, settings);
        await using var two = await GenerationHost.StartAsync(database, settings);
        var gate = new TaskCompletionSource();
        _server.Script("m", Script.Stream.Say("x").Until(gate.Task).Finish().Done());
        var requests = new List<AnswerRequested>();
        for (var i = 0; i < 40; i++)
            requests.Add(await AskAsync(i % 2 == 0 ? one : two, "go"));
        await one.UntilJobAsync(requests[39].GenerationId, j => j.QueuePosition == 36, "three run and the others wait");
        await GenerationHost.EventuallyAsync(async () => await Task.FromResult(_server.Requests.Count == 3 ? _server : null), "three have asked");

        var workers = new HashSet<string>();
        foreach (var request in requests)
        {
            if ((await one.FindJobAsync(request.GenerationId))!.WorkerId is { } worker)
                workers.Add(worker);
        }

        Assert.Equal(2, workers.Count);

        // Many times over, both claim at once.
        gate.SetResult();
        var most = 0L;
        var store = one.Services.GetRequiredService<JobStore>();
        await GenerationHost.EventuallyAsync(
            async () =>
            {
                var (queued, running) = await store.CountAsync(Cancelled);
                most = Math.Max(most, running);
                return queued + running == 0 ? store : null;
            },
            "all are answered");

        Assert.InRange(most, 0, 3);
        Assert.Equal(40, _server.Requests.Count);
    }

    [Fact]
    public async Task A_worker_takes_no_more_than_its_own_limit()
    {
        await using var host = await StartAsync(("Generation:MaxConcurrent", "2"));
        var gate = new TaskCompletionSource();
        _server.Script("m", Script.Stream.Say("x").Until(gate.Task).Finish().Done());
        var requests = new List<AnswerRequested>();
        for (var i = 0; i < 5; i++)
            requests.Add(await AskAsync(host, "go"));
        await _server.UntilAskedAsync(2, Cancelled);
        await host.UntilReadAsync(requests[4], r => r.Queued.LastOrDefault()?.Position == 2, "the last one waits");
        Assert.Equal(2, _server.Requests.Count);
        gate.SetResult();
        foreach (var request in requests)
            await host.FinishAsync(request);
    }

    [Fact]
    public async Task A_web_role_runs_nothing()
    {
        var database = await postgres.CreateDatabaseAsync();
        await using var web = await GenerationHost.StartAsync(
            database, services: services => services.AddSingleton(new AppRoleContext(AppRole.Web)));
        var request = await web.DeliverAsync(GenerationHost.Request());
        await using var worker = await GenerationHost.StartAsync(
            database, services: services => services.AddSingleton(new AppRoleContext(AppRole.Worker)));
        Assert.Equal(GenerationStatus.Completed, (await worker.FinishAsync(request)).Status);
        Assert.Empty(web.Finished);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_worker_is_woken_by_a_signal_from_its_process_or_another_and_need_not_look(bool elsewhere)
    {
        var database = await postgres.CreateDatabaseAsync();
        var settings = GenerationHost.Settings(_server, ("Generation:PollInterval", "01:00:00")).ToList();
        _server.Script("m", Script.Answer("Here."));
        await using var worker = await GenerationHost.StartAsync(database, settings);
        await using var web = elsewhere
            ? await GenerationHost.StartAsync(database, settings, services: services => services.AddSingleton(new AppRoleContext(AppRole.Web)))
            : null;
        await Eventually.TrueAsync(() => worker.Services.GetRequiredService<JobNotifications>().IsListening);

        // More than one: after its start, and after an answer, it looks by itself.
        for (var i = 0; i < 5; i++)
        {
            var request = await AskAsync(web ?? worker, "go");
            Assert.Equal(GenerationStatus.Completed, (await worker.FinishAsync(request)).Status);
        }
    }

    [Fact]
    public async Task The_gauges_that_workers_are_scaled_on_say_how_many_wait_in_all_and_how_many_run_here()
    {
        var database = await postgres.CreateDatabaseAsync();
        var settings = GenerationHost.Settings(_server, ("Generation:MaxConcurrent", "1")).ToList();
        var gate = new TaskCompletionSource();
        _server.Script("m", Script.Stream.Say("x").Until(gate.Task).Finish().Done());
        await using var one = await GenerationHost.StartAsync(database, settings);
        await using var two = await GenerationHost.StartAsync(database, settings);

        for (var i = 0; i < 5; i++)
            await AskAsync(one, "go");

        await Eventually.TrueAsync(() => Gauges(one) == (3, 1) && Gauges(two) == (3, 1));
        gate.SetResult();
        await Eventually.TrueAsync(() => Gauges(one) == (0, 0) && Gauges(two) == (0, 0));
    }

    /// <summary>The claim itself, against any state of the queue.</summary>
    [Fact]
    public async Task Claims_keep_limits_and_never_favour_who_has_more_running()
    {
        await using var host = await GenerationHost.StartAsync(
            await postgres.CreateDatabaseAsync(), services: services => services.AddSingleton(new AppRoleContext(AppRole.Web)));
        var store = host.Services.GetRequiredService<JobStore>();
        Guid[] users = [.. Enumerable.Range(0, 4).Select(_ => GenerationHost.NewId())];
        var job = Gen.Select(Gen.Int[0, 3], Gen.Int[0, 1], Gen.Int[0, 3], (user, provider, running) => (user, provider, running: running == 0));
        await Gen.Select(job.Array[0, 25], Gen.Int[0, 4], Gen.Int[0, 4], Gen.Int[1, 30]).SampleAsync(
            async (jobs, slotsA, slotsB, max) =>
            {
                await using var scope = host.Services.CreateAsyncScope();
                var context = scope.ServiceProvider.GetRequiredService<GenerationDbContext>();
                await context.Jobs.ExecuteDeleteAsync(Cancelled);
                foreach (var (user, provider, running) in jobs)
                {
                    context.Jobs.Add(new GenerationJob
                    {
                        Id = GenerationHost.NewId(),
                        AnswerId = users[0],
                        ConversationId = users[0],
                        UserId = users[user],
                        Purpose = "answer",
                        Channel = "",
                        Subject = "",
                        Provider = provider == 0 ? "a" : "b",
                        Model = "a/m",
                        Roles = [],
                        Contents = [],
                        Prefix = "",
                        Status = running ? GenerationStatus.Running : GenerationStatus.Queued,
                    });
                }

                await context.SaveChangesAsync(Cancelled);
                await context.Database.ExecuteSqlAsync(
                    $"UPDATE generation.jobs SET lease_until = now() + interval '1 hour' WHERE status = 'running'", Cancelled);
                var slots = new Dictionary<string, int> { ["a"] = slotsA, ["b"] = slotsB };
                var claimed = await store.ClaimAsync("w", max, TimeSpan.FromMinutes(1), slots, Cancelled);
                var after = await context.Jobs.AsNoTracking().ToListAsync(Cancelled);

                Assert.True(claimed.Count <= max);
                Assert.All(claimed, c => Assert.Equal(1, c.Attempt));
                foreach (var (provider, limit) in slots)
                {
                    var mine = after.Where(j => j.Provider == provider).ToList();
                    var before = mine.Count(j => j.Status == GenerationStatus.Running) - claimed.Count(c => c.Provider == provider);
                    var expected = Math.Clamp(limit - before, 0, mine.Count - before);
                    var taken = claimed.Count(c => c.Provider == provider);
                    Assert.True(taken <= expected);
                    if (claimed.Count < max)
                        Assert.Equal(expected, taken);

                    // Nobody who still waits has two fewer running than somebody who was just served.
                    var running = users.ToDictionary(u => u, u => mine.Count(j => j.UserId == u && j.Status == GenerationStatus.Running));
                    foreach (var waiting in mine.Where(j => j.Status == GenerationStatus.Queued))
                    {
                        foreach (var served in claimed.Where(c => c.Provider == provider))
                            Assert.True(running[served.UserId] <= running[waiting.UserId] + 1);
                    }
                }
            },
            iter: 60, threads: 1);
    }

    private static (long Queued, long Running) Gauges(GenerationHost host)
    {
        var meters = host.Services.GetRequiredService<IMeterFactory>();
        var seen = new Dictionary<string, long>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Scope == meters)
                self.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, _, _) => seen[instrument.Name] = value);
        listener.SetMeasurementEventCallback<int>((instrument, value, _, _) => seen[instrument.Name] = value);
        listener.Start();
        listener.RecordObservableInstruments();
        return (seen["sevenx42.generation.queue_depth"], seen["sevenx42.generation.running"]);
    }

    private static Task<AnswerRequested> AskAsync(GenerationHost host, string prompt, Guid? user = null, string purpose = "answer") =>
        host.DeliverAsync(GenerationHost.Request(prompt, "scripted/m", user, purpose: purpose));

    private async Task<GenerationHost> StartAsync(params (string Key, string Value)[] settings) =>
        await GenerationHost.StartAsync(await postgres.CreateDatabaseAsync(), GenerationHost.Settings(_server, settings));
}
