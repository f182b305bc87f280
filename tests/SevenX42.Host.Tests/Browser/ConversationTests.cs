using System.Text.RegularExpressions;
using Microsoft.Playwright;
using SevenX42.Testing;
using static Microsoft.Playwright.Assertions;

namespace SevenX42.Host.Tests.Browser;

/// <summary>The main journey: a question, an answer that streams in, and what one can do with both.</summary>
public sealed partial class ConversationTests(Chromium chromium, RunningApp app) : IClassFixture<RunningApp>
{
    [Fact]
    public async Task The_first_visit_has_the_cursor_in_the_composer_and_says_what_answers()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);

        await Expect(person.Message).ToBeFocusedAsync();
        await Expect(person.Send).ToBeDisabledAsync();
        await Expect(person.Page.Locator("#main")).ToContainTextAsync("Demo");
    }

    [Fact]
    public async Task A_question_is_answered_while_one_watches_and_both_survive_a_reload()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);

        // Watched in the page, from before: who looks now and then may find the answer complete.
        var watched = person.Page.WaitForFunctionAsync("() => document.querySelector('article[data-role=assistant][aria-busy=true]') !== null");
        await person.SayAsync("What are you?");

        await watched;
        await Expect(person.Page).ToHaveURLAsync(ConversationAddress());
        await person.AnswerBecomesAsync("completed");
        await Expect(person.LastAnswer).ToContainTextAsync("I am the demo model");
        await Expect(person.LastAnswer).Not.ToHaveAttributeAsync("aria-busy", "true");
        await Expect(person.Send).ToBeVisibleAsync();
        var read = await person.LastAnswer.Locator("[data-blocks]").InnerTextAsync();
        await person.Page.ReloadAsync();
        Assert.Equal(read, await person.LastAnswer.Locator("[data-blocks]").InnerTextAsync());
    }

    [Fact]
    public async Task Shift_enter_makes_a_new_line_and_enter_sends()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);

        await person.Message.FillAsync("one");
        await person.Message.PressAsync("Shift+Enter");
        await person.Message.PressSequentiallyAsync("two");
        await Expect(person.Message).ToHaveValueAsync("one\ntwo");
        await person.Message.PressAsync("Enter");

        await Expect(person.Page.Locator("article[data-role=user]")).ToContainTextAsync("one");
        await Expect(person.Message).ToHaveValueAsync("");
    }

    [Theory]
    [InlineData("isComposing: true")]
    [InlineData("keyCode: 229")]
    public async Task Enter_that_ends_a_composition_sends_nothing(string sign)
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.Message.FillAsync("にほん");

        await person.Message.EvaluateAsync($"e => e.dispatchEvent(new KeyboardEvent('keydown', {{ key: 'Enter', bubbles: true, cancelable: true, {sign} }}))");
        await person.Message.PressAsync("ArrowRight");

        await Expect(person.Page).Not.ToHaveURLAsync(ConversationAddress());
        await Expect(person.Message).ToHaveValueAsync("にほん");
        await person.Message.PressAsync("Enter");
        await Expect(person.Page).ToHaveURLAsync(ConversationAddress());
    }

    [Fact]
    public async Task Blank_messages_are_not_sent()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);

        await person.Message.FillAsync("  \n ");
        await Expect(person.Send).ToBeDisabledAsync();
        await person.Message.PressAsync("Enter");

        await Expect(person.Page).Not.ToHaveURLAsync(ConversationAddress());
    }

    [Fact]
    public async Task Stop_before_the_first_token_leaves_an_answer_that_can_be_had_again()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);

        await person.SayAsync("slow");
        await person.Stop.ClickAsync();

        await person.AnswerBecomesAsync("stopped");
        await Expect(person.Send).ToBeVisibleAsync();
        await Expect(person.Button("Regenerate")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task Escape_stops_and_what_was_written_stays()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);

        await person.SayAsync("long");
        await Expect(person.LastAnswer).ToContainTextAsync("I am the demo model");
        await person.Page.Keyboard.PressAsync("Escape");

        await person.AnswerBecomesAsync("stopped");
        await Expect(person.LastAnswer).ToContainTextAsync("I am the demo model");
        await Expect(person.Message).ToBeFocusedAsync();
    }

    [Fact]
    public async Task While_an_answer_is_written_enter_keeps_the_draft()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);

        await person.SayAsync("long");
        await Expect(person.Stop).ToBeVisibleAsync();
        await person.Message.FillAsync("next question");
        await person.Message.PressAsync("Enter");

        await Expect(person.Message).ToHaveValueAsync("next question");
        await Expect(person.Page.Locator("article[data-role=user]")).ToHaveCountAsync(1);
    }

    [Fact]
    public async Task Regenerate_makes_another_version_and_keeps_the_first()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");

        await person.Button("Regenerate").ClickAsync();

        await Expect(person.LastAnswer).ToContainTextAsync("2/2");
        await person.AnswerBecomesAsync("completed");
        await person.Button("Previous version").ClickAsync();
        await Expect(person.LastAnswer).ToContainTextAsync("1/2");
    }

    [Fact]
    public async Task Editing_a_message_makes_a_branch_and_keeps_the_old_one()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("first wording");
        await person.AnswerBecomesAsync("completed");

        await person.Button("Edit").ClickAsync();
        var edit = person.Page.GetByRole(AriaRole.Textbox, new() { Name = "Edit message" });
        await Expect(edit).ToBeFocusedAsync();
        await Expect(edit).ToHaveValueAsync("first wording");
        await edit.FillAsync("second wording");
        await person.Button("Save and send").ClickAsync();

        var question = person.Page.Locator("article[data-role=user]");
        await Expect(question).ToContainTextAsync("second wording");
        await Expect(question).ToContainTextAsync("2/2");
        await person.AnswerBecomesAsync("completed");
        await person.Button("Previous version").ClickAsync();
        await Expect(question).ToContainTextAsync("first wording");
        await Expect(person.LastAnswer).ToHaveAttributeAsync("data-status", "completed");
    }

    [Fact]
    public async Task Copy_takes_the_markdown_and_copy_code_the_code()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.Profile.GrantPermissionsAsync(["clipboard-read", "clipboard-write"]);
        await person.SayAsync("code");
        await person.AnswerBecomesAsync("completed");

        await person.LastAnswer.GetByRole(AriaRole.Button, new() { Name = "Copy", Exact = true }).ClickAsync();
        await Expect(person.Page.Locator("#announcer")).ToHaveTextAsync("Copied");
        Assert.Contains("```csharp", await ClipboardAsync(person), StringComparison.Ordinal);

        await person.LastAnswer.GetByRole(AriaRole.Button, new() { Name = "Copy code" }).First.ClickAsync();
        // "Copied" still stands there from the first.
        await Eventually.TrueAsync(async () =>
            (await ClipboardAsync(person)).StartsWith("/// <summary>Counts the words of a text.</summary>", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Thinking_is_folded_and_can_be_unfolded()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);

        await person.SayAsync("think");
        await person.AnswerBecomesAsync("completed");

        var thinking = person.LastAnswer.Locator("[data-think]");
        await Expect(thinking).ToBeHiddenAsync();
        await person.LastAnswer.GetByText("Thinking", new() { Exact = true }).ClickAsync();
        await Expect(thinking).ToBeVisibleAsync();
        await Expect(thinking).Not.ToBeEmptyAsync();
    }

    [Fact]
    public async Task The_live_region_says_that_an_answer_begins_and_then_what_it_says()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");

        await person.SayAsync("slow");

        var announcer = person.Page.Locator("#announcer");
        await Expect(announcer).ToHaveTextAsync("The answer has begun.");
        await person.Stop.ClickAsync();
        await person.AnswerBecomesAsync("stopped");
        await Expect(announcer).Not.ToHaveTextAsync("The answer has begun.");
        await person.SayAsync("hello again");
        await Expect(announcer).ToContainTextAsync("I am the demo model");
    }

    [Fact]
    public async Task Without_scripts_one_sends_and_reads_with_forms_and_links()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address, options: Person.WithoutScripts);

        await person.Message.FillAsync("hello without scripts");
        await person.Send.ClickAsync();

        await Expect(person.Page).ToHaveURLAsync(ConversationAddress());
        await Expect(person.Page.Locator("article[data-role=user]")).ToContainTextAsync("hello without scripts");
        await person.ReloadUntilCompletedAsync();
        await Expect(person.LastAnswer).ToContainTextAsync("I am the demo model");
        await person.Button("Regenerate").ClickAsync();
        await Expect(person.LastAnswer).ToContainTextAsync("2/2");
    }

    [GeneratedRegex(@"/c/[0-9a-f-]{36}(#m-\d+)?$")]
    private static partial Regex ConversationAddress();

    private static Task<string> ClipboardAsync(Person person) => person.Page.EvaluateAsync<string>("navigator.clipboard.readText()");
}
