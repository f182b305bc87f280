using System.Globalization;

namespace SevenX42.Modules.Generation.Domain;

/// <summary>What can go wrong with a generation: stable codes, and sentences that say what to do.</summary>
internal static class Failures
{
    public static GenerationFailure UnknownModel(string model) => new(
        "unknown_model", $"The model “{model}” is not available here any more. Choose another one.");

    public static GenerationFailure UnknownAt(string provider, string model) => new(
        "unknown_model", $"{provider} does not know the model “{model}”. Choose another one.");

    public static GenerationFailure WorkersDied(int attempts) => new(
        "attempts_exhausted",
        $"The answer was begun {attempts.ToString(CultureInfo.InvariantCulture)} times and broke off each time without a reason given. Try again.");

    public static GenerationFailure Unexpected { get; } = new(
        "unexpected", "Something went wrong on our side. Try again.", Retry: true);

    public static GenerationFailure FirstTokenTimeout(string provider, TimeSpan limit) => new(
        "first_token_timeout", $"{provider} did not begin to answer within {Say(limit)}. Try again.");

    public static GenerationFailure IdleTimeout(string provider, TimeSpan limit) => new(
        "idle_timeout", $"{provider} went silent for {Say(limit)} in the middle of the answer.");

    public static GenerationFailure TotalTimeout(TimeSpan limit) => new(
        "total_timeout", $"The answer took longer than {Say(limit)} and was broken off.");

    public static GenerationFailure OutputLimit(int characters) => new(
        "output_limit", string.Create(CultureInfo.InvariantCulture, $"The answer reached the limit of {characters:N0} characters and was broken off."));

    public static GenerationFailure LengthLimit { get; } = new(
        "length_limit", "The model reached its own limit of length, so the answer is not complete.");

    public static GenerationFailure ContentFilter(string provider) => new(
        "content_filter", $"The content filter of {provider} broke off the answer.");

    public static GenerationFailure EmptyAnswer(string model) => new(
        "empty_answer", $"{model} returned an empty answer. Try again, or put the question differently.");

    public static GenerationFailure StreamBroken(string provider) => new(
        "stream_broken", $"The connection to {provider} broke off before it was done.", Retry: true);

    public static GenerationFailure PicturesUnavailable { get; } = new(
        "pictures_unavailable", "The pictures of this conversation can't be read right now. Try again.", Retry: true);

    /// <summary>A span in words: <c>30 seconds</c>, <c>5 minutes</c>.</summary>
    public static string Say(TimeSpan span) => span switch
    {
        { TotalSeconds: < 1 } => $"{span.TotalMilliseconds.ToString("0", CultureInfo.InvariantCulture)} milliseconds",
        { TotalSeconds: < 1.5 } => "a second",
        { TotalSeconds: < 90 } => $"{span.TotalSeconds.ToString("0", CultureInfo.InvariantCulture)} seconds",
        { TotalMinutes: < 90 } => $"{span.TotalMinutes.ToString("0", CultureInfo.InvariantCulture)} minutes",
        _ => $"{span.TotalHours.ToString("0", CultureInfo.InvariantCulture)} hours",
    };
}
