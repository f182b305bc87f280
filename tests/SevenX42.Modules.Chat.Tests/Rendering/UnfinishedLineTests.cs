using CsCheck;
using SevenX42.Modules.Chat.Rendering;

namespace SevenX42.Modules.Chat.Tests.Rendering;

public sealed class UnfinishedLineTests
{
    [Theory]
    [InlineData("plain words", "plain words")]
    [InlineData("# Head", "# Head")]
    // What kind of line it is shows only with what follows.
    [InlineData("#", "")]
    [InlineData("- ", "")]
    [InlineData("> - 1. ", "")]
    [InlineData("12", "")]
    [InlineData("12 apples", "12 apples")]
    [InlineData("- [x] ", "")]
    [InlineData("- [x] done", "- [x] done")]
    [InlineData("|", "")]
    [InlineData("| :--- | -", "")]
    [InlineData("---", "")]
    [InlineData("```csharp", "")]
    [InlineData("2024 was", "2024 was")]
    // Emphasis and code are closed for the moment, behind the last character that is no space.
    [InlineData("a **bold wo", "a **bold wo**")]
    [InlineData("a **bold ", "a **bold**")]
    [InlineData("a **", "a ")]
    [InlineData("**bold**", "**bold**")]
    [InlineData("**bold** and", "**bold** and")]
    [InlineData("***both", "***both***")]
    [InlineData("**b *i", "**b *i***")]
    [InlineData("~~gone", "~~gone~~")]
    [InlineData("a `co *de", "a `co *de`")]
    [InlineData("a ``co`", "a ``co``")]
    [InlineData("5 * 3 = x", "5 * 3 = x")]
    [InlineData("snake_case_na", "snake_case_na")]
    [InlineData("_em", "_em_")]
    [InlineData("\\*no", "\\*no")]
    [InlineData("no\\", "no")]
    // A cell ends what began in it.
    [InlineData("| **a | b", "| **a | b")]
    [InlineData("| a | **b", "| a | **b**")]
    // Addresses are shown as links or not at all.
    [InlineData("see [the page](https://exam", "see [the page")]
    [InlineData("see [the page](https://example.org/a_(b)) for", "see [the page](https://example.org/a_(b)) for")]
    [InlineData("see [the page]", "see [the page")]
    [InlineData("see [1] and", "see [1] and")]
    [InlineData("see https://exam", "see ")]
    [InlineData("**see https://exam", "**see**")]
    [InlineData("**https://exam", "")]
    [InlineData("see https://example.org and", "see https://example.org and")]
    public void A_line_is_shown_as(string line, string expected)
    {
        var (shown, closers) = UnfinishedLine.Read(line);

        Assert.Equal(expected, line[..shown] + closers);
    }

    [Fact]
    public void Little_is_held_back_and_only_marks_are_added() =>
        Gen.Char["ab1 *_~`[]()|#->.:/\\\n😀"].Array[0, 900].Sample(
            characters =>
            {
                var line = new string(characters);
                var (shown, closers) = UnfinishedLine.Read(line);
                Assert.InRange(line.Length - shown, 0, UnfinishedLine.MostHeld);
                Assert.All(closers, c => Assert.Contains(c, "*_~`"));
                Assert.InRange(closers.Length, 0, line.Length);
            },
            iter: 20_000);

    [Fact]
    public void Text_without_marks_is_shown_whole() =>
        Gen.Char["abc, ä日"].Array[0, 200].Sample(
            characters => Assert.Equal((characters.Length + 1, ""), UnfinishedLine.Read("x" + new string(characters))));
}
