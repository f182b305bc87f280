using SevenX42.Testing;

namespace SevenX42.Faults.Tests;

/// <summary>The checker sees every kind of promise broken, and none where all are kept.</summary>
public sealed class CheckerTests
{
    private const string Answer = "What the model wrote.";
    private const string Html = "<p>What the model wrote.</p>";

    private static readonly Guid Conversation = ChatBrowser.NewId();
    private static readonly Guid AnswerId = ChatBrowser.NewId();

    private readonly History _history = new();
    private readonly Sent _sent;
    private readonly StoredMessage _question;
    private readonly StoredMessage _answer;
    private readonly StoredJob _job = new(AnswerId, "answer", "completed", Attempts: 1, Crashes: 0);

    public CheckerTests()
    {
        _sent = _history.Send(ChatBrowser.NewId(), Conversation);
        _sent.IsAcknowledged = true;
        _question = new StoredMessage(_sent.Id, Conversation, ParentId: null, "User", "Completed", "Prompt 1");
        _answer = new StoredMessage(AnswerId, Conversation, _sent.Id, "Assistant", "Completed", Answer);
    }

    [Fact]
    public void A_run_in_which_every_promise_was_kept_passes()
    {
        _history.Views.Add(new View(_sent, Html, Html, "completed"));
        _history.Views.Add(new View(_sent, Html, Streamed: null, "completed"));

        Assert.Empty(Broken([_question, _answer], [_job]));
    }

    [Fact]
    public void A_message_that_was_acknowledged_and_is_not_stored_is_caught() => Caught("is lost", [], []);

    [Fact]
    public void A_message_that_was_never_acknowledged_is_caught()
    {
        _sent.IsAcknowledged = false;

        Caught("nobody said that it was stored", [_question, _answer], [_job]);
    }

    [Fact]
    public void A_message_that_is_stored_twice_is_caught() =>
        Caught("is stored 2 times", [_question, _question with { Id = ChatBrowser.NewId() }, _answer], [_job]);

    [Fact]
    public void A_message_in_a_foreign_conversation_is_caught() =>
        Caught("another conversation", [_question with { ConversationId = ChatBrowser.NewId() }, _answer], [_job]);

    [Fact]
    public void A_message_without_an_answer_is_caught() => Caught("has 0 answers", [_question], []);

    [Fact]
    public void A_message_with_two_answers_is_caught() => Caught(
        "has 2 answers",
        [_question, _answer, _answer with { Id = ChatBrowser.NewId() }],
        [_job]);

    [Fact]
    public void An_answer_without_an_end_is_caught() => Caught("pending for ever", [_question, _answer with { Status = "Pending" }], [_job]);

    [Fact]
    public void A_generation_without_an_end_is_caught() => Caught("is running for ever", [_question, _answer], [_job with { Status = "running" }]);

    [Fact]
    public void An_answer_that_was_generated_twice_is_caught() => Caught("by 2 jobs", [_question, _answer], [_job, _job]);

    [Theory]
    [InlineData("What the model")]
    [InlineData("What the the model wrote.")]
    public void A_complete_answer_that_lacks_text_or_has_some_twice_is_caught(string text) =>
        Caught("not what the model wrote", [_question, _answer with { Text = text }], [_job]);

    [Fact]
    public void A_stopped_answer_is_a_beginning_of_what_the_model_wrote()
    {
        _sent.MayBeStopped = true;
        Assert.Empty(Broken([_question, _answer with { Status = "Stopped", Text = "What" }], [_job]));

        Caught("began to write", [_question, _answer with { Status = "Stopped", Text = "Whit" }], [_job]);
    }

    [Fact]
    public void An_answer_that_stopped_by_itself_is_caught() =>
        Caught("nobody asked for it", [_question, _answer with { Status = "Stopped" }], [_job]);

    [Fact]
    public void An_answer_is_given_up_only_after_enough_attempts_have_died()
    {
        Assert.Empty(Broken([_question, _answer with { Status = "Interrupted" }], [_job with { Crashes = 3 }]));

        Caught("is interrupted after 1 attempts", [_question, _answer with { Status = "Interrupted" }], [_job with { Crashes = 2 }]);
    }

    [Fact]
    public void A_poison_that_was_completed_is_caught()
    {
        var poison = _history.Send(ChatBrowser.NewId(), Conversation, isPoison: true);
        poison.IsAcknowledged = true;
        var answer = _answer with { Id = ChatBrowser.NewId(), ParentId = poison.Id };

        Caught(
            "kills whoever works on it",
            [_question, _answer, _question with { Id = poison.Id, Text = "Prompt 2" }, answer],
            [_job, _job with { AnswerId = answer.Id }]);
    }

    [Fact]
    public void A_page_that_shows_something_else_is_caught()
    {
        _history.Views.Add(new View(_sent, "<p>What</p>", Streamed: null, "completed"));

        Caught("a page shows something else", [_question, _answer], [_job]);
    }

    [Fact]
    public void A_stream_that_brought_something_else_is_caught()
    {
        _history.Views.Add(new View(_sent, Html, "<p>What the the</p>", "completed"));

        Caught("what was streamed", [_question, _answer], [_job]);
    }

    [Fact]
    public void A_page_that_says_another_end_is_caught()
    {
        _history.Views.Add(new View(_sent, Html, Html, "stopped"));

        Caught("a page says", [_question, _answer], [_job]);
    }

    [Fact]
    public void What_somebody_saw_go_wrong_is_told()
    {
        _history.Wrong.Add("A number is missing.");

        Caught("A number is missing.", [_question, _answer], [_job]);
    }

    private void Caught(string sentence, StoredMessage[] messages, StoredJob[] jobs) =>
        Assert.Contains(Broken(messages, jobs), wrong => wrong.Contains(sentence, StringComparison.Ordinal));

    private List<string> Broken(StoredMessage[] messages, StoredJob[] jobs) =>
        [.. Checker.Broken(_history, new Stored(messages, jobs, new Dictionary<Guid, string> { [AnswerId] = Html }), _ => Answer)];
}
