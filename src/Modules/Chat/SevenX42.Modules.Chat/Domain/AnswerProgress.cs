using System.Globalization;
using SevenX42.Contracts.Generation;

namespace SevenX42.Modules.Chat.Domain;

/// <summary>Where an answer stands that has not ended, and the sentence that says so.</summary>
/// <param name="State">As of <see cref="GenerationStatus"/>, or <see cref="Waiting"/>.</param>
/// <param name="QueuePosition">How many are before it.</param>
/// <param name="WaitMilliseconds">How long the provider asked to wait; 0 when that is not known.</param>
/// <param name="Attempt">1 for the first.</param>
/// <param name="BegunAgain">Whether this attempt threw away what the one before had written.</param>
/// <param name="HasThought">Whether this attempt has written reasoning.</param>
/// <param name="HasText">Whether this attempt has written text.</param>
/// <param name="Image">How far its pictures are, where it draws.</param>
internal readonly record struct AnswerProgress(
    string State,
    int QueuePosition = 0,
    int WaitMilliseconds = 0,
    int Attempt = 1,
    bool BegunAgain = false,
    bool HasThought = false,
    bool HasText = false,
    ImageProgress? Image = null)
{
    /// <summary>The provider asked to wait.</summary>
    public const string Waiting = "waiting";

    /// <summary>What the person is told.</summary>
    public string Sentence => this switch
    {
        { State: GenerationStatus.Queued, QueuePosition: > 0 } => string.Create(CultureInfo.InvariantCulture, $"In the queue: {QueuePosition} before this one"),
        { State: GenerationStatus.Queued } => "Next in the queue",
        { State: Waiting, WaitMilliseconds: > 0 } => string.Create(
            CultureInfo.InvariantCulture, $"The provider is busy. It is asked again in {(WaitMilliseconds + 999) / 1000} s"),
        { State: Waiting } => "The provider is busy. It is asked again soon",
        { Image.Queue: > 0 and var before } => string.Create(CultureInfo.InvariantCulture, $"In the provider's queue: {before} before this one"),
        { Image.Queue: 0 } => "The provider does something else first…",
        { Image: not null, Attempt: > 1 } => "Something failed, so it goes on elsewhere…",
        { Image: not null } => "Drawing…",
        { BegunAgain: true } => "Something failed, so it is begun again…",
        { Attempt: > 1 } => "Something failed, so it goes on elsewhere…",
        { HasText: true } => "Writing…",
        { HasThought: true } => "Thinking…",
        _ => "Waiting for the model…",
    };
}
