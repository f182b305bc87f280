using SevenX42.Contracts.Generation;
using SevenX42.Testing;

namespace SevenX42.Modules.Generation.Tests;

public sealed class AnswerTests(PostgresServer postgres)
{
    [Fact]
    public async Task An_answer_is_streamed_stored_and_finished_with_the_same_text()
    {
        await using var host = await GenerationHost.StartAsync(await postgres.CreateDatabaseAsync());
        var request = await host.DeliverAsync(GenerationHost.Request("think, then show me markdown"));

        var finished = await host.FinishAsync(request);
        var read = await host.UntilReadAsync(request, r => r.Done is not null, "the end is in the log");

        Assert.Equal(GenerationStatus.Completed, finished.Status);
        Assert.Equal((request.AnswerId, request.ConversationId, "demo/demo"), (finished.AnswerId, finished.ConversationId, finished.Model));
        Assert.Contains("| Language | Year |", finished.Text, StringComparison.Ordinal);
        Assert.NotEmpty(finished.Reasoning);
        Assert.Equal((finished.Text, finished.Reasoning), (read.Text, read.Reasoning));
        Assert.Equal((1, 0, 0), read.Started.Select(s => (s.Attempt, s.TextOffset, s.ReasoningOffset)).Single());
        Assert.Equal((GenerationStatus.Completed, finished.Text.Length), (read.Done!.Status, read.Done.Length));
        Assert.True(finished.OutputTokens > 100 && finished.InputTokens > 0);
        var job = await host.FindJobAsync(request.GenerationId);
        Assert.Equal((GenerationStatus.Completed, finished.Text, true), (job!.Status, job.Text, job.Announced));
        Assert.Empty(job.Contents);
    }

    [Fact]
    public async Task A_title_writes_to_no_channel()
    {
        await using var host = await GenerationHost.StartAsync(await postgres.CreateDatabaseAsync());
        var request = await host.DeliverAsync(GenerationHost.Request("how do I bake rye bread at home without yeast?", purpose: "title"));
        var finished = await host.FinishAsync(request);
        Assert.Equal((GenerationStatus.Completed, "title", "How do I bake rye bread"), (finished.Status, finished.Purpose, finished.Text));
    }
}
