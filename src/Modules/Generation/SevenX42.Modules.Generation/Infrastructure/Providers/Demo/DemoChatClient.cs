using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using SevenX42.Modules.Generation.Infrastructure.Work;

namespace SevenX42.Modules.Generation.Infrastructure.Providers.Demo;

/// <summary>Streams the demo model's scripted answers at the pace of a real model.</summary>
internal sealed class DemoChatClient(double tokensPerSecond, TimeProvider time) : IChatClient
{
    /// <summary>What "slow" means: enough to see a wait and then every token.</summary>
    private const double SlowTokensPerSecond = 5;

    private static readonly TimeSpan SlowStart = TimeSpan.FromSeconds(3);

    public async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        await GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var conversation = messages as IReadOnlyList<ChatMessage> ?? [.. messages];
        var written = conversation is [.., { Role: var role } last] && role == ChatRole.Assistant ? last.Text : "";
        var prompt = conversation.LastOrDefault(m => m.Role == ChatRole.User)?.Text ?? "";
        var isTitle = options?.AdditionalProperties?.TryGetValue(Prompt.PurposeProperty, out var purpose) is true && purpose is "title";
        var answer = isTitle ? new DemoAnswer("", DemoAnswers.Title(prompt)) : DemoAnswers.For(prompt);
        if (answer.Slow)
            await Task.Delay(SlowStart, time, cancellationToken);

        var started = time.GetTimestamp();
        var pace = TimeSpan.FromSeconds(1 / (answer.Slow ? SlowTokensPerSecond : tokensPerSecond));
        var sent = 0;
        if (written.Length == 0)
        {
            foreach (var token in DemoAnswers.Tokens(answer.Reasoning))
            {
                await KeepPaceAsync();
                yield return new ChatResponseUpdate(ChatRole.Assistant, [new TextReasoningContent(token)]);
            }
        }

        foreach (var token in DemoAnswers.Tokens(DemoAnswers.Rest(answer.Text, written)))
        {
            await KeepPaceAsync();
            yield return new ChatResponseUpdate(ChatRole.Assistant, token);
        }

        yield return new ChatResponseUpdate(ChatRole.Assistant, [Usage()]) { FinishReason = ChatFinishReason.Stop };

        // By the clock, not by the token, so that late timers don't add up.
        ValueTask KeepPaceAsync()
        {
            cancellationToken.ThrowIfCancellationRequested();
            var early = (pace * sent++) - time.GetElapsedTime(started);
            return early <= TimeSpan.Zero ? ValueTask.CompletedTask : new ValueTask(Task.Delay(early, time, cancellationToken));
        }

        UsageContent Usage() => new(new UsageDetails
        {
            InputTokenCount = conversation.Sum(m => DemoAnswers.Tokens(m.Text).Count()),
            OutputTokenCount = sent,
        });
    }

    public object? GetService(Type serviceType, object? serviceKey = null) =>
        serviceKey is null && serviceType.IsInstanceOfType(this) ? this : null;

    public void Dispose()
    {
    }
}
