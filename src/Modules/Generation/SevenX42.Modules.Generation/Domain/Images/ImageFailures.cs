using System.Globalization;

namespace SevenX42.Modules.Generation.Domain.Images;

/// <summary>What can go wrong with a picture, beside what can go wrong with any request.</summary>
internal static class ImageFailures
{
    public static GenerationFailure WorkersDied(int attempts) => new(
        "attempts_exhausted",
        $"The drawing was begun {attempts.ToString(CultureInfo.InvariantCulture)} times and broke off each time without a reason given. Try again.");

    public static GenerationFailure NotBegun(string provider, TimeSpan limit) => new(
        "first_token_timeout", $"{provider} did not begin to draw within {Failures.Say(limit)}. Try again.");

    public static GenerationFailure Idle(string provider, TimeSpan limit) => new(
        "idle_timeout", $"{provider} went silent for {Failures.Say(limit)} while it was drawing. Try again.");

    public static GenerationFailure Total(TimeSpan limit) => new(
        "total_timeout", $"The picture took longer than {Failures.Say(limit)} and was given up.");

    public static GenerationFailure Missing(string provider) => new(
        "image_missing", $"{provider} said it was done and sent fewer pictures than it was asked for. Try again.");

    public static GenerationFailure NotAnImage(string provider) => new(
        "not_an_image", $"{provider} sent something that is not a picture. Try again, or choose another model.");

    public static GenerationFailure Forbidden(string provider) => new(
        "image_address", $"{provider} keeps the picture at an address that is not on the public internet, from where nothing is fetched.");

    /// <summary>It was drawn, and can't be kept.</summary>
    public static GenerationFailure NotStored(Error error) => new(error.Code, $"The picture could not be kept: {error.Message}");

    public static GenerationFailure Stopped(string provider) => new(
        "provider_stopped", $"{provider} stopped drawing before the picture was done: somebody else may have stopped it there. Try again.");

    public static GenerationFailure Refused(string provider, string reason) => new(
        "prompt_refused", reason.Length == 0 ? $"{provider} refused this prompt." : $"{provider} refused this prompt: {reason.TrimEnd('.')}.");
}
