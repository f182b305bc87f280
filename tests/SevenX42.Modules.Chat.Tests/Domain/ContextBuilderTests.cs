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
        var first = ContextBuilder.StartOf(branch, fixedTokens, window).Message;
        var budget = window - (window / 4);
        Assert.InRange(fixedTokens + branch.Skip(first).Sum(Cost), 0, Math.Max(budget, fixedTokens + Cost(branch[^1])));
    });

    [Fact]
    public void The_newest_message_always_goes_in() => Any.Sample((branch, fixedTokens, window) =>
        Assert.InRange(ContextBuilder.StartOf(branch, fixedTokens, window).Message, 0, branch.Count - 1));

    [Fact]
    public void What_is_left_out_does_not_fit() => Any.Sample((branch, fixedTokens, window) =>
    {
        var first = ContextBuilder.StartOf(branch, fixedTokens, window).Message;
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
        var first = ContextBuilder.StartOf(branch, fixedTokens, window).Message;
        if (first > 0 && first < branch.Count - 1)
            Assert.False(branch[first].IsAnswer);
    });

    [Fact]
    public void Pictures_cost_what_they_cost_and_the_oldest_are_left_out_first()
    {
        List<ContextMessage> branch = [new(false, 10, 1), new(true, 10), new(false, 10, 2), new(true, 10), new(false, 10, 1)];
        const int words = 5 * 14;
        Assert.Equal(new ContextStart(0, 0), Start(words, pictures: 4));
        Assert.Equal(new ContextStart(0, 1), Start(words, pictures: 3));
        Assert.Equal(new ContextStart(0, 3), Start(words, pictures: 2));
        Assert.Equal(new ContextStart(0, 3), Start(words, pictures: 1));
        // Those of the last message always go in, whatever becomes of the rest.
        Assert.Equal(new ContextStart(4, 4), Start(words, pictures: 0));

        ContextStart Start(int tokens, int pictures) =>
            ContextBuilder.StartOf(branch, 0, ((tokens + (pictures * ContextBuilder.TokensPerPicture) + 2) * 4 / 3) + 1);
    }

    [Fact]
    public void No_more_pictures_go_in_than_servers_take()
    {
        var branch = Enumerable.Range(0, 11).Select(i => new ContextMessage(i % 2 == 1, 1, i % 2 == 0 ? 4 : 0)).ToList();
        Assert.Equal(new ContextStart(0, 3), ContextBuilder.StartOf(branch, 0, 1_000_000));
    }

    private static int Cost(ContextMessage message) => message.Tokens + ContextBuilder.TokensPerMessage;
}
