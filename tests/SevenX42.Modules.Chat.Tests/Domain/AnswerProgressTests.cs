using System.Text.Json;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Chat.Domain;
using SevenX42.Modules.Chat.Infrastructure;
using SevenX42.Realtime;

namespace SevenX42.Modules.Chat.Tests.Domain;

/// <summary>What a person is told while an answer comes.</summary>
public sealed class AnswerProgressTests
{
    private static readonly Guid Generation = Guid.Parse("11111111-1111-1111-1111-111111111111");

    [Fact]
    public void The_line_under_an_answer_says_what_it_waits_for()
    {
        var progress = new AnswerProgress(GenerationStatus.Queued);
        Assert.Equal("Next in the queue", progress.Sentence);

        Then(GenerationEvents.Queued, new GenerationEvents.QueuedData("2", Generation, 3), "In the queue: 3 before this one");
        Then(GenerationEvents.Waiting, new GenerationEvents.WaitingData("2", Generation, "provider_busy", 2_400), "The provider is busy. It is asked again in 3 s");
        Then(GenerationEvents.Started, new GenerationEvents.StartedData("2", Generation, 1, 0, 0), "Waiting for the model…");
        Then(GenerationEvents.Reasoning, new GenerationEvents.DeltaData("2", Generation, 0, "Hm."), "Thinking…");
        Then(GenerationEvents.Delta, new GenerationEvents.DeltaData("2", Generation, 0, "It is"), "Writing…");

        void Then<T>(string type, T data, string sentence)
        {
            progress = GenerationEvent.Read(new ChannelEvent(1, type, JsonSerializer.SerializeToUtf8Bytes(data)))!.ApplyTo(progress);
            Assert.Equal(sentence, progress.Sentence);
        }
    }

    [Theory]
    [InlineData(0, "Something failed, so it is begun again…")]
    [InlineData(7, "Something failed, so it goes on elsewhere…")]
    public void A_takeover_is_told_for_as_long_as_the_answer_is_written(int offset, string sentence)
    {
        var started = new GenerationEvents.StartedData("2", Generation, 2, offset, 0);
        var delta = new GenerationEvents.DeltaData("2", Generation, offset, "more");
        var progress = Apply(GenerationEvents.Started, started, new AnswerProgress(GenerationStatus.Running, HasText: true));

        Assert.Equal(sentence, progress.Sentence);
        Assert.Equal(sentence, Apply(GenerationEvents.Delta, delta, progress).Sentence);
    }

    private static AnswerProgress Apply<T>(string type, T data, AnswerProgress progress) =>
        GenerationEvent.Read(new ChannelEvent(1, type, JsonSerializer.SerializeToUtf8Bytes(data)))!.ApplyTo(progress);
}
