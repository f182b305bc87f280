using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using SevenX42.Contracts.Chat;
using SevenX42.Contracts.Generation;
using SevenX42.Contracts.Identity;
using SevenX42.Modules.Generation.Infrastructure;
using SevenX42.Modules.Generation.Infrastructure.Work;
using SevenX42.Modules.Generation.Integration;
using SevenX42.Realtime;
using SevenX42.Testing;

namespace SevenX42.Modules.Generation.Tests;

/// <summary>What happens when workers, the database or the log misbehave: faults 1, 3, 7, 12, 17, 18 and 20 of the promises.</summary>
public sealed class WorkerFaultTests(PostgresServer postgres) : IAsyncLifetime
{
    private static readonly (string, string)[] ShortLease =
        [("Generation:Lease", "00:00:02"), ("Generation:Heartbeat", "00:00:00.5"), ("Generation:CheckpointInterval", "00:00:00.1")];

    private readonly TaskCompletionSource _gate = new();
    private ScriptedProvider _server = null!;
    private string _database = "";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await ScriptedProvider.StartAsync();
        _database = await postgres.CreateDatabaseAsync();
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Fault_1_a_worker_that_dies_is_replaced_and_the_reader_sees_whether_the_answer_goes_on_or_begins_again(bool continues)
    {
        var log = SharedLog();
        await using var network = new Frozen(_database);
        await using var dead = await StartAsync(network.ConnectionString, network.Wrap(log), [.. ShortLease, Continues(continues)]);
        _server.Enqueue("m", Script.Stream.Role().Say("One, ", "two, ").Until(_gate.Task).Say("NEVER READ"));
        _server.Script("m", Script.Answer(continues ? "three." : "One, two, three."));
        var request = await dead.DeliverAsync(GenerationHost.Request(model: "scripted/m"));
        await dead.UntilJobAsync(request.GenerationId, j => j.Text == "One, two, ", "the text is stored");
        network.Freeze();
        var died = Stopwatch.GetTimestamp();

        await using var heir = await StartAsync(_database, log, [.. ShortLease, Continues(continues)]);
        var finished = await heir.FinishAsync(request);

        Assert.InRange(Stopwatch.GetElapsedTime(died), TimeSpan.Zero, TimeSpan.FromSeconds(2 + 5));
        Assert.Equal((GenerationStatus.Completed, "One, two, three."), (finished.Status, finished.Text));
        var read = await heir.UntilReadAsync(request, r => r.Done is not null, "the end is in the log");
        Assert.Equal(finished.Text, read.Text);
        var last = read.Started.Last();
        Assert.Equal((2, continues ? "One, two, ".Length : 0), (last.Attempt, last.TextOffset));
        var asked = _server.Requests[^1].Messages;
        Assert.Equal(continues ? ("assistant", "One, two, ") : ("user", "Hello"), asked[^1]);
        Assert.Empty(dead.Finished);
        network.Bury();
    }

    [Fact]
    public async Task Fault_3_a_worker_that_slept_beyond_its_lease_writes_nothing_more()
    {
        var log = SharedLog();
        await using var network = new Frozen(_database);
        await using var sleeper = await StartAsync(network.ConnectionString, network.Wrap(log), ShortLease);
        _server.Enqueue("m", Script.Stream.Role().Say("Old ").Until(_gate.Task).Say("and late").Finish().Done());
        _server.Script("m", Script.Answer("New and whole."));
        var request = await sleeper.DeliverAsync(GenerationHost.Request(model: "scripted/m"));
        await sleeper.UntilReadAsync(request, r => r.Text == "Old ", "the first token is read");
        network.Freeze();

        await using var heir = await StartAsync(_database, log, ShortLease);
        await heir.FinishAsync(request);
        var before = await heir.UntilReadAsync(request, r => r.Done is not null, "the end is in the log");
        _gate.SetResult();
        network.Thaw();
        await GenerationHost.EventuallyAsync(
            () => Task.FromResult(sleeper.Services.GetRequiredService<RunningGenerations>().Count == 0 ? sleeper : null), "the sleeper gives up");

        var after = await heir.ReadAsync(request);
        Assert.Equal(before.Events.Count, after.Events.Count);
        Assert.Equal("New and whole.", after.Text);
        Assert.Empty(sleeper.Finished);
        Assert.Single(heir.Finished);
        var job = await heir.FindJobAsync(request.GenerationId);
        Assert.Equal((GenerationStatus.Completed, "New and whole.", 2), (job!.Status, job.Text, job.Attempt));
    }

    [Fact]
    public async Task Fault_7_an_answer_survives_a_database_that_goes_away_and_comes_back()
    {
        await using var network = new Frozen(_database);
        await using var host = await StartAsync(network.ConnectionString, null, ShortLease);
        _server.Script("m", Script.Stream.Role().Say("Before, ").Until(_gate.Task).Say("after.").Finish().Done());
        var request = await host.DeliverAsync(GenerationHost.Request(model: "scripted/m"));
        await host.UntilJobAsync(request.GenerationId, j => j.Text == "Before, ", "the text is stored");
        network.Cut();
        _gate.SetResult();
        await GenerationHost.EventuallyAsync(
            async () => await ReadAnswer.ReadAsync(host.Log, request) is { Text: "Before, after." } read ? read : null, "the reader has it all");
        network.Mend();
        var finished = await host.FinishAsync(request);
        Assert.Equal((GenerationStatus.Completed, "Before, after."), (finished.Status, finished.Text));
        Assert.Single(host.Finished);
        Assert.Equal(1, (await host.FindJobAsync(request.GenerationId))!.Attempt);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(-10)]
    public async Task Fault_12_a_worker_whose_clock_is_wrong_steals_nothing_and_loses_nothing(int minutes)
    {
        var log = SharedLog();
        await using var right = await StartAsync(_database, log, ShortLease);
        _server.Script("m", Script.Stream.Role().Say("Mine, ").Until(_gate.Task).Say("all mine.").Finish().Done());
        var request = await right.DeliverAsync(GenerationHost.Request(model: "scripted/m"));
        await right.UntilReadAsync(request, r => r.Text.Length > 0, "the first token is read");
        await using var wrong = await StartAsync(
            _database, log, ShortLease, services => services.AddSingleton<TimeProvider>(new WrongClock(TimeSpan.FromMinutes(minutes))));

        // The one with the wrong clock runs a job of its own for longer than a lease.
        var gate = new TaskCompletionSource();
        _server.Script("slow", Script.Stream.Role().Say("a").Until(gate.Task).Say("b").Finish().Done());
        var other = await wrong.DeliverAsync(GenerationHost.Request(model: "scripted/slow"));
        var first = (await right.UntilJobAsync(request.GenerationId, j => j.LeaseUntil is not null, "there is a lease")).LeaseUntil;
        await right.UntilJobAsync(request.GenerationId, j => j.LeaseUntil > first + TimeSpan.FromSeconds(3), "a lease has passed");
        gate.SetResult();
        _gate.SetResult();

        Assert.Equal("Mine, all mine.", (await right.FinishAsync(request)).Text);
        await right.UntilJobAsync(other.GenerationId, j => j is { Status: GenerationStatus.Completed, Attempt: 1, Crashes: 0 }, "the other one is done");
        var job = await right.FindJobAsync(request.GenerationId);
        Assert.Equal((1, 0), (job!.Attempt, job.Crashes));
        Assert.Equal(2, _server.Requests.Count);
    }

    [Fact]
    public async Task Fault_17_a_request_that_is_delivered_twice_is_answered_once()
    {
        await using var host = await StartAsync(_database, null, []);
        _server.Script("m", Script.Answer("Once."));
        var request = GenerationHost.Request(model: "scripted/m");
        var again = request with { EventId = GenerationHost.NewId() };
        await Task.WhenAll(host.DeliverAsync(request), host.DeliverAsync(again), host.DeliverAsync(request), host.DeliverAsync(again));
        await host.FinishAsync(request);
        await host.DeliverAsync(request);
        await host.DeliverAsync(again with { EventId = GenerationHost.NewId() });

        // A later job proves that nothing of the doubled one is left in the queue.
        await host.FinishAsync(await host.DeliverAsync(GenerationHost.Request(model: "scripted/m")));
        Assert.Equal(2, _server.Requests.Count);
        Assert.Single(host.Finished, f => f.GenerationId == request.GenerationId);
        var read = await host.ReadAsync(request);
        Assert.Equal("Once.", read.Text);
        Assert.Single(read.Started);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task Fault_18_stop_closes_the_upstream_request_within_a_second_whoever_presses_it(bool afterText, bool elsewhere)
    {
        var log = SharedLog();
        await using var worker = await StartAsync(_database, log, []);
        await using var web = elsewhere
            ? await StartAsync(_database, log, [], services => services.AddSingleton(new AppRoleContext(AppRole.Web)))
            : null;
        _server.Script("m", (afterText ? Script.Stream.Say("Kept") : Script.Stream.Role()).Hang());
        var request = await (web ?? worker).DeliverAsync(GenerationHost.Request(model: "scripted/m"));
        var asked = await _server.UntilAskedAsync(1, Cancelled);
        if (afterText)
            await worker.UntilReadAsync(request, r => r.Text == "Kept", "the text is read");

        var pressed = Stopwatch.GetTimestamp();
        await Task.WhenAll(
            (web ?? worker).Api.CancelAsync(request.GenerationId, Cancelled), worker.Api.CancelAsync(request.GenerationId, Cancelled));
        var closed = await asked.ClientHungUp.WaitAsync(TimeSpan.FromSeconds(10), Cancelled);

        Assert.InRange(Stopwatch.GetElapsedTime(pressed, closed), TimeSpan.Zero, TimeSpan.FromSeconds(1));
        var text = afterText ? "Kept" : "";
        var read = await worker.UntilReadAsync(request, r => r.Done is not null, "the end is in the log");
        Assert.Equal((GenerationStatus.Stopped, text, ""), (read.Done!.Status, read.Text, read.Done.ErrorCode));
        var finished = await worker.FinishAsync(request);
        Assert.Equal((GenerationStatus.Stopped, text), (finished.Status, finished.Text));
        Assert.Single(worker.Finished);
    }

    [Fact]
    public async Task Fault_18_stop_is_heard_within_seconds_when_signals_between_processes_are_lost()
    {
        var log = SharedLog();
        await using var worker = await StartAsync(_database, log, [("Generation:Heartbeat", "00:00:00.5")]);
        _server.Script("m", Script.Stream.Say("Kept").Hang());
        var request = await worker.DeliverAsync(GenerationHost.Request(model: "scripted/m"));
        var asked = await _server.UntilAskedAsync(1, Cancelled);
        await worker.UntilReadAsync(request, r => r.Text == "Kept", "the text is read");
        await using (var scope = worker.Services.CreateAsyncScope())
        {
            // What another process does, without its signal.
            await scope.ServiceProvider.GetRequiredService<GenerationDbContext>().Database
                .ExecuteSqlAsync($"UPDATE generation.jobs SET cancel_requested = true WHERE id = {request.GenerationId}", Cancelled);
        }

        await asked.ClientHungUp.WaitAsync(TimeSpan.FromSeconds(3), Cancelled);
        Assert.Equal(GenerationStatus.Stopped, (await worker.FinishAsync(request)).Status);
    }

    [Fact]
    public async Task A_queued_generation_that_is_stopped_ends_at_once_and_never_starts()
    {
        await using var host = await StartAsync(_database, null, [("MaxConcurrent", "1")]);
        _server.Enqueue("m", Script.Stream.Say("x").Until(_gate.Task).Finish().Done());
        _server.Script("m", Script.Answer("second"));
        var first = await host.DeliverAsync(GenerationHost.Request(model: "scripted/m"));
        await _server.UntilAskedAsync(1, Cancelled);
        var second = await host.DeliverAsync(GenerationHost.Request(model: "scripted/m", prefix: "Prefix "));
        await host.Api.CancelAsync(second.GenerationId, Cancelled);
        var finished = await host.FinishAsync(second);
        var read = await host.UntilReadAsync(second, r => r.Done is not null, "the end is in the log");
        Assert.Equal((GenerationStatus.Stopped, "Prefix ", GenerationStatus.Stopped), (finished.Status, finished.Text, read.Done!.Status));
        _gate.SetResult();
        await host.FinishAsync(first);
        await host.FinishAsync(await host.DeliverAsync(GenerationHost.Request(model: "scripted/m")));
        Assert.Equal(2, _server.Requests.Count);
    }

    [Fact]
    public async Task A_generation_that_is_stopped_before_it_is_known_never_starts()
    {
        await using var host = await StartAsync(_database, null, []);
        _server.Script("m", Script.Answer("never"));
        var request = GenerationHost.Request(model: "scripted/m");
        await host.Api.CancelAsync(request.GenerationId, Cancelled);
        await host.DeliverAsync(request);
        Assert.Equal(GenerationStatus.Stopped, (await host.FinishAsync(request)).Status);
        await host.UntilReadAsync(request, r => r.Done?.Status == GenerationStatus.Stopped, "the end is in the log");
        Assert.Empty(_server.Requests);
    }

    [Fact]
    public async Task Fault_20_a_poison_job_is_given_up_after_three_attempts_and_the_others_go_on()
    {
        await using var host = await StartAsync(_database, null, [("MaxConcurrent", "1")]);
        _server.Script("m", Script.Answer("fine"));
        var poison = GenerationHost.Request(model: "scripted/m");

        // More roles than contents: every attempt throws before it has asked anybody.
        await host.DeliverAsync(poison with { Roles = ["system", "user"] });
        var others = new List<AnswerRequested>();
        for (var i = 0; i < 5; i++)
            others.Add(await host.DeliverAsync(GenerationHost.Request(model: "scripted/m")));
        foreach (var other in others)
            Assert.Equal(GenerationStatus.Completed, (await host.FinishAsync(other)).Status);
        var finished = await host.FinishAsync(poison);
        Assert.Equal((GenerationStatus.Failed, "attempts_exhausted"), (finished.Status, finished.ErrorCode));
        Assert.Equal(3, (await host.FindJobAsync(poison.GenerationId))!.Crashes);
        Assert.Equal(5, _server.Requests.Count);
    }

    [Theory]
    [InlineData("", GenerationStatus.Failed)]
    [InlineData("Before: ", GenerationStatus.Interrupted)]
    public async Task An_answer_that_can_never_be_stored_ends_without_what_was_written(string prefix, string status)
    {
        await using var host = await StartAsync(_database, null, [("Generation:MaxAttempts", "1")]);
        await using (var scope = host.Services.CreateAsyncScope())
        {
            await scope.ServiceProvider.GetRequiredService<GenerationDbContext>().Database.ExecuteSqlRawAsync("""
                CREATE FUNCTION generation.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'Poison'; END $$;
                CREATE TRIGGER refuses BEFORE UPDATE ON generation.jobs FOR EACH ROW
                    WHEN (NEW.finished_at IS NOT NULL AND NEW.text LIKE '%poison%') EXECUTE FUNCTION generation.refuse()
                """, Cancelled);
        }

        _server.Script("m", Script.Stream.Think("reasoning", "Hm. ").Say("poison").Finish().Done());
        var request = await host.DeliverAsync(GenerationHost.Request(model: "scripted/m", prefix: prefix));
        var finished = await host.FinishAsync(request);
        Assert.Equal((status, "attempts_exhausted", prefix, ""), (finished.Status, finished.ErrorCode, finished.Text, finished.Reasoning));
        var read = await host.UntilReadAsync(request, r => r.Done is not null, "the end is in the log");
        Assert.Equal((status, prefix, ""), (read.Done!.Status, read.Text, read.Reasoning));
        Assert.Single(_server.Requests);
    }

    [Fact]
    public async Task An_attempt_that_can_tell_nobody_of_its_fault_is_logged_and_its_lease_runs_out()
    {
        // Not away, which is waited for, but broken; and only for the first attempt. The first append is of the place in the queue.
        using var lines = new LogLines();
        var log = new FlakyLog(SharedLog(), n => n == 2, _ => false, () => new InvalidOperationException("Broken."));
        await using var host = await StartAsync(_database, log, ShortLease, services => services.AddSingleton<ILoggerProvider>(lines));
        _server.Script("m", Script.Answer("All the same."));
        var request = await host.DeliverAsync(GenerationHost.Request(model: "scripted/m"));
        var finished = await host.FinishAsync(request);
        Assert.Equal((GenerationStatus.Completed, "All the same."), (finished.Status, finished.Text));
        var job = await host.FindJobAsync(request.GenerationId);
        Assert.Equal((2, 1), (job!.Attempt, job.Crashes));
        Assert.Contains(lines.All, l => l.Level == LogLevel.Error
            && l.Text.Contains(request.GenerationId.ToString(), StringComparison.Ordinal) && l.Text.Contains("its lease runs out", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_graceful_stop_hands_over_at_once_without_counting_as_a_failure(bool continues)
    {
        var log = SharedLog();
        var leaving = await StartAsync(_database, log, [Continues(continues)]);
        _server.Enqueue("m", Script.Stream.Role().Say("One, ", "two, ").Hang());
        _server.Script("m", Script.Answer(continues ? "three." : "One, two, three."));
        var request = await leaving.DeliverAsync(GenerationHost.Request(model: "scripted/m"));
        await leaving.UntilReadAsync(request, r => r.Text == "One, two, ", "the text is read");
        await using var staying = await StartAsync(_database, log, [Continues(continues)]);
        var stopping = Stopwatch.GetTimestamp();
        await leaving.DisposeAsync();
        var finished = await staying.FinishAsync(request);
        Assert.InRange(Stopwatch.GetElapsedTime(stopping), TimeSpan.Zero, TimeSpan.FromSeconds(3));
        Assert.Equal((GenerationStatus.Completed, "One, two, three."), (finished.Status, finished.Text));
        var job = await staying.FindJobAsync(request.GenerationId);
        Assert.Equal((2, 0), (job!.Attempt, job.Crashes));
        Assert.Equal(finished.Text, (await staying.UntilReadAsync(request, r => r.Done is not null, "the end is in the log")).Text);
    }

    [Fact]
    public async Task A_drain_time_lets_short_answers_end()
    {
        var host = await StartAsync(_database, SharedLog(), [("Generation:DrainTime", "00:00:20")]);
        _server.Script("m", Script.Stream.Say("Almost ").Until(_gate.Task).Say("there.").Finish().Done());
        var request = await host.DeliverAsync(GenerationHost.Request(model: "scripted/m"));
        await host.UntilReadAsync(request, r => r.Text.Length > 0, "the first token is read");
        var stopping = host.StopAsync();
        _gate.SetResult();
        await stopping;
        Assert.Single(_server.Requests);
        Assert.Equal("Almost there.", (await host.ReadAsync(request)).Text);
        await host.DisposeAsync();
    }

    [Fact]
    public async Task A_second_worker_of_a_name_is_refused_and_takes_nothing_from_the_first()
    {
        var log = SharedLog();
        (string, string)[] settings = [("Generation:WorkerId", "twin"), ("Generation:Lease", "01:00:00")];
        var first = await StartAsync(_database, log, settings);
        _server.Script("m", Script.Stream.Role().Say("Mine, ").Until(_gate.Task).Say("all mine.").Finish().Done());
        var request = await first.DeliverAsync(GenerationHost.Request(model: "scripted/m"));
        await first.UntilReadAsync(request, r => r.Text.Length > 0, "the first token is read");

        var refused = await Assert.ThrowsAsync<OptionsValidationException>(() => StartAsync(_database, log, settings));

        Assert.Equal("Generation:WorkerId: another process has the name 'twin', or had it until its machine vanished, less than half a minute ago. Give each a name of its own, or none.", Assert.Single(refused.Failures));
        _gate.SetResult();
        await first.FinishAsync(request);
        var job = await first.FindJobAsync(request.GenerationId);
        Assert.Equal(("Mine, all mine.", 1, 0), (job!.Text, job.Attempt, job.Crashes));
        // When it has stopped, the name is free at once.
        await first.DisposeAsync();
        await (await StartAsync(_database, log, settings)).DisposeAsync();
    }

    [Fact]
    public async Task A_worker_of_the_same_name_frees_at_once_what_its_last_life_left()
    {
        var log = SharedLog();
        await using var network = new Frozen(_database);
        (string, string)[] settings =
            [("Generation:WorkerId", "one"), ("Generation:Lease", "01:00:00"), ("Generation:CheckpointInterval", "00:00:00.1"), Continues(true)];
        await using var dead = await StartAsync(network.ConnectionString, network.Wrap(log), settings);
        _server.Enqueue("m", Script.Stream.Role().Say("One, ").Hang());
        _server.Script("m", Script.Answer("two."));
        var request = await dead.DeliverAsync(GenerationHost.Request(model: "scripted/m"));
        await dead.UntilJobAsync(request.GenerationId, j => j.Text == "One, ", "the text is stored");
        // Its connections end with it.
        network.Freeze();
        network.Cut();
        var started = Stopwatch.GetTimestamp();
        await using var reborn = await StartAsync(_database, log, settings);
        Assert.Equal("One, two.", (await reborn.FinishAsync(request)).Text);
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(5));
        network.Bury();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_log_that_is_away_at_times_has_everything_once_in_the_end(bool writesAllTheSame)
    {
        var log = new FlakyLog(SharedLog(), n => n % 3 == 1, _ => writesAllTheSame);
        await using var host = await StartAsync(_database, log, []);
        _server.Script("m", Script.Answer("Every word of this arrives, and every word of it once.", 7, TimeSpan.FromMilliseconds(25)));
        var request = GenerationHost.Request(model: "scripted/m");
        await GenerationHost.EventuallyAsync(async () =>
        {
            try
            {
                return await host.DeliverAsync(request);
            }
            catch (ChannelLogUnavailableException)
            {
                // The outbox delivers again.
                return null;
            }
        }, "the request is delivered");
        var finished = await host.FinishAsync(request);
        Assert.Equal("Every word of this arrives, and every word of it once.", finished.Text);
        await host.Services.GetRequiredService<JobSweeper>().AnnounceAsync(TimeSpan.Zero, Cancelled);
        var read = await host.UntilReadAsync(request, r => r.Done is not null, "the end is in the log");
        Assert.Equal(finished.Text, read.Text);
        Assert.True(log.Appends > 5);
    }

    [Fact]
    public async Task An_end_that_was_stored_and_not_announced_is_announced_by_the_sweeper()
    {
        // The log breaks for good when the text is complete, and comes back after the process that knew it is gone.
        var shared = SharedLog();
        var away = false;
        var host = await StartAsync(_database, new FlakyLog(shared, _ => Volatile.Read(ref away), _ => false), []);
        _server.Script("m", Script.Stream.Say("Stored ").Until(_gate.Task).Say("but untold.").Finish().Done());
        var request = await host.DeliverAsync(GenerationHost.Request(model: "scripted/m"));
        await host.UntilReadAsync(request, r => r.Text == "Stored ", "the first token is read");
        Volatile.Write(ref away, true);
        _gate.SetResult();
        await host.UntilJobAsync(request.GenerationId, j => j is { Status: GenerationStatus.Completed, Announced: false }, "it is stored");
        await using var heir = await StartAsync(_database, shared, []);
        await heir.Services.GetRequiredService<JobSweeper>().AnnounceAsync(TimeSpan.Zero, Cancelled);
        var read = await heir.ReadAsync(request);
        Assert.Equal(("Stored but untold.", GenerationStatus.Completed), (read.Text, read.Done!.Status));
        await heir.UntilJobAsync(request.GenerationId, j => j.Announced, "it is announced");
        await host.DisposeAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Deletion_stops_and_forgets_generations(bool user)
    {
        await using var host = await StartAsync(_database, null, [("MaxConcurrent", "1")]);
        _server.Script("m", Script.Stream.Say("secret").Hang());
        var (userId, conversationId) = (GenerationHost.NewId(), GenerationHost.NewId());
        var running = await host.DeliverAsync(GenerationHost.Request(model: "scripted/m", userId: userId, conversationId: conversationId));
        var asked = await _server.UntilAskedAsync(1, Cancelled);
        var queued = await host.DeliverAsync(GenerationHost.Request(model: "scripted/m", userId: userId, conversationId: conversationId));
        var stranger = await host.DeliverAsync(GenerationHost.Request(model: "scripted/m"));
        await using (var scope = host.Services.CreateAsyncScope())
        {
            await (user
                ? scope.ServiceProvider.GetRequiredService<UserDeletedHandler>().HandleAsync(new UserDeleted(GenerationHost.NewId(), userId), Cancelled)
                : scope.ServiceProvider.GetRequiredService<ConversationDeletedHandler>()
                    .HandleAsync(new ConversationDeleted(GenerationHost.NewId(), conversationId, userId), Cancelled));
        }

        await asked.ClientHungUp.WaitAsync(TimeSpan.FromSeconds(20), Cancelled);
        Assert.Null(await host.FindJobAsync(running.GenerationId));
        Assert.Null(await host.FindJobAsync(queued.GenerationId));
        await host.UntilJobAsync(stranger.GenerationId, j => j.Status == GenerationStatus.Running, "the stranger's turn comes");
        Assert.Empty(host.Finished);
    }

    [Fact]
    public async Task Text_of_finished_generations_is_cleared_when_its_time_is_over()
    {
        await using var host = await StartAsync(_database, null, []);
        var request = await host.DeliverAsync(GenerationHost.Request());
        await host.FinishAsync(request);
        var store = host.Services.GetRequiredService<Infrastructure.Jobs.JobStore>();
        Assert.Equal(0, await store.SweepAsync(TimeSpan.FromHours(1), TimeSpan.FromDays(30), 100, Cancelled));
        Assert.True((await host.Api.GetCheckpointsAsync([request.GenerationId], Cancelled)).ContainsKey(request.GenerationId));
        Assert.Equal(1, await store.SweepAsync(TimeSpan.Zero, TimeSpan.FromDays(30), 100, Cancelled));
        var job = await host.FindJobAsync(request.GenerationId);
        Assert.Equal((null, GenerationStatus.Completed), (job!.Text, job.Status));
        Assert.True(job.OutputTokens > 0);
        Assert.Empty(await host.Api.GetCheckpointsAsync([request.GenerationId], Cancelled));
    }

    [Fact]
    public async Task A_checkpoint_tells_how_far_a_running_answer_is()
    {
        await using var host = await StartAsync(_database, null, ShortLease);
        _server.Script("m", Script.Stream.Think("reasoning", "Hm. ").Say("So far").Hang());
        var request = await host.DeliverAsync(GenerationHost.Request(model: "scripted/m", prefix: "Before: "));
        await host.UntilJobAsync(request.GenerationId, j => j.Text == "Before: So far", "the text is stored");
        var checkpoint = (await host.Api.GetCheckpointsAsync([request.GenerationId, GenerationHost.NewId()], Cancelled)).Single().Value;
        Assert.Equal(
            new GenerationCheckpoint(request.GenerationId, GenerationStatus.Running, 1, "Before: So far", "Hm. ", 0), checkpoint);
    }

    [Fact]
    public async Task A_prefix_is_continued_by_asking_where_the_provider_cannot()
    {
        await using var host = await StartAsync(_database, null, []);
        _server.Script("m", Script.Answer(" and the rest."));
        var request = await host.DeliverAsync(GenerationHost.Request(model: "scripted/m", prefix: "The beginning"));
        Assert.Equal("The beginning and the rest.", (await host.FinishAsync(request)).Text);
        Assert.Equal(["user", "assistant", "user"], _server.Requests.Single().Messages.Select(m => m.Role));
        var read = await host.UntilReadAsync(request, r => r.Done is not null, "the end is in the log");
        Assert.Equal("The beginning and the rest.", read.Text);
        Assert.Equal("The beginning".Length, read.Deltas.First().Offset);
    }

    internal static IChannelLog SharedLog()
    {
        var services = new ServiceCollection().AddLogging();
        services.AddSingleton<Microsoft.Extensions.Configuration.IConfiguration>(new Microsoft.Extensions.Configuration.ConfigurationBuilder().Build());
        return services.AddMemoryChannelLog().BuildServiceProvider().GetRequiredService<IChannelLog>();
    }

    private static (string, string) Continues(bool yes) => ("ContinuesAssistantMessage", yes ? "true" : "false");

    private Task<GenerationHost> StartAsync(
        string connectionString, IChannelLog? log, (string, string)[] settings, Action<IServiceCollection>? services = null) =>
        GenerationHost.StartAsync(connectionString, GenerationHost.Settings(_server, settings), log, services);
}
