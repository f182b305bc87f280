using Microsoft.EntityFrameworkCore;
using SevenX42.Contracts.Chat;
using SevenX42.Contracts.Generation;
using SevenX42.Contracts.Identity;
using SevenX42.Messaging;
using SevenX42.Modules.Chat.Domain;
using SevenX42.Modules.Chat.Features.Conversations;
using SevenX42.Modules.Chat.Features.Messages;
using SevenX42.Modules.Chat.Infrastructure;

namespace SevenX42.Modules.Chat.Integration;

/// <summary>Stores what a generation came to: an answer's final text, or a title.</summary>
internal sealed class GenerationFinishedHandler(ChatDbContext context, TimeProvider time)
    : InboxHandler<GenerationFinished, ChatDbContext>(context)
{
    private const string TitlePrompt =
        "Give this conversation a title of at most six words, in its language. Answer with the title alone: no quotes, no full stop.";

    private const int TitleSample = 2_000;

    // A conversation whose first answers brought no title keeps its first words, and nobody pays for trying for ever.
    private const int LastToAskForTitle = 10;

    protected override async Task HandleOnceAsync(GenerationFinished integrationEvent, CancellationToken cancellationToken)
    {
        var tokens = integrationEvent.Purpose == Purposes.Answer ? TokenCounter.Count(integrationEvent.Text) : 0;
        // Locked: a person who names the conversation now, or takes up the answer, is waited for.
        if (await Context.LockAsync(integrationEvent.ConversationId, cancellationToken) is not { } conversation)
            return;
        if (integrationEvent.Purpose == Purposes.Title)
            TakeTitle(conversation, integrationEvent);
        else
            await TakeAnswerAsync(conversation, integrationEvent, tokens, cancellationToken);
    }

    private void TakeTitle(Conversation conversation, GenerationFinished e)
    {
        if (e.Status == GenerationStatus.Completed && conversation.SuggestTitle(Titles.FromModel(e.Text)))
            Context.Raise(Changes.Title(conversation, time.GetUtcNow()));
    }

    private async Task TakeAnswerAsync(Conversation conversation, GenerationFinished e, int tokens, CancellationToken cancellationToken)
    {
        var answer = await Context.Messages.SingleOrDefaultAsync(m => m.Id == e.AnswerId, cancellationToken);
        var status = e.Status switch
        {
            GenerationStatus.Completed => MessageStatus.Completed,
            GenerationStatus.Stopped => MessageStatus.Stopped,
            GenerationStatus.Interrupted => MessageStatus.Interrupted,
            _ => MessageStatus.Failed,
        };
        var text = e.Pictures is { } pictures ? Drawing.TextOf(pictures.Count) : e.Text;
        if (answer is null || !answer.Finish(
            e.GenerationId, status, text, tokens, e.Reasoning, e.ErrorCode, e.ErrorMessage, e.InputTokens, e.OutputTokens, e.DurationMilliseconds))
            return;
        if (e.Pictures is { } drawn)
            answer.TakePictures(drawn, e.Seed);
        Context.Raise(Changes.Message(answer, time.GetUtcNow()));
        // A model that draws finds no titles. The question names it, so a stopped answer will do; where answers fail, a title would, too.
        if (status != MessageStatus.Failed && answer.Drawing is null && conversation is { TitleSource: TitleSource.FirstMessage, DeletedAt: null } && answer.Number <= LastToAskForTitle)
            await RequestTitleAsync(conversation, answer, cancellationToken);
    }

    private async Task RequestTitleAsync(Conversation conversation, Message answer, CancellationToken cancellationToken)
    {
        var question = await Context.Messages.AsNoTracking().SingleAsync(m => m.Id == answer.ParentId, cancellationToken);
        // Titles are made of words; a later message may have some.
        if (question.Content.Length == 0)
            return;
        var now = time.GetUtcNow();
        Context.Raise(new AnswerRequested(
            Guid.CreateVersion7(now),
            Guid.CreateVersion7(now),
            answer.Id,
            conversation.Id,
            conversation.OwnerId,
            Purposes.Title,
            Channel: "",
            Subject: "",
            answer.Model,
            ["system", "user"],
            [TitlePrompt, Head(question.Content)],
            Prefix: ""));

        static string Head(string text) => text.Length > TitleSample ? text[..TitleSample] : text;
    }
}
