using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
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
    private const int LongestBranch = 10_000;

    /// <summary>The model a person asked for, or the conversation's; the first there is only where nobody ever chose one.</summary>
    public async Task<Result<ModelInfo>> ChooseModelAsync(string? wanted, Conversation? conversation, CancellationToken cancellationToken)
    {
        var models = await generation.GetModelsAsync(cancellationToken);
        var id = string.IsNullOrEmpty(wanted) ? conversation?.Model ?? "" : wanted;
        if (models.FirstOrDefault(m => m.Id == id) is { } model)
            return model;
        if (id.Length > 0)
            return Error.Invalid("unknown_model", $"The model {id} is not available now. Choose another one.", "model");
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

    /// <summary>Whether an answer to a message is being written: the first click's, for a second one.</summary>
    public Task<bool> IsAnsweredNowAsync(Guid? questionId, CancellationToken cancellationToken) =>
        context.Messages.AnyAsync(m => m.ParentId == questionId && m.Status == MessageStatus.Pending, cancellationToken);

    /// <summary>Whether a model can answer a message that may show pictures.</summary>
    /// <returns>Why it can't.</returns>
    public async Task<Error?> CheckSightAsync(ModelInfo model, Guid? questionId, CancellationToken cancellationToken)
    {
        var shown = await context.Messages.Where(m => m.Id == questionId).Select(m => m.Attachments).SingleOrDefaultAsync(cancellationToken);
        return SentPictures.Check(model, shown?.Count ?? 0);
    }

    /// <summary>Stores a person's message that asks for pictures, and requests them.</summary>
    public void AskForPictures(Conversation conversation, Message question, Drawing drawing)
    {
        context.Messages.Add(question);
        Draw(conversation, Begin(conversation, question.Id), drawing);
    }

    /// <summary>Requests further pictures as an answer to a message: a sibling of those there are.</summary>
    public void DrawAnother(Conversation conversation, Guid questionId, Drawing drawing) => Draw(conversation, Begin(conversation, questionId), drawing);

    /// <summary>Requests pictures as an answer that is stored, which has none.</summary>
    public void Draw(Conversation conversation, Message answer, Drawing drawing)
    {
        var now = time.GetUtcNow();
        var generationId = Guid.CreateVersion7(now);
        answer.Draw(generationId, drawing);
        var options = drawing.Options;
        context.Raise(new ImageRequested(
            Guid.CreateVersion7(now),
            generationId,
            answer.Id,
            conversation.Id,
            conversation.OwnerId,
            Channels.OfConversation(conversation.Id),
            Channels.SubjectOf(answer.Number),
            drawing.Model,
            drawing.Prompt,
            options.Width,
            options.Height,
            options.Count,
            options.Seed,
            options.NegativePrompt,
            options.Steps));
        Announce(conversation, answer, generationId);
    }

    /// <summary>Stores a person's message and requests the first answer to it.</summary>
    public Task AskAsync(Conversation conversation, Message question, ModelInfo model, CancellationToken cancellationToken)
    {
        context.Messages.Add(question);
        return RequestAsync(conversation, Begin(conversation, question.Id), question, model, keepText: false, cancellationToken);
    }

    /// <summary>Requests a further answer to a message: a sibling of those there are.</summary>
    public Task RequestAnotherAsync(Conversation conversation, Guid questionId, ModelInfo model, CancellationToken cancellationToken) =>
        RequestAsync(conversation, Begin(conversation, questionId), question: null, model, keepText: false, cancellationToken);

    /// <summary>Requests an answer that is stored once more: begun again, or <paramref name="keepText"/>, from the text it has.</summary>
    public Task RequestAgainAsync(Conversation conversation, Message answer, ModelInfo model, bool keepText, CancellationToken cancellationToken) =>
        RequestAsync(conversation, answer, question: null, model, keepText, cancellationToken);

    private Message Begin(Conversation conversation, Guid questionId)
    {
        var now = time.GetUtcNow();
        var answer = Message.Answer(Guid.CreateVersion7(now), conversation, questionId, now);
        context.Messages.Add(answer);
        return answer;
    }

    // The question is given when it is not stored yet.
    private async Task RequestAsync(
        Conversation conversation, Message answer, Message? question, ModelInfo model, bool keepText, CancellationToken cancellationToken)
    {
        List<BranchMessage> branch = question is null ? [] : [new(question.Id, IsAnswer: false, question.Tokens ?? 0, question.Attachments.Count)];
        if ((question is null ? answer.ParentId : question.ParentId) is { } above)
            branch.AddRange(await context.MeasureBranchAsync(conversation.Id, above, LongestBranch, cancellationToken));
        branch.Reverse();
        var prefix = keepText ? answer.Content : "";
        var reasoning = prefix.Length > 0 ? answer.Reasoning : "";
        var fixedTokens = keepText && answer.Tokens is > 0 and var counted ? counted : TokenCounter.Count(prefix);
        if (conversation.Instructions.Length > 0)
            fixedTokens += TokenCounter.Count(conversation.Instructions) + ContextBuilder.TokensPerMessage;
        var start = ContextBuilder.StartOf(
            [.. branch.Select(m => new ContextMessage(m.IsAnswer, m.Tokens, model.Sees == false ? 0 : m.Pictures))], fixedTokens, model.ContextTokens);
        var said = await ReadSaidAsync(branch[start.Message..], question, cancellationToken);
        List<(string Role, string Text, IReadOnlyList<Guid> Pictures)> messages =
            conversation.Instructions.Length > 0 ? [("system", conversation.Instructions, [])] : [];
        var omittedPictures = 0;
        for (var i = start.Message; i < branch.Count; i++)
        {
            var (text, pictures) = said[branch[i].Id];
            var shows = model.Sees != false && i >= start.Picture;
            omittedPictures += shows ? 0 : pictures.Count;
            messages.Add((branch[i].IsAnswer ? "assistant" : "user", shows ? text : WithNote(text, pictures.Count), shows ? pictures : []));
        }

        var generationId = Guid.CreateVersion7(time.GetUtcNow());
        answer.Generate(generationId, model.Id, start.Message, keepText, omittedPictures);
        if (messages.Exists(m => m.Pictures.Count > 0))
        {
            context.Raise(new AnswerToPicturesRequested(
                Guid.CreateVersion7(time.GetUtcNow()),
                generationId,
                answer.Id,
                conversation.Id,
                conversation.OwnerId,
                Channels.OfConversation(conversation.Id),
                Channels.SubjectOf(answer.Number),
                model.Id,
                [.. messages.Select(m => m.Role)],
                [.. messages.Select(m => m.Text)],
                [.. messages.Select(m => m.Pictures)],
                prefix,
                reasoning));
        }
        else
        {
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
                [.. messages.Select(m => m.Role)],
                [.. messages.Select(m => m.Text)],
                prefix,
                reasoning));
        }

        Announce(conversation, answer, generationId);
    }

    private void Announce(Conversation conversation, Message answer, Guid generationId)
    {
        Activity.Current?.SetTag(RequestTags.Conversation, conversation.Id).SetTag(RequestTags.Generation, generationId);
        conversation.Show(answer.Id);
        conversation.Touch(time.GetUtcNow());
        context.Raise(Changes.Tree(conversation, answer.Id, time.GetUtcNow()));
    }

    // Only of what goes in: a long conversation is not read for every message of it.
    private async Task<Dictionary<Guid, (string Text, IReadOnlyList<Guid> Pictures)>> ReadSaidAsync(
        List<BranchMessage> branch, Message? question, CancellationToken cancellationToken)
    {
        var stored = branch.Select(m => m.Id).Where(id => id != question?.Id).ToList();
        var said = stored.Count == 0
            ? []
            : await context.Messages.Where(m => stored.Contains(m.Id))
                .Select(m => new { m.Id, m.Content, m.Attachments })
                .ToDictionaryAsync(m => m.Id, m => (m.Content, m.Attachments), cancellationToken);
        if (question is not null)
            said.Add(question.Id, (question.Content, question.Attachments));
        return said;
    }

    // What a model is told of pictures that it is not shown.
    private static string WithNote(string text, int pictures) => pictures == 0 ? text
        : text.Length == 0 ? Drawing.TextOf(pictures)
        : $"{text}\n\n{Drawing.TextOf(pictures)}";
}

/// <summary>What generations are for.</summary>
internal static class Purposes
{
    public const string Answer = "answer";
    public const string Title = "title";
}
