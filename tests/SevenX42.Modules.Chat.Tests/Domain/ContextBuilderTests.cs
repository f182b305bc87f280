using CsCheck;
using SevenX42.Modules.Chat.Domain;

namespace SevenX42.Modules.Chat.Tests.Domain;

public sealed class ContextBuilderTests
{
    private static readonly Gen<List<ContextMessage>> Branch = Gen.Int[0, 400].Array[1, 40].Select(lengths =>
        lengths.Select((tokens, i) => new ContextMessage(i % 2 == 1, tokens)).ToList());

    private static readonly Gen<(List<ContextMessage> Branch, int Fixed, int Window)> Any =
        Gen.Select(Branch, Gen.Int[0, 300], Gen.Int[256, 8_000]);

    [Fact]
    public void Three_quarters_of_the_window_are_never_exceeded_unless_by_what_must_be_there() => Any.Sample((branch, fixedTokens, window) =>
    {
        var first = ContextBuilder.FirstOf(branch, fixedTokens, window);
        var budget = window - (window / 4);
        Assert.InRange(fixedTokens + branch.Skip(first).Sum(Cost), 0, Math.Max(budget, fixedTokens + Cost(branch[^1])));
    });

    [Fact]
    public void The_newest_message_always_goes_in() => Any.Sample((branch, fixedTokens, window) =>
        Assert.InRange(ContextBuilder.FirstOf(branch, fixedTokens, window), 0, branch.Count - 1));

    [Fact]
    public void What_is_left_out_does_not_fit() => Any.Sample((branch, fixedTokens, window) =>
    {
        var first = ContextBuilder.FirstOf(branch, fixedTokens, window);
        if (first == 0)
            return;

        // An answer at the very beginning is left out although it fits: its question is gone.
        var next = branch[first - 1].IsAnswer && first > 1 ? first - 2 : first - 1;
        var cost = fixedTokens + branch.Skip(next).Sum(Cost);
        Assert.True(cost > window - (window / 4), $"{cost} would have fitted into {window}.");
    });

    [Fact]
    public void A_context_does_not_begin_with_an_answer_whose_question_is_gone() => Any.Sample((branch, fixedTokens, window) =>
    {
        var first = ContextBuilder.FirstOf(branch, fixedTokens, window);
        if (first > 0 && first < branch.Count - 1)
            Assert.False(branch[first].IsAnswer);
    });

    private static int Cost(ContextMessage message) => message.Tokens + ContextBuilder.TokensPerMessage;
}
