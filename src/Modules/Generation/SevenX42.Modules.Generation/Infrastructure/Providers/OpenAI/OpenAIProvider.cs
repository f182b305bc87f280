using System.ClientModel;
using System.ClientModel.Primitives;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using OpenAI;
using OpenAI.Chat;
using SevenX42.Modules.Generation.Domain;
using ChatFinishReason = Microsoft.Extensions.AI.ChatFinishReason;
using ChatMessage = Microsoft.Extensions.AI.ChatMessage;

namespace SevenX42.Modules.Generation.Infrastructure.Providers.OpenAI;

/// <summary>An OpenAI-compatible server.</summary>
/// <param name="options">Its configuration.</param>
/// <param name="api">Root of its API, as found out: with <c>/v1</c> or without.</param>
/// <param name="http">Its connections.</param>
/// <param name="time">The clock.</param>
internal sealed class OpenAIProvider(ProviderOptions options, Uri api, HttpMessageHandler http, TimeProvider time) : IModelProvider
{
    /// <summary>No chunk of an answer is that long.</summary>
    private const int MaxLine = 1024 * 1024;

    /// <summary>JSON around each token, and escapes within: some servers wrap a character in 400 bytes.</summary>
    private const int MaxBytesPerCharacter = 400;

    private readonly ProviderErrors _errors = new(options.Name, options.ApiKey, time);

    public string Name => options.Name;

    public Uri Api => api;

    public ProviderLimits Limits { get; } = ProviderLimits.From(options);

    public bool ContinuesAssistantMessage => options.ContinuesAssistantMessage;

    public IChatClient CreateClient(string model)
    {
        var monitor = new StreamMonitor();
        var limits = new EventStreamLimits(
            MaxLine, (4L * MaxLine) + ((long)options.MaxOutputCharacters * MaxBytesPerCharacter), _errors.TooLong);
        var responses = new ProviderResponses(http, !string.IsNullOrEmpty(options.ApiKey), monitor, limits, _errors, model);
        var client = new ChatClient(
            model,
            new ApiKeyCredential(string.IsNullOrEmpty(options.ApiKey) ? "none" : options.ApiKey),
            new OpenAIClientOptions
            {
                Endpoint = api,
                Transport = new HttpClientPipelineTransport(
                    new HttpClient(responses, disposeHandler: false) { Timeout = Timeout.InfiniteTimeSpan }),

                // Ours alone decide about time and tries.
                RetryPolicy = new ClientRetryPolicy(maxRetries: 0),
                NetworkTimeout = Timeout.InfiniteTimeSpan,
            });
        return new WholeStreamClient(client.AsIChatClient(), monitor, options.Name);
    }

    public GenerationFailure Explain(Exception exception, string model) => _errors.Explain(exception, model);

    /// <summary>Makes of a stream what the module expects: reasoning wherever servers put it, and an end that is one.</summary>
    private sealed class WholeStreamClient(IChatClient inner, StreamMonitor monitor, string provider) : DelegatingChatClient(inner)
    {
        public override async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
            IEnumerable<ChatMessage> messages,
            ChatOptions? options = null,
            [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            // What the options hold for the demo model is not sent to servers.
            var finished = false;
            await foreach (var update in base.GetStreamingResponseAsync(messages, null, cancellationToken))
            {
                finished |= update.FinishReason is not null;
                if (!update.Contents.Any(c => c is TextReasoningContent) && FindReasoning(update) is { Length: > 0 } reasoning)
                    update.Contents.Insert(0, new TextReasoningContent(reasoning));
                if (monitor.HasHalves)
                    Reveal(update);
                yield return update;
            }

            if (finished)
                yield break;
            if (!monitor.IsDone)
                throw new ProviderFault(Failures.StreamBroken(provider));
            yield return new ChatResponseUpdate(ChatRole.Assistant, []) { FinishReason = ChatFinishReason.Stop };
        }

        private static void Reveal(ChatResponseUpdate update)
        {
            for (var i = 0; i < update.Contents.Count; i++)
            {
                update.Contents[i] = update.Contents[i] switch
                {
                    TextReasoningContent reasoning => new TextReasoningContent(HalfCharacters.Reveal(reasoning.Text)),
                    TextContent text => new TextContent(HalfCharacters.Reveal(text.Text)),
                    var other => other,
                };
            }
        }

        /// <summary>The client knows <c>reasoning_content</c>; Ollama and OpenRouter say <c>reasoning</c>.</summary>
        private static string? FindReasoning(ChatResponseUpdate update)
        {
#pragma warning disable SCME0001 // For evaluation, says the SDK; the wire tests of reasoning hold it.
            return update.RawRepresentation is StreamingChatCompletionUpdate raw
                && raw.Patch.TryGetValue("$.choices[0].delta.reasoning"u8, out string? reasoning)
                    ? reasoning
                    : null;
#pragma warning restore SCME0001
        }
    }
}
