using System.Diagnostics;
using Microsoft.ML.Tokenizers;
using SevenX42.Contracts.Chat;
using SevenX42.Contracts.Generation;
using SevenX42.Http;
using SevenX42.Messaging;
using SevenX42.Modules.Chat.Domain;
using SevenX42.Modules.Chat.Features.Conversations;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Features.Messages;

/// <summary>Requests answers: what sending, editing, regenerating, retrying and continuing have in common.</summary>
internal sealed class AnswerRequests(ChatDbContext context, IGenerationApi generation, TimeProvider time)
{
    // No branch that a model's window holds is longer.
    private const int LongestBranch = 1_000;

    // An estimate for models of other makers too; a quarter of the window is left for the answer and for its error.
    private static readonly Lazy<TiktokenTokenizer> Tokenizer = new(() => TiktokenTokenizer.CreateForEncoding("o200k_base"));

    /// <summary>The model a person asked for, the conversation's, or the first there is.</summary>
    public async Task<Result<ModelInfo>> ChooseModelAsync(string? wanted, Conversation? conversation, CancellationToken cancellationToken)
    {
        var models = await generation.GetModelsAsync(cancellationToken);
        var id = string.IsNullOrEmpty(wanted) ? conversation?.Model ?? "" : wanted;
        if (models.FirstOrDefault(m => m.Id == id) is { } model)
            return model;
        if (id.Length > 0 && !string.IsNullOrEmpty(wanted))
            return Error.Invalid("unknown_model", $"The model {id} is not there any more. Choose another one.", "model");
        return models.Count > 0
            ? models[0]
            : Error.Unavailable("no_model", "No model is there. Connect one, or switch the demo model on.");
    }

    /// <summary>The same; what a person asked for is meant for the next answers of the conversation, too.</summary>
    public async Task<Result<ModelInfo>> PickModelAsync(string? wanted, Conversation conversation, CancellationToken cancellationToken)
    {
        var model = await ChooseModelAsync(wanted, conversation, cancellationToken);
        if (model.IsSuccess && !string.IsNullOrEmpty(wanted) && conversation.Model != wanted)
        {
            conversation.Model = wanted;
            context.Raise(Changes.Model(conversation, time.GetUtcNow()));
        }

        return model;
    }

    /// <summary>Requests an answer to the message it follows.</summary>
    /// <param name="conversation">Its conversation.</param>
    /// <param name="answer">The answer, stored or about to be.</param>
    /// <param name="question">Its parent when that is not stored yet.</param>
    /// <param name="model">The model.</param>
    /// <param name="keepText">Whether to continue the text it has.</param>
    /// <param name="cancellationToken">Cancels the reading.</param>
    public async Task RequestAsync(
        Conversation conversation, Message answer, Message? question, ModelInfo model, bool keepText, CancellationToken cancellationToken)
    {
        List<Message> branch = question is null ? [] : [question];
        if ((question is null ? answer.ParentId : question.ParentId) is { } above)
            branch.AddRange(await context.ReadBranchAsync(conversation.Id, above, LongestBranch, cancellationToken));
        branch.Reverse();
        var fitted = ContextBuilder.Build(
            conversation.Instructions,
            [.. branch.Where(m => m.Content.Length > 0).Select(m => new ContextMessage(m.Role == MessageRole.User ? "user" : "assistant", m.Content))],
            model.ContextTokens,
            text => Tokenizer.Value.CountTokens(text));
        var generationId = Guid.CreateVersion7(time.GetUtcNow());
        var prefix = keepText ? answer.Content : "";
        answer.Generate(generationId, model.Id, fitted.Omitted, keepText);
        context.Raise(new AnswerRequested(
            Guid.CreateVersion7(time.GetUtcNow()),
            generationId,
            answer.Id,
            conversation.Id,
            conversation.OwnerId,
            Purposes.Answer,
            Channels.OfConversation(conversation.Id),
            Channels.SubjectOf(answer.Number),
            model.Id,
            [.. fitted.Messages.Select(m => m.Role)],
            [.. fitted.Messages.Select(m => m.Text)],
            prefix));
        Activity.Current?.SetTag(RequestTags.Conversation, conversation.Id).SetTag(RequestTags.Generation, generationId);
        conversation.Show(answer.Id);
        conversation.Touch(time.GetUtcNow());
        context.Raise(Changes.Tree(conversation, answer.Id, time.GetUtcNow()));
    }
}

/// <summary>What generations are for.</summary>
internal static class Purposes
{
    public const string Answer = "answer";
    public const string Title = "title";
}
