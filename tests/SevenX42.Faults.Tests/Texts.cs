using System.Globalization;
using SevenX42.Testing;

namespace SevenX42.Faults.Tests;

/// <summary>What people ask and what the model answers: a prompt's number decides it, whoever asks and however often.</summary>
internal static class Texts
{
    /// <summary>About how many characters of markdown the longest has.</summary>
    public const int Longest = 2_000;

    private const int Documents = 16;
    private const int FewestWords = 60;
    private const int WordsMore = 15;
    private static readonly TimeSpan TokenPause = TimeSpan.FromMilliseconds(20);
    private static readonly string[] All =
        [.. Enumerable.Range(0, Documents).Select(seed => MarkdownDocument.OfWords(FewestWords + (seed * WordsMore), seed))];

    public static string Prompt(int number) => string.Create(CultureInfo.InvariantCulture, $"Prompt {number}");

    public static string Answer(int number) => All[number % Documents];

    /// <summary>What the model server does with a request: it goes on where the answer stands.</summary>
    public static Script Script(RecordedRequest request, History history)
    {
        if (request.Messages[0].Role == "system")
            return Testing.Script.Answer("A title");
        var number = int.Parse(request.Messages.Last(m => m.Role == "user").Content.Split(' ')[1], CultureInfo.InvariantCulture);
        var written = request.Messages[^1] is { Role: "assistant", Content: var begun } ? begun : "";
        if (!Answer(number).StartsWith(written, StringComparison.Ordinal))
            history.Wrong.Add($"Prompt {number}: the model is to go on with what it did not write");
        var rest = Answer(number)[Math.Min(written.Length, Answer(number).Length)..];
        return history.Messages.Any(m => m.Prompt == number && m.IsPoison)
            ? Testing.Script.Stream.Role().Say(rest[..1]).Hang()
            : Testing.Script.Answer(rest, seed: number, TokenPause);
    }
}
