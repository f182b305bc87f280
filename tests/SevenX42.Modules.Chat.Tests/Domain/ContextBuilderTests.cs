using CsCheck;
using SevenX42.Modules.Chat.Domain;

namespace SevenX42.Modules.Chat.Tests.Domain;

public sealed class ContextBuilderTests
{
    // What a chat template spends on each message, as ContextBuilder reckons.
    private const int PerMessage = 4;

    private static readonly Gen<List<ContextMessage>> Branch = Gen.Int[0, 400].Array[1, 40].Select(lengths =>
        lengths.Select((length, i) => new ContextMessage(i % 2 == 0 ? "user" : "assistant", $"{i}:" + new string('x', length))).ToList());

    private static readonly Gen<(List<ContextMessage> Branch, string Instructions, int Window)> Any =
        Gen.Select(Branch, Gen.Int[0, 300].Select(length => new string('s', length)), Gen.Int[256, 8_000]);

    [Fact]
    public void Three_quarters_of_the_window_are_never_exceeded_unless_by_what_must_be_there() => Any.Sample((branch, instructions, window) =>
    {
        var context = Build(branch, instructions, window);
        var needed = Cost(branch[^1].Text) + (instructions.Length > 0 ? Cost(instructions) : 0);
        var budget = window - (window / 4);
        Assert.InRange(context.Messages.Sum(m => Cost(m.Text)), 0, Math.Max(budget, needed));
    });

    [Fact]
    public void Instructions_come_first_the_newest_message_last_and_between_them_the_newest_in_order() => Any.Sample((branch, instructions, window) =>
    {
        var context = Build(branch, instructions, window);
        var messages = context.Messages.ToList();
        if (instructions.Length > 0)
        {
            Assert.Equal(new ContextMessage("system", instructions), messages[0]);
            messages.RemoveAt(0);
        }

        Assert.Equal(branch.Skip(branch.Count - messages.Count), messages);
        Assert.Equal(branch[^1], messages[^1]);
    });

    [Fact]
    public void How_much_was_left_out_is_said() => Any.Sample((branch, instructions, window) =>
    {
        var context = Build(branch, instructions, window);
        Assert.Equal(branch.Count, context.Omitted + context.Messages.Count(m => m.Role != "system"));
    });

    [Fact]
    public void What_is_left_out_does_not_fit() => Any.Sample((branch, instructions, window) =>
    {
        var context = Build(branch, instructions, window);
        if (context.Omitted == 0)
            return;

        // An answer at the very beginning is left out although it fits: its question is gone.
        var next = branch[context.Omitted - 1].Role == "assistant" && context.Omitted > 1 ? context.Omitted - 2 : context.Omitted - 1;
        var cost = (instructions.Length > 0 ? Cost(instructions) : 0) + branch.Skip(next).Sum(m => Cost(m.Text));
        Assert.True(cost > window - (window / 4), $"{cost} would have fitted into {window}.");
    });

    [Fact]
    public void A_context_does_not_begin_with_an_answer_whose_question_is_gone() => Any.Sample((branch, instructions, window) =>
    {
        var context = Build(branch, instructions, window);
        var conversation = context.Messages.Where(m => m.Role != "system").ToList();
        if (context.Omitted > 0 && conversation.Count > 1)
            Assert.Equal("user", conversation[0].Role);
    });

    private static int Cost(string text) => text.Length + PerMessage;

    private static Context Build(List<ContextMessage> branch, string instructions, int window) =>
        ContextBuilder.Build(instructions, branch, window, text => text.Length);
}
