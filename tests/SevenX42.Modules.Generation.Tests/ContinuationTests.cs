using Microsoft.Extensions.DependencyInjection;
using SevenX42.Contracts.Chat;
using SevenX42.Contracts.Generation;
using SevenX42.Testing;

namespace SevenX42.Modules.Generation.Tests;

/// <summary>Answers that go on from what there is of them: by another worker, or because their reader wants it.</summary>
public sealed class ContinuationTests(PostgresServer postgres) : IAsyncLifetime
{
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
    [InlineData(true, GenerationStatus.Completed, "")]
    [InlineData(false, GenerationStatus.Interrupted, "empty_answer")]
    public async Task A_model_that_adds_nothing_has_completed_an_answer_only_if_it_was_given_its_text(bool continues, string status, string code)
    {
        var request = GenerationHost.Request(model: "scripted/m");
        var (finished, read) = await HandOverAsync(
            request, continues, Script.Stream.Role().Say("One, ", "two, ").Hang(), r => r.Text == "One, two, ", Script.Stream.Role().Finish().Done());
        Assert.Equal((status, code, "One, two, "), (finished.Status, finished.ErrorCode, finished.Text));
        Assert.Equal(finished.Text, read.Text);
    }

    [Fact]
    public async Task An_answer_that_is_handed_over_between_the_halves_of_a_character_goes_on_before_it()
    {
        var (finished, read) = await HandOverAsync(
            GenerationHost.Request(model: "scripted/m"), continues: true, Script.Stream.Role().Say("Good \uD83D").Hang(), r => r.Text == "Good ", Script.Stream.Role().Say("\uD83D\uDE00!").Finish().Done());

        Assert.Equal("Good ", _server.Requests[^1].Messages[^1].Content);
        Assert.Equal("Good \uD83D\uDE00!", finished.Text);
        Assert.Equal(finished.Text, read.Text);
    }

    [Fact]
    public async Task What_is_kept_of_a_stopped_answer_ends_with_a_whole_character()
    {
        await using var host = await GenerationHost.StartAsync(_database, GenerationHost.Settings(_server));
        _server.Script("m", Script.Stream.Role().Say("Good \uD83D").Hang());
        var request = await host.DeliverAsync(GenerationHost.Request(model: "scripted/m"));
        await host.UntilReadAsync(request, r => r.Text == "Good ", "the text is in the log");

        await host.Api.CancelAsync(request.GenerationId, Cancelled);

        Assert.Equal("Good ", (await host.FinishAsync(request)).Text);
    }

    public static TheoryData<string, Script, string> Nothing { get; } = new()
    {
        { "an end without a beginning", Script.Stream.Role().Finish().Done(), "empty_answer" },
        { "an end without a text", Script.Stream.Role().Think("reasoning", "Hm.").Finish().Done(), "empty_answer" },
        { "a refusal", Script.Respond(401, "no", "text/plain"), "provider_unauthorized" },
        { "a stream that breaks", Script.Stream.Role(), "stream_broken" },
    };

    [Theory]
    [MemberData(nameof(Nothing))]
    public async Task A_continuation_that_comes_to_nothing_is_interrupted_and_keeps_what_there_was(string what, Script script, string code)
    {
        await using var host = await GenerationHost.StartAsync(_database, GenerationHost.Settings(_server, ("RetryDelay", "00:00:00.010")));
        _server.Script("m", script);
        var request = await host.DeliverAsync(GenerationHost.Request(model: "scripted/m", prefix: "The beginning"));
        var finished = await host.FinishAsync(request);
        Assert.Equal((what, GenerationStatus.Interrupted, code, "The beginning"), (what, finished.Status, finished.ErrorCode, finished.Text));
        Assert.Equal("The beginning", (await host.UntilReadAsync(request, r => r.Done is not null, "the end is in the log")).Text);
    }

    [Fact]
    public async Task A_continued_answer_keeps_what_was_thought_before()
    {
        await using var host = await GenerationHost.StartAsync(_database, GenerationHost.Settings(_server));
        _server.Script("m", Script.Stream.Role().Think("reasoning", "Second ", "thought.").Say(" and the end.").Finish().Done());
        var request = await host.DeliverAsync(Continued());
        var finished = await host.FinishAsync(request);
        var read = await host.UntilReadAsync(request, r => r.Done is not null, "the end is in the log");
        Assert.Equal(("The beginning and the end.", "First thought.\n\nSecond thought."), (finished.Text, finished.Reasoning));
        Assert.Equal((finished.Text, finished.Reasoning), (read.Text, read.Reasoning));
        Assert.All(read.Started, s => Assert.Equal(("The beginning".Length, "First thought.".Length), (s.TextOffset, s.ReasoningOffset)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_continued_answer_whose_worker_leaves_while_it_thinks_has_no_thought_twice(bool continues)
    {
        var (finished, read) = await HandOverAsync(
            Continued(),
            continues,
            Script.Stream.Role().Think("reasoning", "Half a thou").Hang(),
            r => r.Reasoning.EndsWith("thou", StringComparison.Ordinal),
            Script.Stream.Role().Think("reasoning", "Second thought.").Say(" and the end.").Finish().Done());
        Assert.Equal(("The beginning and the end.", "First thought.\n\nSecond thought."), (finished.Text, finished.Reasoning));
        Assert.Equal((finished.Text, finished.Reasoning), (read.Text, read.Reasoning));
    }

    [Fact]
    public async Task A_continued_answer_has_all_it_had_while_it_waits_and_when_it_is_stopped_then()
    {
        await using var host = await GenerationHost.StartAsync(
            _database, GenerationHost.Settings(_server), services: services => services.AddSingleton(new AppRoleContext(AppRole.Web)));
        var request = await host.DeliverAsync(Continued());
        var checkpoint = (await host.Api.GetCheckpointsAsync([request.GenerationId], Cancelled)).Single().Value;
        await host.Api.CancelAsync(request.GenerationId, Cancelled);
        var job = await host.FindJobAsync(request.GenerationId);
        Assert.Equal(("The beginning", "First thought."), (checkpoint.Text, checkpoint.Reasoning));
        Assert.Equal((GenerationStatus.Stopped, "The beginning", "First thought."), (job!.Status, job.Text, job.Reasoning));
    }

    private static AnswerRequested Continued() =>
        GenerationHost.Request(model: "scripted/m", prefix: "The beginning") with { ReasoningPrefix = "First thought." };

    /// <summary>A worker leaves in the middle of its stream, and another takes over.</summary>
    private async Task<(GenerationFinished Finished, ReadAnswer Read)> HandOverAsync(
        AnswerRequested request, bool continues, Script first, Func<ReadAnswer, bool> isReached, Script second)
    {
        var log = WorkerFaultTests.SharedLog();
        var settings = GenerationHost.Settings(_server, ("ContinuesAssistantMessage", continues ? "true" : "false"));
        _server.Enqueue("m", first);
        _server.Script("m", second);
        await using (var leaving = await GenerationHost.StartAsync(_database, settings, log))
        {
            await leaving.DeliverAsync(request);
            await leaving.UntilReadAsync(request, isReached, "the first part is read");
        }

        await using var heir = await GenerationHost.StartAsync(_database, settings, log);
        var finished = await heir.FinishAsync(request);
        return (finished, await heir.UntilReadAsync(request, r => r.Done is not null, "the end is in the log"));
    }
}
