using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Chat.Domain;
using SevenX42.Realtime;

namespace SevenX42.Modules.Chat.Infrastructure;

/// <summary>Where an answer that is being written stands.</summary>
/// <param name="Text">Its text.</param>
/// <param name="Reasoning">Its reasoning.</param>
/// <param name="Progress">What the line under it says.</param>
internal sealed record LiveAnswer(string Text, string Reasoning, AnswerProgress Progress);

/// <summary>What is stored of an answer that has not ended.</summary>
/// <param name="Number">Its number in the conversation.</param>
/// <param name="GenerationId">The generation that writes it.</param>
/// <param name="Text">Its text up to the last checkpoint.</param>
/// <param name="Reasoning">Its reasoning up to the last checkpoint.</param>
/// <param name="Image">How far its pictures were then, where it draws.</param>
internal sealed record PendingAnswer(int Number, Guid GenerationId, string Text, string Reasoning, ImageProgress? Image = null);

/// <summary>
/// Puts together, for a page, what the answers of a conversation that are being written have so far: checkpoints from the
/// database, and the log up to the position that the page will be watched from.
/// </summary>
internal sealed class LiveAnswers(ChatDbContext context, IChannelLog log, IGenerationApi generation)
{
    /// <summary>
    /// The channel's position, or <see cref="ChannelPosition.Unknown"/>. Take it before reading the database, so that nothing falls
    /// between the two.
    /// </summary>
    public ValueTask<ChannelPosition> GetPositionAsync(Guid conversationId, CancellationToken cancellationToken) =>
        log.GetSnapshotPositionAsync(Channels.OfConversation(conversationId), cancellationToken);

    /// <summary>What the database has of a conversation's answers that have not ended.</summary>
    public async Task<IReadOnlyList<PendingAnswer>> ReadPendingAsync(Guid conversationId, CancellationToken cancellationToken)
    {
        var pending = await context.Messages.AsNoTracking()
            .Where(m => m.ConversationId == conversationId && m.Status == MessageStatus.Pending && m.GenerationId != null)
            .ToListAsync(cancellationToken);
        if (pending.Count == 0)
            return [];
        var checkpoints = await generation.GetCheckpointsAsync([.. pending.Select(m => m.GenerationId!.Value)], cancellationToken);
        return [.. pending.Select(m => checkpoints.TryGetValue(m.GenerationId!.Value, out var checkpoint) && checkpoint.Text.Length >= m.Content.Length
            ? new PendingAnswer(m.Number, checkpoint.GenerationId, checkpoint.Text, checkpoint.Reasoning, checkpoint.Image)
            : new PendingAnswer(m.Number, m.GenerationId.Value, m.Content, m.Reasoning))];
    }

    /// <summary>The answers' state at a position.</summary>
    public async Task<IReadOnlyDictionary<Guid, LiveAnswer>> ReadAsync(
        Guid conversationId, IReadOnlyList<Message> pending, ChannelPosition position, CancellationToken cancellationToken)
    {
        if (pending.Count == 0)
            return new Dictionary<Guid, LiveAnswer>();
        var checkpoints = await generation.GetCheckpointsAsync([.. pending.Select(m => m.GenerationId!.Value)], cancellationToken);
        var events = new List<ChannelEvent>();
        var joins = position != ChannelPosition.Unknown
            && (await log.ReadRetainedAsync(Channels.OfConversation(conversationId), events, cancellationToken)).Head.Epoch == position.Epoch;
        var result = new Dictionary<Guid, LiveAnswer>();
        foreach (var message in pending)
        {
            var answer = new AnswerText();
            answer.Load(message.GenerationId!.Value, message.Content, message.Reasoning);
            var progress = new AnswerProgress(GenerationStatus.Queued);
            if (checkpoints.TryGetValue(message.GenerationId.Value, out var checkpoint))
            {
                answer.Load(checkpoint.GenerationId, checkpoint.Text, checkpoint.Reasoning);
                progress = new AnswerProgress(
                    checkpoint.Status, checkpoint.QueuePosition, HasThought: checkpoint.Reasoning.Length > 0, HasText: checkpoint.Text.Length > 0,
                    Image: checkpoint.Status == GenerationStatus.Queued ? null : checkpoint.Image);
            }

            var subject = Channels.SubjectOf(message.Number);
            if (joins)
            {
                foreach (var e in events)
                {
                    if (e.Seq <= position.Seq && GenerationEvent.Read(e) is { } parsed && parsed.Subject == subject && parsed.GenerationId == message.GenerationId)
                        progress = parsed.ApplyTo(answer, progress);
                }
            }

            // It has ended only when its end is stored here; that is announced.
            if (progress.State is not (GenerationStatus.Queued or AnswerProgress.Waiting))
                progress = progress with { State = GenerationStatus.Running };
            result[message.Id] = new LiveAnswer(answer.Text, answer.Reasoning, progress);
        }

        return result;
    }
}

/// <summary>One of Generation's events, read.</summary>
internal sealed record GenerationEvent(string Type, string Subject, Guid GenerationId, object Data)
{
    /// <summary>Reads an event; <see langword="null"/> when it is none of Generation's or can't be read.</summary>
    public static GenerationEvent? Read(ChannelEvent e)
    {
        var json = GenerationEventsJson.Wire;
        try
        {
            return e.Type switch
            {
                GenerationEvents.Delta or GenerationEvents.Reasoning when JsonSerializer.Deserialize(e.Data.Span, json.DeltaData) is { } d =>
                    new(e.Type, d.Subject, d.GenerationId, d),
                GenerationEvents.Queued when JsonSerializer.Deserialize(e.Data.Span, json.QueuedData) is { } d => new(e.Type, d.Subject, d.GenerationId, d),
                GenerationEvents.Started when JsonSerializer.Deserialize(e.Data.Span, json.StartedData) is { } d => new(e.Type, d.Subject, d.GenerationId, d),
                GenerationEvents.Waiting when JsonSerializer.Deserialize(e.Data.Span, json.WaitingData) is { } d => new(e.Type, d.Subject, d.GenerationId, d),
                GenerationEvents.Image when JsonSerializer.Deserialize(e.Data.Span, json.ImageProgressData) is { } d => new(e.Type, d.Subject, d.GenerationId, d),
                GenerationEvents.Done when JsonSerializer.Deserialize(e.Data.Span, json.DoneData) is { } d => new(e.Type, d.Subject, d.GenerationId, d),
                _ => null,
            };
        }
        catch (JsonException)
        {
            // Whatever wrote this, it must not stop everybody else's answers; the stored message is the truth in the end.
            return null;
        }
    }

    /// <summary>Applies it to an answer's text, and says where the answer stands then.</summary>
    public AnswerProgress ApplyTo(AnswerText answer, AnswerProgress progress)
    {
        switch (Data)
        {
            case GenerationEvents.StartedData started:
                answer.Start(GenerationId, started.TextOffset, started.ReasoningOffset);
                break;
            case GenerationEvents.DeltaData delta when Type == GenerationEvents.Delta:
                answer.Append(delta.Offset, delta.Text, out _);
                break;
            case GenerationEvents.DeltaData delta:
                answer.AppendReasoning(delta.Offset, delta.Text, out _);
                break;
            default:
                break;
        }

        return ApplyTo(progress);
    }

    /// <summary>Where the answer stands after it.</summary>
    public AnswerProgress ApplyTo(AnswerProgress progress) => Data switch
    {
        GenerationEvents.QueuedData queued => new AnswerProgress(GenerationStatus.Queued, queued.Position),
        GenerationEvents.WaitingData waiting => new AnswerProgress(
            AnswerProgress.Waiting, WaitMilliseconds: waiting.RetryMilliseconds, Attempt: progress.Attempt, Image: progress.Image),
        GenerationEvents.StartedData started => new AnswerProgress(
            GenerationStatus.Running,
            Attempt: started.Attempt,
            BegunAgain: started is { Attempt: > 1, TextOffset: 0 },
            HasText: started.TextOffset > 0,
            Image: progress.Image),
        GenerationEvents.DeltaData when Type == GenerationEvents.Delta => progress with { State = GenerationStatus.Running, HasText = true },
        GenerationEvents.DeltaData => progress with { State = GenerationStatus.Running, HasThought = true },
        GenerationEvents.ImageProgressData image => progress with { State = GenerationStatus.Running, Image = image.Progress },
        GenerationEvents.DoneData done => progress with { State = done.Status },
        _ => progress,
    };
}
