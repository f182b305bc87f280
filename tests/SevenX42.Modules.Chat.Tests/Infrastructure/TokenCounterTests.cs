using Microsoft.ML.Tokenizers;
using SevenX42.Modules.Chat.Infrastructure;
using SevenX42.Testing;

namespace SevenX42.Modules.Chat.Tests.Infrastructure;

public sealed class TokenCounterTests
{
    private const string Prose = "It was a bright cold day in April, and the clocks were striking thirteen.\nWinston Smith slipped quickly through 2 doors; ";

    public static TheoryData<string, string> Unbroken => new()
    {
        { "dashes", new string('-', 100_000) },
        { "letters", new string('a', 100_000) },
        { "spaces", new string(' ', 100_000) },
        { "Chinese", string.Concat(Enumerable.Range(0, 30_000).Select(i => (char)('一' + (i * 7 % 3_000)))) },
        { "base64", Convert.ToBase64String([.. Enumerable.Range(0, 75_000).Select(i => (byte)(i * 31 % 251))]) },
        { "emoji", string.Concat(Enumerable.Repeat("😀👍🏽", 10_000)) },
    };

    [Theory]
    [MemberData(nameof(Unbroken))]
    public void Text_without_joints_costs_about_what_prose_costs(string name, string text)
    {
        var prose = Repeat(Prose, 100_000);
        TokenCounter.Count(prose);

        var (usual, unbroken) = (ThreadTime.Of(() => TokenCounter.Count(prose)), ThreadTime.Of(() => TokenCounter.Count(text)));

        Assert.True(unbroken < usual * 20, $"Counting {name} took {unbroken.TotalMilliseconds} ms, prose {usual.TotalMilliseconds} ms.");
    }

    [Fact]
    public void Slices_count_what_the_whole_counts()
    {
        var tokenizer = TiktokenTokenizer.CreateForEncoding("o200k_base");
        foreach (var text in (string[])[Repeat(Prose, 20_000), "", "a", Repeat("def f(x):\n\treturn x ** 2\n\n", 5_000), Repeat("Зимой и летом одним цветом. ", 5_000)])
        {
            var (whole, sliced) = (tokenizer.CountTokens(text), TokenCounter.Count(text));
            Assert.InRange(sliced, whole - (whole / 50), whole + (whole / 50));
        }
    }

    [Fact]
    public void No_character_is_cut_into_halves()
    {
        // Halves would count as three bytes each that no text has.
        var tokenizer = TiktokenTokenizer.CreateForEncoding("o200k_base");
        var (whole, sliced) = (tokenizer.CountTokens(Repeat("😀", 1_000)), TokenCounter.Count("x" + Repeat("😀", 1_000)));
        Assert.InRange(sliced, whole - 10, whole + 10);
    }

    private static string Repeat(string text, int length) => string.Concat(Enumerable.Repeat(text, (length / text.Length) + 1))[..length];
}
